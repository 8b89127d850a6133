package chain

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
)

// Bounds of hints.
const (
	MaxHintWork    = maxHintWork
	MaxOffers      = maxOffers
	MaxOfferedSize = maxOfferedSize
)

// HintRowsWaiting reports whether hints of a block wait for the next flush.
func HintRowsWaiting(c *Chain, hash chainhash.Hash) bool { return c.hints.row(hash) != nil }

// PutHints keeps a row of hints, and returns how many bytes wait afterwards.
func PutHints(c *Chain, hash chainhash.Hash, row []byte) (waiting int, err error) {
	err = c.putHints(hash, row)
	c.hints.mu.Lock()
	defer c.hints.mu.Unlock()
	return c.hints.bytes, err
}

// HintBatch is rowBatch.
const HintBatch = rowBatch

// Offers returns how many hints that came with blocks are held, and their bytes.
func Offers(c *Chain) (n, bytes int) {
	c.hints.mu.Lock()
	defer c.hints.mu.Unlock()
	return len(c.hints.offers), c.hints.offered
}

// OfferOf returns the hints that came with a block.
func OfferOf(c *Chain, hash chainhash.Hash) sigcheck.Hints { return c.hints.offerOf(hash) }

// HintsWanted returns how many blocks wait to have their hints made.
func HintsWanted(c *Chain) int {
	c.hintWork.mu.Lock()
	defer c.hintWork.mu.Unlock()
	return len(c.hintWork.queue)
}

// MakeHintsBy is MakeHints with other steps.
func MakeHintsBy(c *Chain, ctx context.Context, hash chainhash.Hash, step int, pause func()) (hints.Frame, error) {
	defer func(n int) { c.hintWork.step = n }(c.hintWork.step)
	c.hintWork.step = step
	return c.makeHints(ctx, hash, pause)
}

// RunHints makes the hints that are wanted as Run does, calls done, and goes on
// until ctx ends.
func RunHints(c *Chain, ctx context.Context, done func()) {
	c.makeWanted(ctx)
	done()
	c.runHints(ctx)
}
