package chain

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Precious treats the block as if it had come before all others of equal
// work, until the node restarts or another block is called precious. Work
// decides first, as ever: where another branch has more, or the block is
// invalid, nothing happens now.
func (c *Chain) Precious(ctx context.Context, hash chainhash.Hash) error {
	c.change.Lock()
	defer c.change.Unlock()
	if err := c.failure.get(); err != nil {
		return err
	}
	c.mu.Lock()
	n := c.index[hash]
	if n == nil {
		c.mu.Unlock()
		return fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	}
	if n.work.Cmp(c.tip().work) < 0 {
		c.mu.Unlock()
		return nil
	}
	c.precious++
	n.precious = c.precious
	c.considerLocked(n)
	c.mu.Unlock()
	return c.activateBest(ctx, nil)
}
