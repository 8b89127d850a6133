package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// ErrOtherChain is returned by New for a store that another chain has filled.
var ErrOtherChain = errors.New("the data belongs to another chain")

// load builds the index from the store, adds the records that a killed run
// left without index rows, and moves the committed state to the best
// branch. It runs before the chain is shared.
//
// A lost index is made again from the block files, a lost chain state from
// the genesis block on: dropping either, or both, is all that --reindex and
// --reindex-chainstate do, and a rebuild that was cut short goes on by itself.
func (c *Chain) load(ctx context.Context) error {
	err := c.loadIndex()
	if err != nil {
		return err
	}
	row, committed := c.store.Best()
	genesis := c.index[c.p.GenesisHash]
	if genesis == nil && len(c.index) > 0 {
		return fmt.Errorf("%w: it has no genesis block %v", ErrOtherChain, c.p.GenesisHash)
	}
	if genesis == nil {
		// A new chain, or the whole index is gone: what follows reads the
		// block files.
		genesis = newNode(&c.p.GenesisBlock.Header, c.p.GenesisHash, nil)
		genesis.status = statusValid
		genesis.txCount = int32(len(c.p.GenesisBlock.Transactions)) // even if its record is damaged
		c.index[genesis.hash] = genesis
	}
	// Undo data proves that a block was valid once, by the rules of the
	// program that wrote it. Where nothing is known but the files, scripts
	// are checked again.
	// The same goes for a chain state that was dropped: it may have come from
	// a UTXO snapshot.
	if c.snapRow, err = c.loadSnapshotRow(); err != nil {
		return err
	}
	afterData, afterUndo := c.lastLocations()
	if err := c.recoverRecords(ctx, afterData, afterUndo, committed); err != nil {
		return err
	}
	if !committed {
		return c.loadFromGenesis(ctx, genesis)
	}
	return c.loadCommitted(ctx, genesis, row)
}

// loadCommitted continues at the block of the last commit.
func (c *Chain) loadCommitted(ctx context.Context, genesis *node, row store.CommitRow) error {
	stats, perm, err := c.decodeMeta(row.Meta)
	if err != nil {
		return fmt.Errorf("chain state commit %d: %w", row.Generation, err)
	}
	c.cache = utxo.NewCache(c.store, c.cfg.CacheBytes, stats)
	best := c.index[row.Best]
	if best == nil {
		// The newest rows of the index are damaged: the files hold them all.
		c.log.Warn("the block index lacks the committed best block, all block files are read again", "hash", chainhash.Hash(row.Best))
		if err := c.recoverRecords(ctx, nil, nil, true); err != nil {
			return err
		}
		best = c.index[row.Best]
	}
	if best == nil || best.height != row.Height {
		return &store.DamageError{File: "chainstate", Offset: -1, What: fmt.Sprintf("committed best block %v at height %d is neither in the block index nor in the block files", chainhash.Hash(row.Best), row.Height)}
	}
	if err := c.loadPermissions(best, perm); err != nil {
		return err
	}
	return c.loadBest(ctx, genesis, best)
}

// loadFromGenesis makes the genesis block the first commit of an empty chain
// state. The commit also makes all that recoverRecords found durable, in one
// step: the next start finds either nothing or all of it in the index.
func (c *Chain) loadFromGenesis(ctx context.Context, genesis *node) error {
	if len(c.index) > 1 {
		c.log.Warn("the chain state is empty, it is made again from the stored blocks", "blocks", len(c.index)-1)
	}
	b := consensus.NewBlock(c.p.GenesisBlock)
	c.cache = utxo.NewCache(c.store, c.cfg.CacheBytes, utxo.Stats{})
	view, err := c.genesisView(c.cache)
	if err != nil {
		return err
	}
	c.setBest(genesis)
	if genesis.status&statusData == 0 {
		if err := c.storeBody(b, genesis); err != nil {
			return err
		}
	}
	genesis.status |= statusValid
	c.cache.Apply(view)
	if err := c.Flush(ctx); err != nil {
		return err
	}
	return c.loadBest(ctx, genesis, genesis)
}

// genesisView returns the coins of the genesis block, over an empty set.
func (c *Chain) genesisView(cache *utxo.Cache) (*utxo.View, error) {
	view := utxo.NewView(cache)
	txid := c.p.GenesisBlock.Transactions[0].TxHash()
	for _, out := range c.p.GenesisCoins() {
		// Height 0 and not a coinbase coin: spendable at once.
		op := wire.OutPoint{Hash: txid, Index: out.Index}
		coin := consensus.Coin{Amount: out.Amount, Script: out.Script}
		if _, err := view.Add(op, coin); err != nil {
			return nil, fmt.Errorf("genesis output %v: %w", op, err)
		}
	}
	return view, nil
}

