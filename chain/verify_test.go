package chain_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// verifiable is a chain of six blocks in dir; the third makes 1,000 coins.
func verifiable(t *testing.T, dir string, log *slog.Logger) *chaintest.Harness {
	t.Helper()
	h := chaintest.New(t, chaintest.Options{Dir: dir, Log: log})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.Next("b3", chaintest.Tx(chaintest.SpendTx(1000, 1000, h.Coin("b1")), 1000)).Accept()
	coin := chaintest.Outputs(h.Block("b3").Txs[1].Msg)[7]
	h.Next("b4", chaintest.Tx(chaintest.SpendTx(1000, 2, coin), 1000)).Accept()
	h.Next("b5", h.Spend("b2")).Accept()
	h.Next("b6").Accept()
	if err := h.Chain.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func verify(t *testing.T, h *chaintest.Harness, level, depth int) chain.VerifyReport {
	t.Helper()
	report, err := h.Chain.VerifyChain(t.Context(), level, depth, nil)
	if err != nil {
		t.Fatalf("level %d, depth %d: %v", level, depth, err)
	}
	return report
}

func TestVerifyChain(t *testing.T) {
	h := verifiable(t, t.TempDir(), nil)
	before := coins(t, h)
	for level := chain.VerifyRead; level <= chain.VerifyConnect; level++ {
		for _, depth := range []int{0, 1, 3, 6, 7, 1000} {
			want := min(depth, 6)
			if depth == 0 {
				want = 6
			}
			var steps []chain.VerifyProgress
			report, err := h.Chain.VerifyChain(t.Context(), level, depth, func(p chain.VerifyProgress) { steps = append(steps, p) })
			if err != nil || !report.Complete || report.Fault != nil || report.Blocks != want {
				t.Errorf("level %d, depth %d: %+v, %v", level, depth, report, err)
			}
			if last := steps[len(steps)-1]; last.Done != last.Total || last.Done != len(steps) {
				t.Errorf("level %d, depth %d: the last of %d steps is %+v", level, depth, len(steps), last)
			}
			lowest := int32(7)
			if level >= chain.VerifyDisconnect {
				lowest -= int32(want)
			}
			if report.DisconnectedTo != lowest {
				t.Errorf("level %d, depth %d: disconnected to %d, want %d", level, depth, report.DisconnectedTo, lowest)
			}
		}
	}
	h.ExpectTip("b6")
	if got := coins(t, h); len(got) != len(before) {
		t.Errorf("%d coins after verification, %d before", len(got), len(before))
	}
	for _, bad := range [][2]int{{-1, 0}, {5, 0}, {3, -1}} {
		if _, err := h.Chain.VerifyChain(t.Context(), bad[0], bad[1], nil); err == nil {
			t.Errorf("level %d, depth %d: no error", bad[0], bad[1])
		}
	}
}

// TestVerifyBesideChanges: blocks are accepted, and the branch changes, in
// the middle of a verification, which goes on with what it began with.
func TestVerifyBesideChanges(t *testing.T) {
	h := verifiable(t, t.TempDir(), nil)
	report, err := h.Chain.VerifyChain(t.Context(), chain.VerifyConnect, 0, func(p chain.VerifyProgress) {
		if p.Done == 3 {
			h.Next("b7", h.Spend("b6")).Accept()
			h.On("b4").Next("b5a").Side()
			h.Next("b6a").Side()
			h.Next("b7a").Side()
			h.Next("b8a").Accept()
		}
	})
	if err != nil || !report.Complete || report.Tip.Hash != h.Block("b6").Hash {
		t.Errorf("%+v, %v", report, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = h.Chain.VerifyChain(ctx, chain.VerifyConnect, 0, func(chain.VerifyProgress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestVerifyWithLittleMemory(t *testing.T) {
	h := verifiable(t, t.TempDir(), nil)
	report, err := chain.VerifyWithin(h.Chain, t.Context(), chain.VerifyConnect, 0, 50_000, nil)
	if err != nil || report.Complete || report.Fault != nil || report.Blocks != 6 || report.DisconnectedTo < 2 || report.DisconnectedTo > 5 {
		t.Errorf("%+v, %v; want all blocks read, and those below the one with 1,000 coins not disconnected", report, err)
	}
}

// TestVerifyFindsDamage: each kind of damage is found from its level on, and
// named in the log, the report and the explanation of the block.
func TestVerifyFindsDamage(t *testing.T) {
	tests := []struct {
		name   string
		level  int    // the first that finds it
		block  string // that is named
		want   string // in the error
		once   bool   // a second flush would meet it too
		change func(t *testing.T, h *chaintest.Harness, dir string)
	}{
		{
			name: "block file", level: chain.VerifyRead, block: "b4", want: "blk00000.dat",
			change: func(t *testing.T, h *chaintest.Harness, dir string) {
				hash := h.Block("b4").Hash
				damage(t, filepath.Join(dir, "blocks", "blk00000.dat"), hash[:], 50)
			},
		},
		{
			name: "header rule", level: chain.VerifyBlock, block: "b6", want: "bad-diffbits",
			change: func(_ *testing.T, h *chaintest.Harness, _ string) { h.Params.PoW.Limit = 0x1d00ffff },
		},
		{
			name: "undo file", level: chain.VerifyUndo, block: "b5", want: "undo00000.dat",
			change: func(t *testing.T, h *chaintest.Harness, dir string) {
				hash := h.Block("b5").Hash
				damage(t, filepath.Join(dir, "blocks", "undo00000.dat"), append(hash[:], h.Block("b4").Hash[:]...), 5)
			},
		},
		{
			name: "coin lost", level: chain.VerifyDisconnect, block: "b4", want: "is not there to be taken back",
			change: func(t *testing.T, h *chaintest.Harness, _ string) {
				txid := h.Block("b4").Txs[1].TxID
				commit(t, h, func(_ func(k, v []byte), del func(k []byte)) { del(append(append([]byte{utxo.Prefix}, txid[:]...), 1)) })
			},
		},
		{
			name: "coin changed", level: chain.VerifyDisconnect, block: "b4", want: "is not the output of its transaction",
			change: func(t *testing.T, h *chaintest.Harness, _ string) {
				txid := h.Block("b4").Txs[1].TxID
				key := append(append([]byte{utxo.Prefix}, txid[:]...), 0)
				value, _, err := h.Store.Get(key)
				if err != nil {
					t.Fatal(err)
				}
				value = bytes.Clone(value)
				value[len(value)-1] ^= 1 // of the script's hash
				commit(t, h, func(put func(k, v []byte), _ func(k []byte)) { put(key, value) })
			},
		},
		{
			name: "coin table", level: chain.VerifyDisconnect, block: "b3", want: ".ldb", once: true,
			change: func(t *testing.T, h *chaintest.Harness, dir string) {
				h.Close()
				damageTable(t, filepath.Join(dir, "chainstate"))
				h.Open()
			},
		},
		{
			name: "rule about coins", level: chain.VerifyConnect, block: "b1", want: string(consensus.RuleCoinbaseAmount),
			change: func(_ *testing.T, h *chaintest.Harness, _ string) { h.Params.Subsidy.Initial-- },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			dir := t.TempDir()
			h := verifiable(t, dir, slog.New(slog.NewTextHandler(&log, nil)))
			test.change(t, h, dir)
			for level := chain.VerifyRead; level <= chain.VerifyConnect; level++ {
				report := verify(t, h, level, 0)
				if level < test.level {
					if !report.Complete {
						t.Errorf("found at level %d: %v", level, report.Fault)
					}
					continue
				}
				hash := h.Block(test.block).Hash
				f := report.Fault
				if f == nil || report.Complete || f.Level != test.level || f.Block.Hash != hash || !strings.Contains(f.Error(), test.want) {
					t.Fatalf("level %d: %+v, fault %v; want block %s, level %d, %q", level, report, f, test.block, test.level, test.want)
				}
				if !strings.Contains(log.String(), hash.String()) || !strings.Contains(log.String(), "found a fault") {
					t.Errorf("the log does not name the block:\n%s", log.String())
				}
				e := h.Chain.Explain(hash)
				if e.Fault == nil || e.Fault.VerifyLevel != test.level || e.Verdict != chain.VerdictActive {
					t.Errorf("explained as %+v with %+v", e, e.Fault)
				}
				if test.once {
					break
				}
			}
			h.Store.Close() // which may meet the damage
			h.Kill()        // without a flush
		})
	}
}

// commit changes the committed coins behind the chain's back.
func commit(t *testing.T, h *chaintest.Harness, each func(put func(k, v []byte), del func(k []byte))) {
	t.Helper()
	row, _ := h.Store.Best()
	err := h.Store.Commit(store.Commit{Best: row.Best, Height: row.Height, Meta: row.Meta, Each: func(put func(k, v []byte), del func(k []byte)) error {
		each(put, del)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// damageTable changes a byte in the middle of the largest table.
func damageTable(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.ldb"))
	if err != nil {
		t.Fatal(err)
	}
	var largest []byte
	var name string
	for _, n := range names {
		raw, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > len(largest) {
			largest, name = raw, n
		}
	}
	if len(largest) < 8<<10 {
		t.Fatalf("the largest of %d tables has %d bytes", len(names), len(largest))
	}
	largest[len(largest)/2] ^= 1
	if err := os.WriteFile(name, largest, 0o600); err != nil {
		t.Fatal(err)
	}
}
