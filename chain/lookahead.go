package chain

import (
	"hash/maphash"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
)

// Blocks that will be connected soon are looked at ahead: the rules that need
// no coins, the coins that they spend, and the scripts, which are queued at the
// Checker. Connecting goes on one block after the other by all its rules, and
// then waits for what was queued.
//
// That is sound because a coin's amount and script are committed to by the
// transaction id in its outpoint, so whether the scripts of a transaction pass
// depends on the transaction and on the flags, never on the state of the chain:
// it does not matter in which block, and on which branch, an output was found.
// (Two transactions with one id, as the coinbases that BIP30 excepts, have the
// same outputs.) Connecting compares all the same, which costs next to nothing.
// Whether a coin exists, is mature and unlocked is only judged then.
//
// What was found ahead can only say that all scripts of a block pass. If it says
// anything else, or there is nothing, connecting has them checked: so the
// outcome, and which failure is named, is the same with it and without.

// The window of blocks that are looked at ahead, in bytes of memory.
const (
	aheadShare = 3        // this part of Config.CacheBytes,
	aheadLeast = 16 << 20 // but not less
	aheadMost  = 96 << 20 // and not more

	// aheadPerBlock is counted for each block at least, so that there are not
	// too many.
	aheadPerBlock = 256 << 10

	// aheadStale is after how many other blocks one that was not connected
	// makes way for others.
	aheadStale = 64

	// aheadWaiting is the part of the window that blocks may take whose
	// parents have not come: those whose turn it is always have the rest.
	aheadWaiting = 2
)

// lookahead holds the blocks that are looked at ahead. Its lock may be held
// while Chain.mu is taken, not the other way round.
type lookahead struct {
	seed maphash.Seed

	mu       sync.Mutex
	limit    int64 // bytes
	blocks   map[chainhash.Hash]*expected
	bytes    int64
	waiting  int64 // those of blocks that nobody has claimed
	connects int64 // blocks that were connected
}

// expected is a block in the window. Fields above the line do not change; those
// below are guarded by lookahead.mu, apart from what is said of them.
type expected struct {
	block   *consensus.Block
	hints   sigcheck.Hints
	index   *txIndex
	scripts bool // are to be checked: the block was not valid before

	cost    int64 // bytes of memory, about
	height  int32 // known once it is claimed
	since   int64 // lookahead.connects when it came
	claimed bool  // somebody looks for its coins, or has
	dropped bool
	done    chan struct{} // closed when that has ended; what follows does not change then
	flags   txscript.ScriptFlags
	spends  []sigcheck.Spend
	pending *sigcheck.Pending // nil: not all coins were found
}

func newLookahead(cacheBytes int64) *lookahead {
	l := &lookahead{seed: maphash.MakeSeed(), blocks: make(map[chainhash.Hash]*expected)}
	l.share(cacheBytes)
	return l
}

// share sets the limit to its part of Config.CacheBytes.
func (l *lookahead) share(cacheBytes int64) {
	l.setLimit(min(max(cacheBytes/aheadShare, aheadLeast), aheadMost))
}

func (l *lookahead) setLimit(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = bytes
}

// most is the limit of the window in bytes.
func (l *lookahead) most() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

// Ahead says that b is expected to be connected soon, and has its coins looked
// up and its scripts checked beside what goes on. It is a matter of speed only:
// no verdict depends on it. It takes part in the work, never waits for the
// chain, and may be called from any goroutine and in any order: a block waits
// for its parent. hints are those of b's signatures, nil if none are known.
//
// It returns false if there is no room for b among the blocks that are looked
// at ahead: the caller may try again when one of them was connected.
func (c *Chain) Ahead(b *consensus.Block, hints sigcheck.Hints) bool {
	return c.expect(b, hints, true)
}

// expect is Ahead. Without scripts only the coins are looked up, which then
// are in memory when b is connected.
func (c *Chain) expect(b *consensus.Block, hints sigcheck.Hints, scripts bool) bool {
	l := c.lookahead
	if !l.has(b.Hash) {
		if consensus.CheckHeader(&b.Header, c.p) != nil || consensus.CheckBlock(b, c.p) != nil {
			return true // AcceptBlock will say so
		}
		consensus.Prepare(b, c.p)
		e := &expected{
			block: b, hints: hints, scripts: scripts, index: newTxIndex(l.seed, b.Txs),
			cost: memoryOf(b), height: -1, done: make(chan struct{}),
		}
		if !l.add(e, c) {
			c.findClaimed()
			return false
		}
	}
	c.findClaimed()
	return true
}

