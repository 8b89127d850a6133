package chain

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/utxo"
)

// Params returns the chain's parameters.
func (c *Chain) Params() *params.Params { return c.p }

// Best returns the best block.
func (c *Chain) Best() BlockInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.infoLocked(c.tip())
}

// BestHeader returns the header with the most work; its body, and those of
// its ancestors, may not be here yet.
func (c *Chain) BestHeader() BlockInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.infoLocked(c.bestHeader)
}

// Lookup returns the block with that hash, on whichever branch.
func (c *Chain) Lookup(hash chainhash.Hash) (BlockInfo, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.index[hash]
	if n == nil {
		return BlockInfo{}, false
	}
	return c.infoLocked(n), true
}

// AtHeight returns the block at height on the best branch.
func (c *Chain) AtHeight(height int32) (BlockInfo, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if height < 0 || int(height) >= len(c.best) {
		return BlockInfo{}, false
	}
	return c.infoLocked(c.best[height]), true
}

// Ancestor returns the block at height on the branch that ends in hash.
func (c *Chain) Ancestor(hash chainhash.Hash, height int32) (BlockInfo, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a := c.index[hash].ancestor(height)
	if a == nil {
		return BlockInfo{}, false
	}
	return c.infoLocked(a), true
}

// Ancestry returns the best branch for the rules that look back. It stays
// what it was when the best branch changes.
func (c *Chain) Ancestry() consensus.Ancestry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tip()
}

func (c *Chain) info(n *node) BlockInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.infoLocked(n)
}

func (c *Chain) infoLocked(n *node) BlockInfo {
	info := BlockInfo{
		Hash:       n.hash,
		Header:     n.header,
		Height:     n.height,
		Work:       n.work,
		MedianTime: n.medianTime(),
		State:      n.state(),
		HaveData:   n.status&statusData != 0,
		Pruned:     n.status&statusPruned != 0,
		OnBest:     c.onBest(n),
		Unchecked:  c.belowSnapshot(n),
		TxCount:    int(n.txCount),
		ChainTxs:   n.chainTxs,
	}
	if s := n.seal; s != nil {
		info.Sealed, info.Sealer, info.SealKey, info.Restart, info.Undecided = true, s.member, s.key, s.restart, n.unnamed()
	}
	if info.OnBest && int(n.height)+1 < len(c.best) {
		next := c.best[n.height+1].hash
		info.Next = &next
	}
	return info
}

// Tips returns the leaves of the block tree and the best block.
func (c *Chain) Tips() []Tip {
	c.mu.RLock()
	defer c.mu.RUnlock()
	hasChild := make(map[*node]bool, len(c.index))
	for _, n := range c.index {
		if !n.undecided() || n.txCount > 0 {
			hasChild[n.parent] = true
		}
	}
	var tips []Tip
	for _, n := range c.index {
		if hasChild[n] && n != c.tip() || n.undecided() && n.txCount == 0 {
			continue
		}
		t := Tip{BlockInfo: c.infoLocked(n), BranchLen: n.height - fork(n, c.tip()).height}
		switch {
		case n == c.tip():
			t.Status = "active"
		case n.failed():
			t.Status = "invalid"
		case n.chainTxs == 0:
			t.Status = "headers-only"
		case n.status&statusValid != 0:
			t.Status = "valid-fork"
		default:
			t.Status = "valid-headers"
		}
		tips = append(tips, t)
	}
	return tips
}

// ReadRawBlock returns the encoded block. ErrUnknownBlock, ErrNoData.
func (c *Chain) ReadRawBlock(hash chainhash.Hash) ([]byte, error) {
	c.mu.RLock()
	n := c.index[hash]
	c.mu.RUnlock()
	if n == nil {
		return nil, fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	}
	return c.readRaw(n)
}

func (c *Chain) readRaw(n *node) ([]byte, error) {
	c.mu.RLock()
	have, loc, missing := n.status&statusData != 0, n.data, n.noDataLocked()
	c.mu.RUnlock()
	if !have {
		return nil, fmt.Errorf("block %v at height %d: %w", n.hash, n.height, missing)
	}
	raw, err := c.store.ReadBlock(loc, n.hash)
	if err != nil && !c.still(n, statusData) {
		err = ErrPruned
	}
	if err != nil {
		return nil, fmt.Errorf("block %v at height %d: %w", n.hash, n.height, err)
	}
	return raw, nil
}

// ReadBlock returns the decoded block. ErrUnknownBlock, ErrNoData.
func (c *Chain) ReadBlock(hash chainhash.Hash) (*consensus.Block, error) {
	c.mu.RLock()
	n := c.index[hash]
	c.mu.RUnlock()
	if n == nil {
		return nil, fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	}
	return c.readBody(n)
}

func (c *Chain) readBody(n *node) (*consensus.Block, error) {
	raw, err := c.readRaw(n)
	if err != nil {
		return nil, err
	}
	b, err := consensus.DecodeBlock(raw, &c.p.Limits)
	if err != nil {
		return nil, fmt.Errorf("stored block %v: %w", n.hash, err)
	}
	return b, nil
}

