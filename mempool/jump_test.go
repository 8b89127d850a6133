package mempool

import (
	"testing"

	"github.com/charterchain/charter/chain"
)

// A UTXO snapshot takes the place of the coins by which the pool has judged:
// everything leaves, children first, and new transactions are judged at once.
func TestJump(t *testing.T) {
	w := newWorld(t)
	parent := spend(1000, 1, w.coin(1e8))
	child := spend(1000, 1, outputOf(parent, 0))
	w.accept(parent, child)
	w.log = nil
	b := w.chain.make()
	info := chain.BlockInfo{Hash: b.Hash, Header: b.Header, Height: w.chain.Next().Height}
	w.pool.HandleEvent(chain.Event{Kind: chain.Jumped, Info: info})
	w.pool.HandleEvent(chain.Event{Kind: chain.Settled, Info: info})
	w.expectPool()
	w.expectEvents(
		TxEvent{Kind: Removed, Tx: child, Reason: ReasonReorg},
		TxEvent{Kind: Removed, Tx: parent, Reason: ReasonReorg},
	)
	if w.pool.tip != b.Hash {
		t.Error("the pool waits for another block")
	}
}
