package chain_test

import (
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestAheadWaiters: blocks whose parents have not come take half of the
// window at most, so that those whose turn it is find room; and they have
// their turn as soon as a parent is connected, though the window is full.
func TestAheadWaiters(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	fuzzBase(h)
	blocks, _ := spendingChain(h, 6)
	_, ahead := watched(t, h)
	h.Chain.SetAheadLimit(4 * 256 << 10)
	offer := func(b *consensus.Block, want bool) {
		t.Helper()
		if got := h.Chain.Ahead(b, nil); got != want {
			t.Errorf("room: %v", got)
		}
	}
	accept := func(b *consensus.Block, want int) {
		t.Helper()
		if _, err := h.Chain.AcceptBlock(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if got := ahead(); got != want {
			t.Errorf("%d blocks were checked ahead, want %d", got, want)
		}
	}
	offer(blocks[2], true)
	offer(blocks[1], true)
	offer(blocks[3], false) // half of the window waits
	tip := h.Block("b4").Hash
	for _, b := range []*consensus.Block{h.Make(tip), h.Make(tip)} {
		offer(b, true) // their parent is there
	}
	offer(blocks[0], false) // the window is full
	accept(blocks[0], 0)
	offer(blocks[5], false) // no room, but the two that waited have their turn
	accept(blocks[1], 1)
	accept(blocks[2], 2)
	offer(blocks[3], true)
	offer(blocks[4], true)
	accept(blocks[3], 3)
	accept(blocks[4], 4)
}

// TestAheadTooLate: a block that is handed ahead when the chain knows what
// becomes of it is not kept.
func TestAheadTooLate(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	fuzzBase(h)
	blocks, _ := spendingChain(h, 2)
	bad := h.Make(blocks[0].Hash, chaintest.Change(func(d *chaintest.Draft) { d.Fees++ }))
	if _, err := h.Chain.AcceptBlock(t.Context(), blocks[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Chain.AcceptBlock(t.Context(), bad); consensus.AsRule(err) == nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*consensus.Block{"connected": blocks[0], "invalid": bad} {
		if !h.Chain.Ahead(b, nil) || h.Chain.AheadBlocks() != 0 {
			t.Errorf("%s: %d blocks are looked at", name, h.Chain.AheadBlocks())
		}
	}
	if !h.Chain.Ahead(blocks[1], nil) || h.Chain.AheadBlocks() != 1 {
		t.Error("the next block is not looked at")
	}
}

// TestAheadSigOps: the scripts of a block that has more signature operations
// than a block may have are not run, ahead or later: that could take for ever.
func TestAheadSigOps(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	fuzzBase(h)
	h.Params.Limits.BlockSigOpCost = 2
	blocks, _ := spendingChain(h, 2) // of 2, and of 3
	checker, ahead := watched(t, h)
	for _, b := range blocks {
		h.Chain.Ahead(b, nil)
	}
	if _, err := h.Chain.AcceptBlock(t.Context(), blocks[0]); err != nil || ahead() != 1 {
		t.Fatalf("the first: %v, %d checked ahead", err, ahead())
	}
	before := checker.Checked()
	_, err := h.Chain.AcceptBlock(t.Context(), blocks[1])
	if rule := consensus.AsRule(err); rule == nil || rule.Rule != consensus.RuleBlockSigOps {
		t.Fatalf("the second: %v", err)
	}
	if got := checker.Checked(); before != 3 || got != before {
		t.Errorf("%d inputs were checked, then %d", before, got)
	}
}