// findClaimed finds the coins of the blocks whose turn it is.
func (c *Chain) findClaimed() {
	for e := c.lookahead.claim(c); e != nil; e = c.lookahead.claim(c) {
		c.findCoins(e)
	}
}

// memoryOf is about what b takes of memory, with all that is kept of it in the
// window.
func memoryOf(b *consensus.Block) int64 {
	const perTx, perInput = 100, 150 // for the index, and for coins and their places in the queue
	n := b.Memory()
	for _, tx := range b.Txs {
		n += perTx + perInput*int64(len(tx.Msg.TxIn))
	}
	return max(n, aheadPerBlock)
}

func (l *lookahead) has(hash chainhash.Hash) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blocks[hash] != nil
}

// add makes e part of the window, if there is room, unless the chain knows
// already what becomes of it.
func (l *lookahead) add(e *expected, c *Chain) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blocks[e.block.Hash] != nil {
		return true // came twice
	}
	c.mu.RLock()
	n := c.index[e.block.Hash]
	over, turn := n != nil && (n.failed() || c.onBest(n)), l.heightLocked(c, e) >= 0
	c.mu.RUnlock()
	if over {
		return true
	}
	if !l.fitsLocked(e, turn) {
		l.makeRoomLocked(c)
	}
	if !l.fitsLocked(e, turn) && len(l.blocks) > 0 {
		return false
	}
	e.since = l.connects
	l.blocks[e.block.Hash] = e
	l.bytes += e.cost
	l.waiting += e.cost
	return true
}

// fitsLocked reports whether there is room for e. turn: it can be claimed.
func (l *lookahead) fitsLocked(e *expected, turn bool) bool {
	return l.bytes+e.cost <= l.limit && (turn || l.waiting+e.cost <= l.limit/aheadWaiting)
}

// makeRoomLocked drops what will not be connected soon: blocks of which the
// chain knows the outcome, and those that waited for long.
func (l *lookahead) makeRoomLocked(c *Chain) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for hash, e := range l.blocks {
		n := c.index[hash]
		if l.connects-e.since > aheadStale || n != nil && (n.failed() || c.onBest(n) || n.height <= c.tip().height) {
			l.removeLocked(e)
		}
	}
}

// claim returns a block of the window whose turn it is to have its coins looked
// up, nil if there is none: its parent is connected, or its parent's turn has
// come before, so that the coins it spends can be found. The lowest comes first.
func (l *lookahead) claim(c *Chain) *expected {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first *expected
	c.mu.RLock()
	for _, e := range l.blocks {
		if e.claimed {
			continue
		}
		if height := l.heightLocked(c, e); height >= 0 && (first == nil || height < first.height) {
			e.height = height
			first = e
		}
	}
	c.mu.RUnlock()
	if first != nil {
		l.claimLocked(first)
	}
	return first
}

func (l *lookahead) claimLocked(e *expected) {
	e.claimed = true
	l.waiting -= e.cost
}

// heightLocked returns the height of e, -1 if it is not its turn.
// Chain.mu held too.
func (l *lookahead) heightLocked(c *Chain, e *expected) int32 {
	prev := e.block.Header.PrevBlock
	if parent := l.blocks[prev]; parent != nil {
		if parent.claimed {
			return parent.height + 1
		}
		return -1
	}
	if n := c.index[prev]; n != nil && c.onBest(n) {
		return n.height + 1
	}
	return -1
}

// window returns the blocks that are in it, e first.
func (l *lookahead) window(e *expected) []*txIndex {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*txIndex, 1, len(l.blocks)+1)
	list[0] = e.index
	for _, other := range l.blocks {
		if other != e {
			list = append(list, other.index)
		}
	}
	return list
}