// loadBest makes best, at which the chain state is, the tip, and moves on to
// the best block unless that is left to CatchUp.
func (c *Chain) loadBest(ctx context.Context, genesis, best *node) error {
	c.setBest(best)
	if err := c.loadSnapshot(); err != nil {
		return err
	}
	c.linkAll(genesis)
	c.decideOpen()
	c.findPrunedLocked()
	if err := c.sweepPruned(); err != nil {
		return fmt.Errorf("remove pruned block files: %w", err)
	}
	c.bestHeader = nil
	c.pickBestHeaderLocked()
	if !c.cfg.CatchUpLater {
		if err := c.moveOn(ctx); err != nil {
			return fmt.Errorf("move the chain state from height %d to the best branch: %w", best.height, err)
		}
	}
	c.cfg.Metrics.loaded(c.tip(), c.bestHeader, c.cache, c.pruned, c.Permissions())
	c.showConflict()
	c.log.Info("chain loaded", "height", c.tip().height, "hash", c.tip().hash, "committed", best.height, "headers", c.bestHeader.height)
	return nil
}

// loadIndex reads all rows and connects each node with its parent.
func (c *Chain) loadIndex() error {
	rows := make(map[chainhash.Hash]row)
	children := make(map[chainhash.Hash][]chainhash.Hash)
	err := c.store.EachIndex(func(r store.IndexRow) error {
		decoded, err := decodeRow(r.Value)
		if err != nil {
			return fmt.Errorf("block index, block %v: %w", chainhash.Hash(r.Hash), err)
		}
		hash := chainhash.Hash(r.Hash)
		if got := decoded.header.BlockHash(); got != hash {
			return &store.DamageError{File: "index", Offset: -1, What: fmt.Sprintf("row of block %v holds the header of %v", hash, got)}
		}
		rows[hash] = decoded
		children[decoded.header.PrevBlock] = append(children[decoded.header.PrevBlock], hash)
		return nil
	})
	if err != nil {
		return err
	}
	for todo := children[chainhash.Hash{}]; len(todo) > 0; todo = todo[1:] {
		r := rows[todo[0]]
		n := newNode(&r.header, todo[0], c.index[r.header.PrevBlock])
		if n.height != r.height {
			return &store.DamageError{File: "index", Offset: -1, What: fmt.Sprintf("row of block %v says height %d, its branch says %d", n.hash, r.height, n.height)}
		}
		n.status, n.data, n.undo, n.txCount, n.broken = r.status, r.data, r.undo, r.txCount, r.broken
		n.seal, n.saved = r.seal, true
		if (n.seal != nil) != (c.sealed() && n.parent != nil) {
			return &store.DamageError{File: "index", Offset: -1, What: fmt.Sprintf("row of block %v: seal %t, this chain has the other", n.hash, n.seal != nil)}
		}
		c.addLocked(n)
		todo = append(todo, children[n.hash]...)
	}
	if len(c.index) != len(rows) {
		return &store.DamageError{File: "index", Offset: -1, What: fmt.Sprintf("%d of %d rows do not lead to the genesis block", len(rows)-len(c.index), len(rows))}
	}
	return nil
}

