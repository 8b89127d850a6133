package chain

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// The check of the history below a UTXO snapshot has coins of its own, from
// genesis on, in the index database backgroundName: coin rows as in the chain
// state, and one row that says where it is:
//
//	field   bytes  encoding
//	base    32     hash of the block of the snapshot
//	block   32     hash of the block after which these are the coins
//	height  4      of it, little-endian
//	meta    rest   as in a commit of the chain state: of coins and permissions
//
// Where the chain has permissions there are the rows of what each block changed
// of them too, as in the chain state, which gets them in the end. It can be made again from the blocks at any time, and is when it is damaged.
const (
	backgroundName  = "background"
	backgroundFixed = 32 + 32 + 4

	// backgroundRetry is how long the check waits for a block before it looks
	// again, if it is not told sooner.
	backgroundRetry = 10 * time.Second
)

var backgroundKey = []byte{0x01}

// snapState is a UTXO snapshot whose history is not checked yet. base, digest
// txs and dbBytes never change; at is guarded by Chain.mu; the rest belongs to
// the goroutine that checks.
type snapState struct {
	base   *node
	digest [32]byte
	txs    int64 // up to and with base, as the snapshot says

	at        *node  // last block that was checked
	committed int32  // height that db is at; guarded by Chain.mu
	missing   int32  // the bodies from at on are here up to below this height; guarded by Chain.mu
	halt      string // why the check cannot go on; empty: it can; guarded by Chain.mu

	db      *store.IndexDB
	dbBytes int64       // memory of db
	cache   *utxo.Cache // written under both locks of Chain
	perm    *history    // up to at; nil on chains without permissions
	told    time.Time   // when progress was last in the log
}

// Background says how far the check of the history below a UTXO snapshot is.
type Background struct {
	Base    BlockInfo // block that the snapshot is as of
	Digest  [32]byte  // that was trusted
	Checked BlockInfo // last block that was checked

	CacheBytes int64 // bytes of memory that its coins take

	// Missing is the lowest block above Checked, up to Base, whose body is
	// not here; above Base: none is missing.
	Missing int32

	// Halt is why the check cannot go on for now, other than for want of a
	// block; empty: it can.
	Halt string
}

// Background returns the state of the check; false where this node has
// checked every block from genesis on.
func (c *Chain) Background() (Background, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.snap
	if s == nil {
		return Background{}, false
	}
	s.missing = max(s.missing, s.at.height+1)
	for s.missing <= s.base.height && c.best[s.missing].status&statusData != 0 {
		s.missing++
	}
	return Background{
		Base: c.infoLocked(s.base), Digest: s.digest, Checked: c.infoLocked(s.at),
		CacheBytes: s.cache.Size(), Missing: s.missing, Halt: s.halt,
	}, true
}

// Unvalidated says in a sentence why this node must not make blocks: its coins
// come from a UTXO snapshot whose history it has not checked. Empty: it may.
func (c *Chain) Unvalidated() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.snap == nil {
		return ""
	}
	return fmt.Sprintf("this node started from a UTXO snapshot at height %d and has checked the blocks below it up to height %d only; it does not mine until that has ended",
		c.snap.base.height, c.snap.at.height)
}

