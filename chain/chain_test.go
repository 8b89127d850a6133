package chain_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

func TestReorganisation(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2", h.Spend("b1")).Accept()
	h.Next("b3").Accept()
	before := coins(t, h)

	h.On("b1").Next("b2a").Side()
	h.Next("b3a", h.Spend("b2a")).Side() // as much work as the tip: the first stays
	h.ExpectTip("b3")
	h.Next("b4a").Accept()

	h.On("b3").Next("b4", h.Spend("b3")).Side()
	h.Next("b5").Accept() // and back again
	h.On("b3")
	if diff := cmp.Diff(before, coinsAfterInvalidating(t, h, "b4")); diff != "" {
		t.Errorf("coins after going to the other branch and back (-before +after):\n%s", diff)
	}
}

// coinsAfterInvalidating rolls the chain back below the named block and
// returns the coins there.
func coinsAfterInvalidating(t *testing.T, h *chaintest.Harness, name string) map[wire.OutPoint]consensus.Coin {
	t.Helper()
	for _, n := range []string{name, "b4a"} {
		if err := h.Chain.Invalidate(t.Context(), h.Block(n).Hash); err != nil {
			t.Fatal(err)
		}
	}
	return coins(t, h)
}

func coins(t *testing.T, h *chaintest.Harness) map[wire.OutPoint]consensus.Coin {
	t.Helper()
	set := make(map[wire.OutPoint]consensus.Coin)
	_, err := h.Chain.EachCoin(t.Context(), func(op wire.OutPoint, c consensus.Coin) error {
		set[op] = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Chain.Stats().Coins; got != int64(len(set)) {
		t.Errorf("statistics say %d coins, the set has %d", got, len(set))
	}
	return set
}

func TestBranchWithInvalidBlockIsLeft(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.On("b1").Next("b2a").Side()
	// Spends the same output twice: found only when it is connected.
	double := h.Spend("b1")
	h.Next("b3a", double, chaintest.Tx(chaintest.SpendTx(2000, 1, h.Coin("b1")), 2000)).
		Reject(consensus.RuleTxMissingInputs)
	h.ExpectTip("b2") // back again: b2a has no more work and came later
	h.On("b3a").Next("b4a").Reject(chain.RuleBadParent)
	h.Again("b3a").Reject(chain.RuleKnownInvalid)
}

func TestOrphans(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	b1 := h.Next("b1")
	b2 := h.Next("b2")
	b3 := h.Next("b3")
	b3.Orphan()
	b2.Orphan()
	h.ExpectTip("genesis")
	if _, err := h.Chain.AcceptBlock(t.Context(), b1.Block); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b3")
	h.Again("b2").Duplicate()
}

// TestBodiesInAnyOrder: headers are known, bodies come as they please.
func TestBodiesInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := chaintest.New(t, chaintest.Options{})
			var blocks []*consensus.Block
			var headers []wire.BlockHeader
			for i := range 12 {
				if i == 8 {
					h.On("x3") // a shorter branch
				}
				b := h.Next(fmt.Sprint("x", i)).Block
				blocks = append(blocks, b)
				headers = append(headers, b.Header)
			}
			for _, hs := range [][]wire.BlockHeader{headers[:8], headers[8:]} {
				if _, err := h.Chain.AcceptHeaders(t.Context(), hs); err != nil {
					t.Fatal(err)
				}
			}
			rng := rand.New(rand.NewPCG(seed, 1))
			rng.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
			for _, b := range blocks {
				if _, err := h.Chain.AcceptBlock(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			best := h.Chain.Best()
			if best.Height != 8 {
				t.Errorf("height %d, want 8", best.Height)
			}
			if best.ChainTxs != 9 {
				t.Errorf("%d transactions in the chain, want 9", best.ChainTxs)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	var got []string
	cancel := h.Chain.Subscribe(func(ev chain.Event) {
		kind := [...]string{"+", "-", "="}[ev.Kind]
		got = append(got, fmt.Sprint(kind, ev.Info.Height))
		if ev.Kind != chain.Settled && len(ev.Spent) != len(ev.Block.Txs)-1 {
			t.Errorf("%d spent lists for %d transactions", len(ev.Spent), len(ev.Block.Txs))
		}
	})
	h.Next("b1").Accept()
	h.Next("b2", h.Spend("b1")).Accept()
	h.On("b1").Next("b2a").Side()
	h.Next("b3a").Accept()
	cancel()
	h.Next("b4a").Accept()
	want := []string{"+1", "=1", "+2", "=2", "-2", "+2", "+3", "=3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestRestart: whatever was accepted is there again, after a clean stop and
// after a kill at any point since the last flush.
func TestRestart(t *testing.T) {
	for _, how := range []string{"close", "kill"} {
		t.Run(how, func(t *testing.T) {
			h := chaintest.New(t, chaintest.Options{})
			h.Next("b1").Accept()
			h.Next("b2", h.Spend("b1")).Accept()
			if err := h.Chain.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.On("b1").Next("b2a").Side()
			h.Next("b3a", h.Spend("b1")).Accept() // reorganisation after the flush
			h.Next("b4a").Accept()
			h.On("b2").Next("b3").Side()
			want := coins // read below, after reopening
			if how == "close" {
				h.Close()
			} else {
				h.Kill()
			}
			h.Open()
			h.ExpectTip("b4a")
			set := want(t, h)
			fresh := chaintest.New(t, chaintest.Options{Params: h.Params})
			for _, name := range []string{"b1", "b2a", "b3a", "b4a"} {
				if _, err := fresh.Chain.AcceptBlock(t.Context(), h.Block(name)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(coins(t, fresh), set); diff != "" {
				t.Errorf("coins (-never stopped +restarted):\n%s", diff)
			}
			h.On("b3").Next("b4").Side()
			h.Next("b5").Accept() // the other branch's bodies are still here
		})
	}
}

func TestInvalidateAndReconsider(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.Next("b3").Accept()
	h.On("b1").Next("b2a").Side()
	hash := h.Block("b2").Hash
	if err := h.Chain.Invalidate(t.Context(), hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b2a")
	if got := h.Chain.BestHeader().Hash; got != h.Block("b2a").Hash {
		t.Errorf("best header is %v, want that of b2a", got)
	}
	h.On("b3").Next("b4").Reject(chain.RuleBadParent)
	h.Kill()
	h.Open() // the verdict was not flushed, and is an operator's to repeat
	if err := h.Chain.Invalidate(t.Context(), hash); err != nil {
		t.Fatal(err)
	}
	h.Close()
	h.Open()
	h.ExpectTip("b2a")
	if err := h.Chain.Reconsider(t.Context(), hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b3")
	if err := h.Chain.Invalidate(t.Context(), h.Block("genesis").Hash); err == nil {
		t.Error("the genesis block was invalidated")
	}
	if err := h.Chain.Invalidate(t.Context(), chainhash.Hash{1}); !errors.Is(err, chain.ErrUnknownBlock) {
		t.Errorf("unknown block: error %v", err)
	}
}

// TestReconsiderFreesOtherBranches: all that stands on a block that is good
// again may be connected.
func TestReconsiderFreesOtherBranches(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.On("b1").Next("b2a").Side()
	h.Next("b3a").Accept()
	h.On("genesis").Next("c1").Side()
	if err := h.Chain.Invalidate(t.Context(), h.Block("b1").Hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("c1")
	if err := h.Chain.Reconsider(t.Context(), h.Block("b2").Hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b3a")
}

// TestEventsOfInvalidate: the run of steps ends with one Settled.
func TestEventsOfInvalidate(t *testing.T) {
	for _, other := range []string{"to another branch", "back only"} {
		h := chaintest.New(t, chaintest.Options{})
		h.Next("b1").Accept()
		h.Next("b2").Accept()
		h.Next("b3").Accept()
		want := []string{"-3", "-2", "=1"}
		if other == "to another branch" {
			h.On("b1").Next("b2a").Side()
			want = []string{"-3", "-2", "+2", "=2"}
		}
		var got []string
		h.Chain.Subscribe(func(ev chain.Event) {
			got = append(got, fmt.Sprint([...]string{"+", "-", "="}[ev.Kind], ev.Info.Height))
		})
		if err := h.Chain.Invalidate(t.Context(), h.Block("b2").Hash); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", other, diff)
		}
	}
}

// TestUndecidedIsNotInvalid: a block is refused for a reason that breaks no
// rule, and accepted once the reason is gone.
func TestUndecidedIsNotInvalid(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	h := chaintest.New(t, chaintest.Options{Now: func() time.Time { return now }})
	early := h.Next("b1", chaintest.Time(now.Add(h.Params.PoW.MaxFuture+time.Second)))
	_, err := h.Chain.AcceptBlock(t.Context(), early.Block)
	if !errors.Is(err, consensus.ErrNotYet) || consensus.AsRule(err) != nil {
		t.Fatalf("early block: error %v", err)
	}
	now = now.Add(time.Second)
	early.Accept()
	now = now.Add(time.Hour)

	b2 := h.Next("b2", h.Spend("b1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Chain.AcceptBlock(ctx, b2.Block); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: error %v", err)
	}
	txs := append(append([]*consensus.Tx{}, b2.Txs...), b2.Txs[1])
	mutated := &consensus.Block{Header: b2.Header, Hash: b2.Block.Hash, Txs: txs}
	if _, err := h.Chain.AcceptBlock(t.Context(), mutated); consensus.AsRule(err) == nil {
		t.Fatalf("mutated copy: error %v", err)
	}
	b2.Accept()
}

func TestOverwriteOfUnspentTransaction(t *testing.T) {
	p := *chaintest.Params(chaintest.ChainFile)
	p.Deployments.BIP34 = 1000 // so that coinbases may repeat
	h := chaintest.New(t, chaintest.Options{Params: &p})
	b1 := h.Next("b1")
	b1.Accept()
	h.Next("b2", chaintest.Change(func(d *chaintest.Draft) {
		d.Block.Transactions[0] = b1.Txs[0].Msg.Copy()
	})).Reject(consensus.RuleTxOverwrite)
	spend := chaintest.SpendTx(0, 1, h.Coin("b1"))
	h.Next("b2s", chaintest.Tx(spend, 0)).Accept()
	// All of it is spent: now the same transaction may come again.
	h.Next("b3", chaintest.Change(func(d *chaintest.Draft) {
		d.Block.Transactions[0] = b1.Txs[0].Msg.Copy()
	})).Accept()
}

func TestCoinbaseAmount(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	pay := func(more int64) chaintest.Option {
		return chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().TxOut[0].Value += more })
	}
	h.Next("b2", h.Spend("b1"), pay(1)).Reject(consensus.RuleCoinbaseAmount)
	h.Next("b2ok", h.Spend("b1"), pay(0)).Accept()
}

func TestLocatorAndHeaders(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	for i := 1; i <= 40; i++ {
		h.Next(fmt.Sprint("b", i)).Accept()
	}
	h.On("b10").Next("b11a").Side()
	locator := h.Chain.Locator(h.Chain.Best().Hash)
	if last := locator[len(locator)-1]; last != h.Params.GenesisHash {
		t.Errorf("locator ends with %v, not genesis", last)
	}
	if len(locator) > 20 {
		t.Errorf("locator of 40 blocks has %d entries", len(locator))
	}
	tests := []struct {
		name    string
		locator []chainhash.Hash
		stop    string
		max     int
		want    []int
	}{
		{"after a block", hashes(h, "b38"), "", 100, []int{39, 40}},
		{"at most", hashes(h, "b5"), "", 2, []int{6, 7}},
		{"up to stop", hashes(h, "b5"), "b7", 100, []int{6, 7}},
		{"from the fork of a losing branch", hashes(h, "b11a"), "", 2, []int{11, 12}},
		{"first known of several", append([]chainhash.Hash{{1}}, hashes(h, "b39", "b2")...), "", 100, []int{40}},
		{"none known", []chainhash.Hash{{1}}, "", 1, []int{1}},
		{"no locator asks for stop", nil, "b11a", 100, []int{11}},
		{"at the tip", hashes(h, "b40"), "", 100, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stop chainhash.Hash
			if tt.stop != "" {
				stop = h.Block(tt.stop).Hash
			}
			var got []int
			for _, hd := range h.Chain.HeadersAfter(tt.locator, stop, tt.max) {
				info, ok := h.Chain.Lookup(hd.BlockHash())
				if !ok {
					t.Fatal("header of an unknown block")
				}
				got = append(got, int(info.Height))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("heights (-want +got):\n%s", diff)
			}
		})
	}
}

func hashes(h *chaintest.Harness, names ...string) []chainhash.Hash {
	var out []chainhash.Hash
	for _, n := range names {
		out = append(out, h.Block(n).Hash)
	}
	return out
}

func TestTips(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.On("b1").Next("b2a").Side()
	h.On("genesis").Next("b1h")
	if _, err := h.Chain.AcceptHeaders(t.Context(), []wire.BlockHeader{h.Block("b1h").Header}); err != nil {
		t.Fatal(err)
	}
	got := map[string]int32{}
	for _, tip := range h.Chain.Tips() {
		got[tip.Status] = tip.BranchLen
	}
	want := map[string]int32{"active": 0, "valid-headers": 1, "headers-only": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tips (-want +got):\n%s", diff)
	}
}

func TestCheckProposal(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	noWork := chaintest.Change(func(d *chaintest.Draft) { d.NoSolve = true })
	if err := h.Chain.CheckProposal(t.Context(), h.Next("p1", noWork, h.Spend("b1")).Block); err != nil {
		t.Errorf("good proposal: %v", err)
	}
	if err := h.Chain.CheckProposal(t.Context(), h.On("genesis").Next("p2").Block); !errors.Is(err, chain.ErrNotOnBest) {
		t.Errorf("proposal on an old block: error %v", err)
	}
	h.ExpectTip("b1")
}

func TestOtherChainsData(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{Dir: t.TempDir()})
	h.Close()
	h.Params.GenesisHash[0] ^= 1
	defer func() { h.Params.GenesisHash[0] ^= 1 }()
	if err := h.TryOpen(); err == nil {
		t.Fatal("data of another chain was opened")
	}
}

// TestLostIndex: the block files hold everything that the index says of
// blocks with bodies.
func TestLostIndex(t *testing.T) {
	dir := t.TempDir()
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	h.Next("b1").Accept()
	h.Next("b2", h.Spend("b1")).Accept()
	h.On("b1").Next("b2a").Side()
	want := coins(t, h)
	h.Close()
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	h.Open()
	h.ExpectTip("b2")
	if diff := cmp.Diff(want, coins(t, h)); diff != "" {
		t.Errorf("coins (-before +after):\n%s", diff)
	}
	h.On("b2a").Next("b3a").Accept()
}
