package chain

import "context"

// Config.CacheBytes is for the coins of the tip and, while there is one, for
// the check of the history below a UTXO snapshot.
const (
	// checkShare is which part of it the check may take, up to checkMost. At
	// most one part in checkDBShare of that, and checkDBMost, is for its
	// database (which never takes less than 3 MiB).
	checkShare   = 2
	checkMost    = 512 << 20
	checkDBShare = 8
	checkDBMost  = 16 << 20

	// checkCopies: of what is left the cache gets one part. A flush of it
	// copies the half that may have changed twice, into the batch and into
	// the database's memory, while the cache is still full.
	checkCopies = 2
)

// cacheShares are parts of Config.CacheBytes, in bytes.
type cacheShares struct {
	tip   int64 // cache of the coins of the tip
	check int64 // cache of the coins of the check
}

// checkDatabase is the memory of the database of the check, within total.
func checkDatabase(total int64) int64 {
	return min(checkPart(total)/checkDBShare, checkDBMost)
}

func checkPart(total int64) int64 { return min(total/checkShare, checkMost) }

// shareCache divides total while a check is under way whose database takes
// database bytes.
func shareCache(total, database int64) cacheShares {
	part := checkPart(total)
	return cacheShares{tip: total - part, check: max(part-database, 0) / checkCopies}
}

// divideCache gives each cache its part of Config.CacheBytes: the cache of the
// tip all of it, where nothing is to be checked. change held, or the chain not
// shared yet.
func (c *Chain) divideCache() {
	if c.snap == nil {
		c.cache.SetBudget(c.cfg.CacheBytes)
		return
	}
	shares := shareCache(c.cfg.CacheBytes, c.snap.dbBytes)
	c.cache.SetBudget(shares.tip)
	c.snap.cache.SetBudget(shares.check)
}

// SetCacheBytes changes Config.CacheBytes, and flushes if the cache of the
// coins of the tip is over its part of that. The check below a UTXO snapshot
// does so by itself, soon after.
func (c *Chain) SetCacheBytes(ctx context.Context, n int64) error {
	c.change.Lock()
	c.cfg.CacheBytes = n
	c.lookahead.share(n)
	c.divideCache()
	over := c.cache.OverBudget()
	c.change.Unlock()
	c.tellBackground()
	if !over {
		return nil
	}
	return c.Flush(ctx)
}
