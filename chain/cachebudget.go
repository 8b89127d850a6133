package chain

import "context"

// SetCacheBytes changes the budget of the UTXO cache, and flushes if it is
// over that.
func (c *Chain) SetCacheBytes(ctx context.Context, n int64) error {
	c.change.Lock()
	c.cache.SetBudget(n)
	over := c.cache.OverBudget()
	c.change.Unlock()
	if !over {
		return nil
	}
	return c.Flush(ctx)
}