// openBackground opens the coins of the check below base, and begins at
// genesis where there are none for it. change held, or the chain not shared yet.
func (c *Chain) openBackground(base *node, row *snapshotRow) (*snapState, error) {
	s := &snapState{base: base, digest: row.digest, txs: row.txs, told: c.cfg.Now(), dbBytes: checkDatabase(c.cfg.CacheBytes)}
	var damage *store.DamageError
	db, err := c.store.OpenIndex(backgroundName, s.dbBytes)
	if errors.As(err, &damage) {
		c.log.Warn("the state of the check below the UTXO snapshot is damaged, it begins again at genesis", "err", err)
		if err = c.store.RemoveIndex(backgroundName); err == nil {
			db, err = c.store.OpenIndex(backgroundName, s.dbBytes)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the state of the check below the UTXO snapshot: %w", err)
	}
	s.db = db
	if err := c.resumeBackground(s); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// resumeBackground continues where the database says.
func (c *Chain) resumeBackground(s *snapState) error {
	raw, ok, err := s.db.Get(backgroundKey)
	if err != nil && !isDamaged(err) {
		return err
	}
	if err == nil && ok && len(raw) > backgroundFixed && bytes.Equal(raw[:32], s.base.hash[:]) {
		at := s.base.ancestor(int32(binary.LittleEndian.Uint32(raw[64:])))
		stats, hash, err := c.decodeMeta(raw[backgroundFixed:])
		known := err == nil && at != nil && at.hash == chainhash.Hash(raw[32:64])
		if known {
			err = c.openPerm(s, at, hash)
		}
		switch {
		case known && err == nil:
			s.at, s.committed = at, at.height
			s.cache = utxo.NewCache(s.db, shareCache(c.cfg.CacheBytes, s.dbBytes).check, stats)
			return nil
		case err != nil && !isDamaged(err):
			return err
		}
	}
	return c.restartBackground(s)
}

// restartBackground begins at genesis. Blocks below the base that were pruned
// are needed once more. change held, or the chain not shared yet.
func (c *Chain) restartBackground(s *snapState) error {
	if err := s.db.Clear(); err != nil {
		return fmt.Errorf("clear the state of the check below the UTXO snapshot: %w", err)
	}
	cache := utxo.NewCache(s.db, shareCache(c.cfg.CacheBytes, s.dbBytes).check, utxo.Stats{})
	view, err := c.genesisView(cache)
	if err != nil {
		return err
	}
	cache.Apply(view)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.cache, s.at, s.committed, s.missing = cache, s.base.ancestor(0), 0, 0
	s.perm = newHistory(c.p)
	for n := s.base; n != nil; n = n.parent {
		if n.status&statusPruned != 0 && n.status&statusData == 0 {
			n.status &^= statusPruned
			c.touch(n)
		}
	}
	c.pruned = nothingPruned
	if len(c.best) > 0 {
		c.findPrunedLocked()
	}
	return nil
}

func isDamaged(err error) bool {
	var damage *store.DamageError
	return errors.As(err, &damage) || errors.Is(err, utxo.ErrDamaged)
}

// tellBackground lets the check look for its next block.
func (c *Chain) tellBackground() {
	select {
	case c.bgKick <- struct{}{}:
	default:
	}
}

// runBackground checks the history below a UTXO snapshot, whenever there is
// one, until ctx is done.
func (c *Chain) runBackground(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.failure.done:
			return // Run says it
		case <-c.bgKick:
		case <-retry.C:
		}
		_ = c.checkHistory(ctx) // it says what is wrong
		retry.Reset(backgroundRetry)
	}
}

// checkBlocks is checkHistory without a word about errors.
func (c *Chain) checkBlocks(ctx context.Context) error {
	for {
		c.mu.RLock()
		s := c.snap
		c.mu.RUnlock()
		if s == nil {
			return nil
		}
		if err := errors.Join(ctx.Err(), c.failure.get()); err != nil {
			return err
		}
		if s.at == s.base {
			return c.endBackground(ctx, s)
		}
		err := c.checkNext(ctx, s)
		if errors.Is(err, ErrNoData) || errors.Is(err, errLost) {
			return nil // it is fetched, and tells us
		}
		if isDamaged(err) {
			c.log.Warn("the state of the check below the UTXO snapshot is damaged, it begins again at genesis", "err", err)
			c.change.Lock()
			err = c.restartBackground(s)
			c.change.Unlock()
		}
		if err != nil {
			return err
		}
		if s.halt != "" { // written here only
			c.goesOn()
		}
	}
}

// checkNext makes room in the cache, or connects the next block below the
// snapshot.
func (c *Chain) checkNext(ctx context.Context, s *snapState) error {
	if s.cache.OverBudget() {
		return c.flushBackground(ctx, s)
	}
	n := s.base.ancestor(s.at.height + 1)
	b, valid, err := c.bodyBelow(n)
	if err != nil {
		return err
	}
	view := utxo.NewView(s.cache)
	if !valid {
		err = c.checkAlone(b, n)
	}
	var found checked
	if err == nil {
		found, err = c.judgeBelow(ctx, s, view, b, n, valid)
	}
	if rule := consensus.AsRule(err); rule != nil {
		if rule.Mutated {
			return c.loseBelow(n, err)
		}
		return c.snapshotWrong(s, brokenBelow(n, rule))
	}
	if err != nil {
		return err
	}
	if n.seal != nil && !n.unnamed() && n.seal.member != found.member {
		return c.snapshotWrong(s, wrongSealer(n, found.member))
	}
	if err := c.keepChecked(s, n, found); err != nil {
		return err
	}
	s.cache.Apply(view)
	if s.perm != nil {
		s.perm.push(n, found.after.state, found.after.delta)
		if found.after.delta != nil {
			s.perm.save(n, found.after.delta)
		}
	}
	c.mu.Lock()
	s.at = n
	c.mu.Unlock()
	c.cfg.Metrics.background.Set(float64(n.height))
	if now := c.cfg.Now(); now.Sub(s.told) >= progressEvery {
		s.told = now
		c.log.Info("check below the UTXO snapshot goes on", "height", n.height, "of", s.base.height)
	}
	return nil
}