// findCoins finds the coins of e, and queues its scripts if all are there. Blocks
// leave the window only after their coins can be seen in the cache, so those
// have to be looked for in this order.
func (c *Chain) findCoins(e *expected) {
	defer close(e.done)
	window := c.lookahead.window(e)
	e.flags = consensus.ScriptFlags(e.height, e.block.Hash, c.p)
	wanted := newWantedCoins(e.block)
	wanted.fromBlocks(c.lookahead.seed, window)
	if !wanted.fromCache(c.cache) || !e.scripts {
		return
	}
	e.spends = wanted.spends(e.block)
	if !c.sigOpsFit(e) {
		return
	}
	pending := c.cfg.Checker.Begin(e.spends, e.flags, c.hintsFor(e.block.Hash, e.hints))
	if !c.lookahead.keep(e, pending) {
		pending.Abandon()
	}
}

// sigOpsFit reports whether e has no more signature operations than a block may
// have. Connecting refuses it otherwise, and its scripts could take for ever.
func (c *Chain) sigOpsFit(e *expected) bool {
	cost := consensus.SigOpCost(e.block.Txs[0], nil, e.flags)
	for i := range e.spends {
		if cost += consensus.SigOpCost(e.spends[i].Tx, e.spends[i].Coins, e.flags); cost > c.p.Limits.BlockSigOpCost {
			return false
		}
	}
	return cost <= c.p.Limits.BlockSigOpCost
}

// keep notes what was begun for e; false: e is not in the window any more.
func (l *lookahead) keep(e *expected, pending *sigcheck.Pending) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.dropped {
		return false
	}
	e.pending = pending
	more := scriptBytes(e.spends)
	e.cost += more
	l.bytes += more
	return true
}

// usualScript is how many bytes of a coin's script memoryOf counts.
const usualScript = 64

// scriptBytes is how many bytes the scripts of the coins take beyond what
// memoryOf counts, which does not know them.
func scriptBytes(spends []sigcheck.Spend) (n int64) {
	for i := range spends {
		for j := range spends[i].Coins {
			n += max(0, int64(len(spends[i].Coins[j].Script))-usualScript)
		}
	}
	return n
}

// begun returns the check of the scripts of n that was begun ahead with flags
// and these spends, nil if there is none. It waits for a search for its coins
// that is under way.
func (l *lookahead) begun(n *node, flags txscript.ScriptFlags, spends []sigcheck.Spend) *sigcheck.Pending {
	l.mu.Lock()
	e := l.blocks[n.hash]
	if e != nil && !e.claimed {
		l.claimLocked(e) // too late: the caller has the coins
		e.height = n.height
		close(e.done)
	}
	l.mu.Unlock()
	if e == nil {
		return nil
	}
	<-e.done
	if e.pending == nil || e.flags != flags || !sameSpends(e.spends, spends) {
		return nil
	}
	return e.pending
}

// sameSpends reports whether a and b are the same transactions with the same
// coins, as far as scripts see them.
func sameSpends(a, b []sigcheck.Spend) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Tx.WTxID != b[i].Tx.WTxID || len(a[i].Coins) != len(b[i].Coins) {
			return false
		}
		for j := range a[i].Coins {
			x, y := &a[i].Coins[j], &b[i].Coins[j]
			if x.Amount != y.Amount || string(x.Script) != string(y.Script) {
				return false
			}
		}
	}
	return true
}

// drop takes blocks out of the window: they were refused, or are not expected
// any more. What is queued of them is given up.
func (l *lookahead) drop(hashes ...chainhash.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, hash := range hashes {
		if e := l.blocks[hash]; e != nil {
			l.removeLocked(e)
		}
	}
}

// connected takes a block out of the window that is on the best branch now.
func (l *lookahead) connected(hash chainhash.Hash) {
	l.drop(hash)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connects++
}

// close empties the window.
func (l *lookahead) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.blocks {
		l.removeLocked(e)
	}
}

func (l *lookahead) removeLocked(e *expected) {
	delete(l.blocks, e.block.Hash)
	l.bytes -= e.cost
	if !e.claimed {
		l.waiting -= e.cost
	}
	e.dropped = true
	if e.pending != nil {
		e.pending.Abandon() // does nothing where all is checked
	}
}