// recoverRecords adds what whole block and undo records behind the given
// ones (nil: all) say beyond the index: a process that was killed wrote them
// after its last flush. They passed their checks before they were written.
// undoProves: blocks with undo data need no script checks any more.
func (c *Chain) recoverRecords(ctx context.Context, afterData, afterUndo *store.Location, undoProves bool) error {
	var found []recovered
	progress := c.scanProgress(ctx)
	err := c.store.EachBlockRecord(afterData, func(hash [32]byte, loc store.Location, read func() ([]byte, error)) error {
		if err := progress("blocks", loc); err != nil {
			return err
		}
		raw, err := read()
		if err != nil {
			return c.skipDamage("block", hash, err)
		}
		b, err := consensus.DecodeBlock(raw, &c.p.Limits)
		if err != nil {
			return fmt.Errorf("stored block %v: %w", chainhash.Hash(hash), err)
		}
		r := recovered{header: b.Header, hash: hash, txCount: int32(len(b.Txs)), at: loc}
		if c.sealed() && hash != c.p.GenesisHash {
			if r.seal, err = c.recoverSeal(b); err != nil {
				c.log.Warn("block file holds a block without a good seal, passed over", "hash", chainhash.Hash(hash), "err", err)
				return nil
			}
			if err := c.keepProof(hash, r.seal.proof); err != nil {
				return err
			}
			r.seal.proof = nil
		}
		found = append(found, r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover block records: %w", err)
	}
	count := c.indexRecovered(found, undoProves)
	known := statusUndo
	if undoProves {
		known |= statusValid
	}
	err = c.store.EachUndoRecord(afterUndo, func(hash, _ [32]byte, loc store.Location, read func() ([]byte, error)) error {
		if err := progress("undo data", loc); err != nil {
			return err
		}
		if _, err := read(); err != nil {
			return c.skipDamage("undo", hash, err)
		}
		if n := c.index[hash]; n != nil && n.status&statusData != 0 {
			n.undo = loc
			n.status = n.status&^statusPruned | known
			if c.snapRow != nil && n.height > c.snapRow.height {
				n.status &^= statusValid // by coins that are not checked
			}
			c.touch(n)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover undo records: %w", err)
	}
	if count > 0 {
		c.log.Info("recovered blocks written after the last flush", "count", count)
	}
	return nil
}

// skipDamage passes over a damaged record: its block is fetched again.
func (c *Chain) skipDamage(kind string, hash chainhash.Hash, err error) error {
	var damage *store.DamageError
	if !errors.As(err, &damage) {
		return err
	}
	c.log.Warn("damaged record skipped, the block has to be fetched again", "kind", kind, "hash", hash, "err", err)
	return nil
}

// recovered is a whole block record that has no index row.
type recovered struct {
	header  wire.BlockHeader
	hash    chainhash.Hash
	txCount int32
	at      store.Location
	seal    *recoveredSeal // where blocks carry seals
}

// indexRecovered gives blocks found on disk their nodes. A block may lie
// before its parent in the files, so it goes round until nothing is added.
// Headers are checked unless they are known to have been.
func (c *Chain) indexRecovered(found []recovered, checked bool) int {
	count := 0
	for {
		var waiting []recovered
		for _, r := range found {
			n, parent := c.index[r.hash], c.index[r.header.PrevBlock]
			if n == nil && parent == nil {
				waiting = append(waiting, r)
				continue
			}
			if n == nil && !checked && !c.goodHeader(&r.header, parent) {
				continue
			}
			if n == nil {
				n = newNode(&r.header, r.hash, parent)
				if parent.failed() {
					n.status |= statusFailedParent
				}
				if !c.nameSeal(n, r.seal, checked) {
					continue
				}
				c.addLocked(n)
			} else if n.seal != nil && n.seal.unseen() && !c.nameSeal(n, r.seal, checked) {
				continue
			}
			n.data, n.txCount = r.at, r.txCount
			n.status |= statusData
			c.touch(n)
			count++
		}
		if len(waiting) == 0 || len(waiting) == len(found) {
			return count
		}
		found = waiting
	}
}

// lastLocations returns the last block and undo records that have rows.
func (c *Chain) lastLocations() (data, undo *store.Location) {
	for _, n := range c.index {
		if n.status&statusData != 0 && (data == nil || after(n.data, *data)) {
			loc := n.data
			data = &loc
		}
		if n.status&statusUndo != 0 && (undo == nil || after(n.undo, *undo)) {
			loc := n.undo
			undo = &loc
		}
	}
	return data, undo
}

func after(a, b store.Location) bool {
	return a.File > b.File || a.File == b.File && a.Offset > b.Offset
}

// setBest makes the branch of tip the best one.
func (c *Chain) setBest(tip *node) {
	c.best = make([]*node, tip.height+1)
	for n := tip; n != nil; n = n.parent {
		c.best[n.height] = n
	}
	c.bestHeader = tip
}

// linkAll computes chainTxs, parents first, and the candidates.
func (c *Chain) linkAll(genesis *node) {
	children := make(map[*node][]*node, len(c.index))
	for _, n := range c.index {
		if n.parent != nil {
			children[n.parent] = append(children[n.parent], n)
		}
	}
	for todo := []*node{genesis}; len(todo) > 0; todo = todo[1:] {
		n := todo[0]
		// On the best branch a body may be gone (damaged): it was here.
		if n.status&statusData != 0 || n.txCount > 0 && c.onBest(n) {
			c.linkLocked(n)
		}
		if c.snap != nil && n == c.snap.base && n.chainTxs == 0 {
			n.chainTxs = c.snap.txs
		}
		todo = append(todo, children[n]...)
	}
}
