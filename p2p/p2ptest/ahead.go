package p2ptest

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// AheadRoom is how many blocks a Chain prepares at a time.
const AheadRoom = 4

// aheadBook notes the blocks that were shown ahead of their turn.
type aheadBook struct {
	shown    map[chainhash.Hash]bool
	prepared int // blocks that were accepted after they were shown
}

// Ahead implements p2p.Chain.
func (c *Chain) Ahead(b *consensus.Block) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ahead.shown) >= AheadRoom && !c.ahead.shown[b.Hash] {
		return false
	}
	if c.ahead.shown == nil {
		c.ahead.shown = make(map[chainhash.Hash]bool)
	}
	c.ahead.shown[b.Hash] = true
	return true
}

// Prepared returns how many blocks were accepted after they had been shown.
func (c *Chain) Prepared() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead.prepared
}

// taken notes that a block is judged.
func (a *aheadBook) taken(hash chainhash.Hash) {
	if a.shown[hash] {
		delete(a.shown, hash)
		a.prepared++
	}
}
