package p2ptest

import "github.com/btcsuite/btcd/chainhash/v2"

// hintBook is what a Chain knows of hints. Guarded by Chain.mu.
type hintBook struct {
	proven  map[chainhash.Hash][]byte
	wanted  map[chainhash.Hash]int
	offered map[chainhash.Hash][]byte
}

func newHintBook() hintBook {
	return hintBook{make(map[chainhash.Hash][]byte), make(map[chainhash.Hash]int), make(map[chainhash.Hash][]byte)}
}

// SetHints lets the hints of a block be known; nil: not any more.
func (c *Chain) SetHints(hash chainhash.Hash, hints []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hints.proven[hash] = hints
}

// Offered returns the hints that came with a block.
func (c *Chain) Offered(hash chainhash.Hash) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hints.offered[hash]
}

// Wanted returns how often a peer asked for hints that were not known.
func (c *Chain) Wanted(hash chainhash.Hash) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hints.wanted[hash]
}

// Hints implements p2p.Chain, as do the methods below.
func (c *Chain) Hints(hash chainhash.Hash) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hints.proven[hash]
	return h, h != nil
}

func (c *Chain) WantHints(hash chainhash.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hints.wanted[hash]++
}

func (c *Chain) OfferHints(hash chainhash.Hash, hints []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hints.offered[hash] = hints
}
