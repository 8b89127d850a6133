package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

// history is a chain, the snapshot of one of its blocks, and the blocks.
type history struct {
	x      *chaintest.Harness
	blocks []*consensus.Block // by height; those of the best branch
	base   int
	file   []byte
	dump   chain.SnapshotDump
}

// newHistory makes a chain of base blocks, dumps it, and adds above more. Most
// blocks spend a coinbase; coins of the base are spent above it.
func newHistory(t *testing.T, base, above int) *history {
	t.Helper()
	h := &history{x: chaintest.New(t, chaintest.Options{}), base: base}
	h.blocks = append(h.blocks, h.x.Block("genesis"))
	h.grow(base)
	var file bytes.Buffer
	dump, err := h.x.Chain.DumpSnapshot(context.Background(), &file)
	if err != nil {
		t.Fatal(err)
	}
	h.file, h.dump = file.Bytes(), dump
	h.grow(above)
	return h
}

// grow adds count blocks.
func (h *history) grow(count int) {
	for range count {
		height := len(h.blocks)
		name := fmt.Sprint("b", height)
		var opts []chaintest.Option
		if height > 2 && height%3 != 0 {
			opts = append(opts, h.x.Spend(fmt.Sprint("b", height-1)))
		}
		h.x.Next(name, opts...).Accept()
		h.blocks = append(h.blocks, h.x.Block(name))
	}
}

// load opens an empty chain and loads the snapshot, trusting its digest.
func (h *history) load(t *testing.T, opts chaintest.Options) *chaintest.Harness {
	t.Helper()
	y := chaintest.New(t, opts)
	got, err := y.Chain.LoadSnapshot(context.Background(), bytes.NewReader(h.file), &h.dump.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got.Base.Height != int32(h.base) || got.Coins != h.dump.Coins || got.Digest != h.dump.Digest {
		t.Fatalf("loaded %+v, dumped %+v", got, h.dump)
	}
	return y
}

// give offers the blocks of these heights.
func (h *history) give(t *testing.T, c *chain.Chain, from, to int) {
	t.Helper()
	for _, b := range h.blocks[from : to+1] {
		if _, err := c.AcceptBlock(context.Background(), b); err != nil {
			t.Fatalf("block at height %d: %v", b.Header.Timestamp.Unix(), err)
		}
	}
}

// check lets the background check go as far as it can.
func check(t *testing.T, c *chain.Chain) {
	t.Helper()
	if err := chain.CheckHistory(c, context.Background()); err != nil {
		t.Fatal(err)
	}
}

func muhash(t *testing.T, c *chain.Chain) utxo.Summary {
	t.Helper()
	set, err := c.SummariseCoins(context.Background(), utxo.WithMuHash)
	if err != nil {
		t.Fatal(err)
	}
	return set.Summary
}

func expectHeight(t *testing.T, c *chain.Chain, want int) {
	t.Helper()
	if got := c.Best().Height; got != int32(want) {
		t.Fatalf("best block at height %d, want %d", got, want)
	}
}

func TestSnapshotFromDumpToChecked(t *testing.T) {
	h := newHistory(t, 30, 10)
	y := h.load(t, chaintest.Options{})
	expectHeight(t, y.Chain, 30)
	if best := y.Chain.Best(); best.ChainTxs != h.dump.ChainTxs || best.HaveData {
		t.Errorf("base: %d transactions, data %v; want %d, none", best.ChainTxs, best.HaveData, h.dump.ChainTxs)
	}
	if y.Chain.Unvalidated() == "" {
		t.Error("the node may mine before it has checked its history")
	}
	// It follows the tip at once.
	h.give(t, y.Chain, 31, 40)
	expectHeight(t, y.Chain, 40)
	if got, want := muhash(t, y.Chain), muhash(t, h.x.Chain); got != want {
		t.Errorf("coins differ before the check: %+v, %+v", got, want)
	}
	// The history comes in any order, with a restart in between.
	h.give(t, y.Chain, 20, 30)
	check(t, y.Chain)
	if b, ok := y.Chain.Background(); !ok || b.Checked.Height != 0 || b.Missing != 1 {
		t.Fatalf("background %+v, %v", b, ok)
	}
	h.give(t, y.Chain, 1, 9)
	check(t, y.Chain)
	y.Close()
	y.Open()
	if b, ok := y.Chain.Background(); !ok || b.Checked.Height != 9 || b.Missing != 10 {
		t.Fatalf("background after a restart %+v, %v", b, ok)
	}
	expectHeight(t, y.Chain, 40)
	h.give(t, y.Chain, 10, 19)
	check(t, y.Chain)
	if _, ok := y.Chain.Background(); ok || y.Chain.Unvalidated() != "" {
		t.Fatal("the check has not ended")
	}
	for range 2 {
		if got, want := y.Chain.Best(), h.x.Chain.Best(); got.Hash != want.Hash || got.ChainTxs != want.ChainTxs || got.State != chain.StateValid {
			t.Errorf("best block %+v, want %+v", got, want)
		}
		if got, want := muhash(t, y.Chain), muhash(t, h.x.Chain); got != want {
			t.Errorf("coins differ after the check: %+v, %+v", got, want)
		}
		if r, err := y.Chain.VerifyChain(context.Background(), chain.VerifyConnect, 0, nil); err != nil || !r.Complete || r.Blocks != 40 {
			t.Errorf("verify chain: %+v, %v", r, err)
		}
		y.Close()
		y.Open()
	}
	// Nothing of it is special any more: it goes back below the base.
	if err := y.Chain.Invalidate(context.Background(), h.blocks[25].Hash); err != nil {
		t.Fatal(err)
	}
	expectHeight(t, y.Chain, 24)
}

func TestSnapshotRefused(t *testing.T) {
	h := newHistory(t, 12, 3)
	ctx := context.Background()
	other := h.dump.Digest
	other[0] ^= 1
	pinned := chaintest.Params(chaintest.ChainFile + fmt.Sprintf("[[snapshot]]\nheight = 12\ndigest = \"%x\"\n", h.dump.Digest))
	wrongPin := chaintest.Params(chaintest.ChainFile + fmt.Sprintf("[[snapshot]]\nheight = 12\ndigest = \"%x\"\n", other))
	foreign := chaintest.Params(strings.Replace(chaintest.ChainFile, "1700000000", "1700000001", 1))
	tests := []struct {
		name string
		opts chaintest.Options
		want *[32]byte
		file []byte
		give int // blocks that are here before
		text string
	}{
		{name: "no digest", text: "no [[snapshot]]"},
		{name: "another digest", want: &other, text: "not the one that is trusted"},
		{name: "chain file", opts: chaintest.Options{Params: pinned}},
		{name: "chain file with another digest", opts: chaintest.Options{Params: wrongPin}, text: "not the one that is trusted"},
		{name: "chain file against operator", opts: chaintest.Options{Params: wrongPin}, want: &h.dump.Digest, text: "the chain file trusts"},
		{name: "another chain", opts: chaintest.Options{Params: foreign}, want: &h.dump.Digest, text: "another chain"},
		{name: "nothing to gain", want: &h.dump.Digest, give: 12, text: "nothing to gain"},
		{name: "some blocks behind", want: &h.dump.Digest, give: 9}, // their coins are spent meanwhile
		{name: "cut off", want: &h.dump.Digest, file: h.file[:len(h.file)-1], text: "cut off"},
		{name: "longer", want: &h.dump.Digest, file: append(bytes.Clone(h.file), 0), text: "behind the end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y := chaintest.New(t, test.opts)
			if test.give > 0 {
				h.give(t, y.Chain, 1, test.give)
			}
			before := muhash(t, y.Chain)
			file := test.file
			if file == nil {
				file = h.file
			}
			_, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(file), test.want)
			if test.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				expectHeight(t, y.Chain, 12)
				if got := muhash(t, y.Chain); got.MuHash != h.dump.MuHash || y.Chain.Stats().Coins != got.Coins || y.Chain.Stats().Total != got.Total {
					t.Errorf("coins %+v, stats %+v, dumped %+v", got, y.Chain.Stats(), h.dump)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("error %v, want %q", err, test.text)
			}
			if _, ok := y.Chain.Background(); ok || muhash(t, y.Chain) != before {
				t.Error("something has changed")
			}
			expectHeight(t, y.Chain, test.give)
			y.Close()
			y.Open()
			expectHeight(t, y.Chain, test.give)
		})
	}
}

