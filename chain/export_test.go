package chain

// VerifyWithin is VerifyChain with less memory for coins.
var VerifyWithin = (*Chain).verify

// CheckHistory is what Run does for the blocks below a UTXO snapshot.
var CheckHistory = (*Chain).checkHistory

// PruneNow is what Run does when the size on disk may be over the target.
var PruneNow = (*Chain).pruneToTarget

// SetMaxUndecided changes the bound of undecided headers.
func (c *Chain) SetMaxUndecided(n int) { c.maxUndecided = n }

// Undecided returns how many undecided headers count for a source.
func (c *Chain) Undecided(source [32]byte) int { return c.undecided[source] }

// CacheBudgets returns the bytes that the caches of the tip and of the check
// below a UTXO snapshot may take, and the database of the check.
func (c *Chain) CacheBudgets() (tip, check, database int64) {
	c.change.Lock()
	defer c.change.Unlock()
	if c.snap != nil {
		check, database = c.snap.cache.Budget(), c.snap.dbBytes
	}
	return c.cache.Budget(), check, database
}

// SetAheadLimit changes the bytes of blocks that are looked at ahead.
func (c *Chain) SetAheadLimit(n int64) { c.lookahead.setLimit(n) }

// AheadBlocks returns how many blocks are looked at ahead.
func (c *Chain) AheadBlocks() int {
	c.lookahead.mu.Lock()
	defer c.lookahead.mu.Unlock()
	return len(c.lookahead.blocks)
}