// ReadSpent returns the coins that the inputs of a block spent, one slice
// per transaction after the coinbase. ErrNoData for a block that was never
// connected.
func (c *Chain) ReadSpent(hash chainhash.Hash) ([][]consensus.Coin, error) {
	b, err := c.ReadBlock(hash)
	if err != nil {
		return nil, err
	}
	c.mu.RLock()
	n := c.index[hash]
	c.mu.RUnlock()
	if n.parent == nil {
		return nil, nil
	}
	return c.loadUndo(n, b)
}

// Coin returns an unspent output as of the best block.
func (c *Chain) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	return c.cache.Coin(op)
}

// EachCoin flushes, then calls fn for every unspent output in order of
// transaction id and index, as of the block that it returns. Validation
// goes on meanwhile.
func (c *Chain) EachCoin(ctx context.Context, fn func(wire.OutPoint, consensus.Coin) error) (BlockInfo, error) {
	if err := c.Flush(ctx); err != nil {
		return BlockInfo{}, err
	}
	snap, err := c.store.Snapshot()
	if err != nil {
		return BlockInfo{}, err
	}
	defer snap.Release()
	row, _ := snap.Best()
	info, ok := c.Lookup(row.Best)
	if !ok {
		return BlockInfo{}, fmt.Errorf("committed best block %v: %w", chainhash.Hash(row.Best), ErrUnknownBlock)
	}
	err = utxo.EachCoin(snap, func(op wire.OutPoint, coin consensus.Coin) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(op, coin)
	})
	return info, err
}

// Stats describe the UTXO set and its cache.
type Stats struct {
	Coins      int64 // unspent outputs as of the best block
	Total      int64 // their amounts, smallest unit
	CacheBytes int64
	CacheCoins int
}

// Stats returns the size of the UTXO set as of the best block.
func (c *Chain) Stats() Stats {
	s := c.cache.Stats()
	return Stats{Coins: s.Coins, Total: s.Total, CacheBytes: c.cache.Size(), CacheCoins: c.cache.Entries()}
}

// Locator returns hashes of the branch that ends in from, or of the best
// branch when from is not known: the last ten, then ever further apart,
// down to genesis.
func (c *Chain) Locator(from chainhash.Hash) []chainhash.Hash {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.index[from]
	if n == nil {
		n = c.tip()
	}
	var hashes []chainhash.Hash
	step := int32(1)
	for n.height > 0 {
		hashes = append(hashes, n.hash)
		if len(hashes) >= 10 {
			step *= 2
		}
		n = n.ancestor(max(0, n.height-step))
	}
	return append(hashes, n.hash)
}

// HeadersAfter returns up to limit headers of the best branch that follow
// the first hash of the locator that is on it (genesis if none is), up to
// and with stop. Where the locator is empty it returns the header of stop.
func (c *Chain) HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, limit int) []wire.BlockHeader {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(locator) == 0 {
		if n := c.index[stop]; n != nil && limit > 0 {
			return []wire.BlockHeader{n.header}
		}
		return nil
	}
	start := int32(0)
	for _, hash := range locator {
		if n := c.index[hash]; n != nil {
			if c.onBest(n) {
				start = n.height
				break
			}
			if f := fork(n, c.tip()); f.height > start {
				start = f.height // a branch of ours that lost: go on where it forks
				break
			}
		}
	}
	var headers []wire.BlockHeader
	for h := int(start) + 1; h < len(c.best) && len(headers) < limit; h++ {
		headers = append(headers, c.best[h].header)
		if c.best[h].hash == stop {
			break
		}
	}
	return headers
}

// Next returns what a block on top of the best one must fit.
func (c *Chain) Next() NextBlock {
	c.mu.RLock()
	tip := c.tip()
	info := c.infoLocked(tip)
	perm := c.stateAfterLocked(tip)
	c.mu.RUnlock()
	height := tip.height + 1
	return NextBlock{
		Prev:       info,
		Height:     height,
		MedianTime: info.MedianTime.Unix(),
		MinTime:    consensus.MinTime(tip, c.p),
		Bits:       func(t uint32) uint32 { return consensus.NextBits(tip, t, c.p) },
		Flags:      consensus.ScriptFlags(height, chainhash.Hash{}, c.p),
		Subsidy:    consensus.Subsidy(height, c.p),

		Permissions: perm,
	}
}

// syncGap is how many stored blocks may wait to be connected before the
// chain counts as catching up.
const syncGap = 6

// InitialSync reports whether many blocks are stored that are better than
// the best block and not connected yet: after a rebuild of the chain state,
// or when blocks arrive faster than they are checked. Headers alone do not
// count: nobody may ever have their bodies.
func (c *Chain) InitialSync() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.sealed() {
		return c.pickSealed(c.tip()).height > c.tip().height+syncGap
	}
	for n := range c.candidates {
		if n.height > c.tip().height+syncGap && c.rivals(n, c.tip()) {
			return true
		}
	}
	return false
}