// checked is what came out about a block below a snapshot.
type checked struct {
	member record.MemberID // that sealed it
	spent  [][]consensus.Coin
	after  permissionsAfter
}

// judgeBelow connects b, the block n, in view, and judges who sealed it.
func (c *Chain) judgeBelow(ctx context.Context, s *snapState, view *utxo.View, b *consensus.Block, n *node, known bool) (found checked, err error) {
	var parent *permission.State
	if s.perm != nil {
		parent = s.perm.tip
	}
	if found.member, err = c.decideBelow(s, b, n); err != nil {
		return found, err
	}
	if found.spent, found.after, err = c.judgeOn(ctx, view, b, n, parent, known); err != nil || known {
		return found, err
	}
	return found, c.checkScripts(ctx, b, n, found.spent)
}

// bodyBelow reads a block below the snapshot; valid: it was connected before.
func (c *Chain) bodyBelow(n *node) (b *consensus.Block, valid bool, err error) {
	c.change.Lock()
	defer c.change.Unlock()
	b, err = c.loadBody(n)
	return b, n.status&statusValid != 0, err
}

// brokenBelow says what speaks against the snapshot when n breaks rule.
func brokenBelow(n *node, rule *consensus.RuleError) string {
	return fmt.Sprintf("block %v at height %d, below it, breaks a rule: %v", n.hash, n.height, rule)
}

// loseBelow forgets the stored body of n: its record is whole, but another
// body may belong to that header.
func (c *Chain) loseBelow(n *node, why error) error {
	c.change.Lock()
	defer c.change.Unlock()
	c.loseDamaged(n, why)
	return errors.Join(errLost, why)
}

// keepChecked notes that n breaks no rule and who sealed it, and keeps its undo
// data.
func (c *Chain) keepChecked(s *snapState, n *node, found checked) error {
	c.change.Lock()
	defer c.change.Unlock()
	if err := c.failure.get(); err != nil {
		return err
	}
	if err := c.keepUndo(n, utxo.EncodeUndo(found.spent)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.status = n.status&^statusPruned | statusValid
	if n.seal != nil {
		n.seal.decided(found.member, s.perm.tip, n.height)
	}
	c.touch(n)
	return nil
}

// flushBackground writes the coins of the check and where it is, in one step,
// once all that is known of the blocks up to there is on disk.
func (c *Chain) flushBackground(ctx context.Context, s *snapState) error {
	if err := c.Flush(ctx); err != nil {
		return err
	}
	frozen := s.cache.Freeze()
	var batch store.IndexBatch
	var perm *permission.State
	if s.perm != nil {
		perm = s.perm.tip
		eachUnsaved(s.perm.takeUnsaved(), batch.Put, batch.Delete)
	}
	if err := frozen.Each(batch.Put, batch.Delete); err != nil {
		return err
	}
	row := append(make([]byte, 0, backgroundFixed+20), s.base.hash[:]...)
	row = append(row, s.at.hash[:]...)
	row = binary.LittleEndian.AppendUint32(row, uint32(s.at.height))
	batch.Put(backgroundKey, append(row, commitMeta(frozen.Stats(), perm)...))
	if err := s.db.Write(&batch); err != nil {
		if c.store.Err() == nil && isDamaged(err) {
			return err // begin again: the cache goes with it
		}
		return c.fatal("write the state of the check below the UTXO snapshot", err)
	}
	s.cache.Release(frozen)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.committed = s.at.height
	return nil
}

// coinRows shows the rows of a database of the check to package utxo.
type coinRows struct{ view *store.IndexView }

func (r coinRows) Each(prefix []byte, fn func(key, value []byte) error) error {
	return r.view.Each(store.IndexRange{Prefix: prefix}, func(key, value []byte) (bool, error) {
		err := fn(key, value)
		return err == nil, err
	})
}

// endBackground compares the coins, permissions and sealers that the history
// leads to with those of the snapshot.
func (c *Chain) endBackground(ctx context.Context, s *snapState) error {
	if err := c.flushBackground(ctx, s); err != nil {
		return err
	}
	var sum utxo.Summary
	err := s.db.View(func(v *store.IndexView) (err error) {
		sum, err = utxo.Summarise(utxo.WithMuHash, runtime.GOMAXPROCS(0), func(fn func(wire.OutPoint, consensus.Coin) error) error {
			return utxo.EachCoin(coinRows{v}, func(op wire.OutPoint, coin consensus.Coin) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return fn(op, coin)
			})
		})
		return err
	})
	if err != nil {
		return err
	}
	var root *permRoot
	if s.perm != nil {
		root = c.rootAt(s.base, s.perm.tip)
		if got, want := s.perm.tip.Hash(), c.perm.root.Hash(); got != want {
			return c.snapshotWrong(s, fmt.Sprintf("the blocks lead to the permissions %x at height %d, the snapshot has %x", got, s.base.height, want))
		}
	}
	digest := root.digest(s.base.hash, s.base.height, sum.MuHash)
	if digest != s.digest {
		return c.snapshotWrong(s, fmt.Sprintf("the blocks lead to the digest %x at height %d, the snapshot that was trusted has %x", digest, s.base.height, s.digest))
	}
	return c.snapshotRight(ctx, s)
}