// TestSnapshotWhileUnchecked: what must not be done before the check has ended.
func TestSnapshotWhileUnchecked(t *testing.T) {
	h := newHistory(t, 12, 6)
	ctx := context.Background()
	y := h.load(t, chaintest.Options{})
	h.give(t, y.Chain, 13, 18)
	if _, err := y.Chain.DumpSnapshot(ctx, &bytes.Buffer{}); !errors.Is(err, chain.ErrSnapshotRefused) {
		t.Errorf("dump: %v", err)
	}
	if _, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(h.file), &h.dump.Digest); !errors.Is(err, chain.ErrSnapshotRefused) {
		t.Errorf("second load: %v", err)
	}
	for _, height := range []int{12, 5} {
		if err := y.Chain.Invalidate(ctx, h.blocks[height].Hash); !errors.Is(err, chain.ErrBelowSnapshot) {
			t.Errorf("invalidate height %d: %v", height, err)
		}
	}
	if r, err := y.Chain.VerifyChain(ctx, chain.VerifyConnect, 0, nil); err != nil || !r.AtSnapshot || r.Fault != nil || r.Blocks != 6 || r.Complete {
		t.Errorf("verify chain: %+v, %v", r, err)
	}
	// A reorganisation above the base is as ever.
	if err := y.Chain.Invalidate(ctx, h.blocks[13].Hash); err != nil {
		t.Fatal(err)
	}
	expectHeight(t, y.Chain, 12)
	if err := y.Chain.Reconsider(ctx, h.blocks[13].Hash); err != nil {
		t.Fatal(err)
	}
	expectHeight(t, y.Chain, 18)
	// A branch with more work that leaves below the base waits for the check.
	h.x.On("b10")
	for i := range 10 {
		b := h.x.Next(fmt.Sprint("fork", i)).Block
		if _, err := h.x.Chain.AcceptBlock(ctx, b); err != nil {
			t.Fatal(err)
		}
		if _, err := y.Chain.AcceptBlock(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	expectHeight(t, y.Chain, 18)
	h.give(t, y.Chain, 1, 10)
	expectHeight(t, y.Chain, 18)
	last := h.x.Next("fork10").Block
	if _, err := y.Chain.AcceptBlock(ctx, last); !errors.Is(err, chain.ErrBelowSnapshot) || consensus.AsRule(err) != nil {
		t.Errorf("block of the other branch: %v", err)
	}
	if _, err := h.x.Chain.AcceptBlock(ctx, last); err != nil {
		t.Fatal(err)
	}
	y.Close()
	y.Open()
	expectHeight(t, y.Chain, 18)
	h.give(t, y.Chain, 11, 12)
	check(t, y.Chain)
	if got, want := y.Chain.Best().Hash, h.x.Chain.Best().Hash; got != want {
		t.Errorf("after the check: best block %v, want %v", got, want)
	}
	if got, want := muhash(t, y.Chain), muhash(t, h.x.Chain); got != want {
		t.Error("coins differ")
	}
}
