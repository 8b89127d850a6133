package chain

import (
	"testing"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
)

// TestAheadCountsScripts: scripts of the coins that a block spends can be
// larger than the block. The window counts them once they are known.
func TestAheadCountsScripts(t *testing.T) {
	l := newLookahead(0)
	e := &expected{block: &consensus.Block{}, cost: aheadPerBlock}
	l.blocks[e.block.Hash], l.bytes, l.waiting = e, e.cost, e.cost
	l.claimLocked(e)
	for range 100 {
		e.spends = append(e.spends, sigcheck.Spend{Coins: []consensus.Coin{{Script: make([]byte, 10_000)}, {Script: make([]byte, 34)}}})
	}
	if !l.keep(e, nil) || l.bytes != aheadPerBlock+100*(10_000-usualScript) || l.waiting != 0 {
		t.Errorf("%d bytes, %d wait", l.bytes, l.waiting)
	}
	l.close()
	if l.bytes != 0 || l.waiting != 0 {
		t.Errorf("%d bytes of an empty window, %d wait", l.bytes, l.waiting)
	}
	if l.keep(e, nil) || l.bytes != 0 {
		t.Error("a block that has left is counted")
	}
}