// amend commits a change of the snapshot's row to the chain state as last
// committed. change held.
func (c *Chain) amend(each func(put func(k, v []byte), del func(k []byte)) error) error {
	if last := c.flush.last; last != nil {
		<-last.done
	}
	if err := c.failure.get(); err != nil {
		return err
	}
	row, _ := c.store.Best()
	err := c.store.Commit(store.Commit{Best: row.Best, Height: row.Height, Meta: row.Meta, Each: each})
	if err != nil {
		return c.fatal("commit what is known of the UTXO snapshot", err)
	}
	return nil
}

// snapshotRight ends the check: from now on this is a node like any other.
func (c *Chain) snapshotRight(ctx context.Context, s *snapState) error {
	c.change.Lock()
	defer c.change.Unlock()
	// All that the chain state relies on from then on has to be on disk before.
	f, err := c.startFlush()
	if err != nil {
		return err
	}
	<-f.done
	if f.err != nil {
		return f.err
	}
	err = c.amend(func(put func(k, v []byte), del func(k []byte)) error {
		del(snapshotKey)
		if s.perm != nil {
			del(permRootKey)
			s.perm.each(put)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.snap = nil
	c.settleHistoryLocked(s.base)
	if s.perm != nil {
		c.perm.prepend(s.perm)
	}
	c.mu.Unlock()
	c.divideCache()
	c.cfg.Metrics.background.Set(-1)
	c.log.Info("the UTXO snapshot is right: every block up to it is checked", "base", s.base.hash, "height", s.base.height)
	// Other branches may leave the best one below the base.
	c.decideOpen()
	c.rebuildCandidates()
	tip := c.tip()
	if err := c.moveOn(ctx); err != nil {
		return err
	}
	if c.tip() == tip {
		c.settled() // for those who wait for old blocks
	}
	if err := s.db.Close(); err != nil {
		return c.fatal("close the state of the check below the UTXO snapshot", err)
	}
	if err := c.store.RemoveIndex(backgroundName); err != nil {
		return c.fatal("remove the state of the check below the UTXO snapshot", err)
	}
	return nil
}

// settleHistoryLocked makes lasting what was found out above the base, and
// counts transactions anew: what the snapshot said of them nothing proves.
func (c *Chain) settleHistoryLocked(base *node) {
	for h := int32(0); h <= base.height; h++ {
		n := base.ancestor(h)
		n.chainTxs = int64(n.txCount)
		if n.parent != nil {
			n.chainTxs += n.parent.chainTxs
		}
	}
	var above []*node
	for _, n := range c.index {
		if n.height > base.height {
			above = append(above, n)
			c.touch(n)
		}
	}
	c.countRestarts()
	slices.SortFunc(above, func(a, b *node) int { return cmp.Compare(a.height, b.height) })
	for _, n := range above {
		if n.chainTxs > 0 {
			n.chainTxs = n.parent.chainTxs + int64(n.txCount)
		}
	}
}

// snapshotWrong notes for good that the snapshot cannot be used, and ends Run.
func (c *Chain) snapshotWrong(s *snapState, reason string) error {
	c.change.Lock()
	defer c.change.Unlock()
	return c.noteWrong(s, reason)
}

// noteWrong is snapshotWrong for callers that hold change.
func (c *Chain) noteWrong(s *snapState, reason string) error {
	wrong := &SnapshotError{s.base.hash, s.base.height, reason}
	row := snapshotRow{wrong: true, base: s.base.hash, height: s.base.height, txs: s.txs, digest: s.digest, reason: reason}
	err := c.amend(func(put func(k, v []byte), _ func(k []byte)) error {
		put(snapshotKey, row.encode())
		return nil
	})
	if err != nil {
		return errors.Join(wrong, err)
	}
	c.log.Error("the UTXO snapshot is WRONG, the node stops", "base", s.base.hash, "height", s.base.height, "reason", reason)
	c.failure.set(wrong)
	return wrong
}

// closeBackground keeps how far the check is, so that the next run goes on
// there.
func (c *Chain) closeBackground() error {
	c.mu.RLock()
	s := c.snap
	c.mu.RUnlock()
	if s == nil || c.failure.get() != nil || s.at.height == s.committed {
		return nil
	}
	return c.flushBackground(context.Background(), s)
}
