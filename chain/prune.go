package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/charterchain/charter/chain/store"
)

// MinKeep is how many blocks below the best one, and their undo data, are
// never pruned; the chain file's settle_depth may ask for more.
const MinKeep = 288

// ErrPruned is returned where data of a block was here and was removed to
// save space. It is an ErrNoData too.
var ErrPruned = fmt.Errorf("%w: it was pruned to save disk space (--prune); a node that is not pruned has it", ErrNoData)

// ErrTooDeep is returned where the best branch would have to go back past
// blocks that are pruned. It says nothing about the blocks of the other
// branch.
var ErrTooDeep = errors.New("the best branch cannot go back that far: blocks that it would take are pruned; " +
	"to follow another branch remove blocks, index, chainstate and indexes from the data folder and fetch everything again")

// ErrPruneOff is returned by PruneTo where Config.Prune is not set.
var ErrPruneOff = errors.New("pruning is off")

// nothingPruned is Chain.pruned where nothing was.
const nothingPruned int32 = -1

// PruneStatus says what has been pruned, and when more will be.
type PruneStatus struct {
	On     bool  // Config.Prune
	Target int64 // bytes; 0: only PruneTo prunes

	// Height of the highest block of the best branch that lacks its body or
	// undo data because it was pruned; -1: there is none.
	Height int32
}

// PruneStatus returns the state of pruning.
func (c *Chain) PruneStatus() PruneStatus {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return PruneStatus{On: c.cfg.Prune, Target: c.cfg.PruneTarget, Height: c.pruned}
}

// HoldPruning makes pruning ask fn for the lowest height whose data is still
// needed; ok is false where nothing is. fn may read the chain. To be called
// once, before Run.
func (c *Chain) HoldPruning(fn func() (height int32, ok bool)) {
	c.change.Lock()
	defer c.change.Unlock()
	c.pruneHold = fn
}

// PruneTo flushes, and then removes the block and undo files that hold
// nothing above height. Less is removed where a file holds later blocks as
// well, and never any of the last MinKeep blocks. It returns PruneStatus.Height.
func (c *Chain) PruneTo(ctx context.Context, height int32) (int32, error) {
	if !c.cfg.Prune {
		return 0, ErrPruneOff
	}
	err := c.prune(ctx, height, math.MaxInt64)
	return c.PruneStatus().Height, err
}

// pruneNowAndThen is Run's part in pruning. What only keeps it from being done
// now is tried again at the next flush.
func (c *Chain) pruneNowAndThen(ctx context.Context) error {
	err := c.pruneToTarget(ctx)
	if err != nil && ctx.Err() == nil && c.failure.get() == nil {
		c.log.Warn("old block files could not be pruned", "err", err)
	}
	return c.failure.get()
}

// pruneToTarget removes the files with the oldest blocks while all take more
// than Config.PruneTarget, less what may be added until the next look.
func (c *Chain) pruneToTarget(ctx context.Context) error {
	if !c.cfg.Prune || c.cfg.PruneTarget == 0 {
		return nil
	}
	files, err := c.store.Files()
	if err != nil {
		return err
	}
	over := 2*c.cfg.PruneStep - c.cfg.PruneTarget
	for _, f := range files {
		over += f.Size
	}
	if over <= 0 {
		return nil
	}
	c.change.Lock()
	victims, err := c.prunable(math.MaxInt32, over)
	c.change.Unlock()
	if err != nil || len(victims) == 0 {
		return err
	}
	return c.prune(ctx, math.MaxInt32, over)
}

// prune removes files with blocks up to height, those with the oldest first,
// until that many bytes are freed. It flushes before: a process that is
// killed then begins at the tip or close below it, and needs nothing older.
func (c *Chain) prune(ctx context.Context, height int32, free int64) error {
	if err := c.Flush(ctx); err != nil {
		return err
	}
	c.change.Lock()
	defer c.change.Unlock()
	// A flush that is under way would put rows back that refer to the files.
	if last := c.flush.last; last != nil {
		<-last.done
	}
	if err := c.failure.get(); err != nil {
		return err
	}
	victims, err := c.prunable(height, free)
	if err != nil || len(victims) == 0 {
		return err
	}
	return c.removeFiles(victims)
}

// pruneLimit is the greatest height of which data may be removed. change held.
func (c *Chain) pruneLimit() int32 {
	row, ok := c.store.Best()
	committed := c.index[row.Best] // written under change, which we hold
	if !ok || committed == nil || !c.onBest(committed) {
		return nothingPruned // the next flush mends that
	}
	limit := committed.height - max(MinKeep, c.p.Policy.SettleDepth)
	c.mu.RLock()
	if c.snap != nil {
		limit = min(limit, c.snap.committed)
	}
	c.mu.RUnlock()
	if c.pruneHold != nil {
		if need, ok := c.pruneHold(); ok {
			limit = min(limit, need-1)
		}
	}
	return limit
}

// fileKey names a file of records.
type fileKey struct {
	kind store.FileKind
	num  uint32
}

// fileHeights returns the greatest height that each file has a record of;
// files that hold nothing of use are not in it. change held.
func (c *Chain) fileHeights() map[fileKey]int32 {
	heights := make(map[fileKey]int32)
	note := func(kind store.FileKind, n *node, at store.Location) {
		key := fileKey{kind, at.File}
		if h, ok := heights[key]; !ok || n.height > h {
			heights[key] = n.height
		}
	}
	for _, n := range c.index {
		if n.status&statusData != 0 {
			note(store.BlockFile, n, n.data)
		}
		if n.status&statusUndo != 0 {
			note(store.UndoFile, n, n.undo)
		}
	}
	return heights
}

// prunable lists the files that may be removed, the oldest blocks first, up
// to that many bytes. change held.
func (c *Chain) prunable(height int32, free int64) ([]store.FileInfo, error) {
	if c.backingUp {
		return nil, nil
	}
	limit := min(height, c.pruneLimit())
	files, err := c.store.Files()
	if err != nil {
		return nil, err
	}
	heights := c.fileHeights()
	newest := func(f store.FileInfo) int32 {
		if h, ok := heights[fileKey{f.Kind, f.Number}]; ok {
			return h
		}
		return nothingPruned
	}
	files = slices.DeleteFunc(files, func(f store.FileInfo) bool { return f.Current || newest(f) > limit })
	slices.SortStableFunc(files, func(a, b store.FileInfo) int {
		return cmp.Or(cmp.Compare(newest(a), newest(b)), cmp.Compare(a.Number, b.Number))
	})
	for i, f := range files {
		if free <= 0 {
			return files[:i], nil
		}
		free -= f.Size
	}
	return files, nil
}

// removeFiles takes the records of the files out of the index, durably, and
// then removes the files. change held; no flush is under way.
func (c *Chain) removeFiles(files []store.FileInfo) error {
	gone := make(map[fileKey]bool, len(files))
	freed := int64(0)
	for _, f := range files {
		gone[fileKey{f.Kind, f.Number}] = true
		freed += f.Size
	}
	if err := c.proveBefore(gone); err != nil {
		return err
	}
	c.mu.Lock()
	bodies := c.forgetLocked(gone)
	rows := c.takeRowsLocked()
	pruned := c.pruned
	c.mu.Unlock()
	// Rows of newer blocks go along, as each needs its parent's: what they
	// refer to has to be durable before them.
	if err := c.store.SyncFiles(); err != nil {
		return c.fatal("sync block files before pruning", err)
	}
	c.hints.drop(bodies)
	if err := c.changeIndex(store.IndexRows{Blocks: rows, DropHints: bodies}); err != nil {
		return c.fatal("write block index before pruning", err)
	}
	if err := c.store.RemoveFiles(files); err != nil {
		return c.fatal("remove pruned block files", err)
	}
	c.cfg.Metrics.pruned.Set(float64(pruned))
	c.log.Info("block files pruned", "files", len(files), "bytes", freed, "height", pruned)
	return nil
}

// forgetLocked takes "have data" and "have undo" from the blocks whose
// records are in these files. It returns those that lost their bodies.
func (c *Chain) forgetLocked(gone map[fileKey]bool) (bodies [][32]byte) {
	for _, n := range c.index {
		lost := status(0)
		if n.status&statusData != 0 && gone[fileKey{store.BlockFile, n.data.File}] {
			lost |= statusData
			bodies = append(bodies, n.hash)
		}
		if n.status&statusUndo != 0 && gone[fileKey{store.UndoFile, n.undo.File}] {
			lost |= statusUndo
		}
		if lost == 0 {
			continue
		}
		n.status = n.status&^lost | statusPruned
		c.touch(n)
	}
	c.findPrunedLocked()
	c.unlinkLocked()
	return bodies
}

// findPrunedLocked computes how far back the best branch is pruned.
func (c *Chain) findPrunedLocked() {
	for h := int32(len(c.best)) - 1; h > c.pruned; h-- {
		if c.best[h].status&statusPruned != 0 {
			c.pruned = h
		}
	}
}

// unlinkLocked takes the branches beside the best one whose bodies are not
// all here any more out of the choice: they wait for them to come back.
func (c *Chain) unlinkLocked() {
	for parent, waiting := range c.unlinked {
		c.unlinked[parent] = slices.DeleteFunc(waiting, func(n *node) bool { return n.status&statusData == 0 })
	}
	for _, n := range c.index {
		if n.chainTxs == 0 || c.onBest(n) || c.wholeLocked(n) {
			continue
		}
		n.chainTxs = 0
		delete(c.candidates, n)
		if n.status&statusData != 0 {
			c.unlinked[n.parent] = append(c.unlinked[n.parent], n)
		}
	}
}

// wholeLocked reports whether the bodies from the best branch to n are here.
func (c *Chain) wholeLocked(n *node) bool {
	for ; !c.onBest(n); n = n.parent {
		if n.status&statusData == 0 {
			return false
		}
	}
	return true
}

// sweepPruned removes files of which nothing is known to the index: a kill
// came between the index and the files. A store that was never pruned keeps
// what it has.
func (c *Chain) sweepPruned() error {
	pruned, err := c.store.Pruned()
	if err != nil || !pruned {
		return err
	}
	files, err := c.store.Files()
	if err != nil {
		return err
	}
	heights := c.fileHeights()
	files = slices.DeleteFunc(files, func(f store.FileInfo) bool {
		_, used := heights[fileKey{f.Kind, f.Number}]
		return used || f.Current
	})
	return c.store.RemoveFiles(files)
}

// tooDeepLocked reports whether the best branch would have to go back past
// pruned blocks, or below a snapshot that is not checked, to reach n.
func (c *Chain) tooDeepLocked(n *node) bool {
	if c.snap != nil && fork(c.tip(), n).height < c.snap.base.height {
		return true
	}
	return c.pruned > nothingPruned && fork(c.tip(), n).height < c.pruned
}

// tooDeep is the error for a block that cannot be reached.
func (c *Chain) tooDeep(n *node) error {
	if at := fork(c.tip(), n).height; c.snap != nil && at < c.snap.base.height {
		return fmt.Errorf("block %v at height %d leaves the best branch at height %d: %w", n.hash, n.height, at, ErrBelowSnapshot)
	}
	return fmt.Errorf("block %v at height %d leaves the best branch at height %d, which is pruned up to %d: %w",
		n.hash, n.height, fork(c.tip(), n).height, c.pruned, ErrTooDeep)
}

// noDataLocked is the error for a body or undo data that is not here.
func (n *node) noDataLocked() error {
	if n.status&statusPruned != 0 {
		return ErrPruned
	}
	return ErrNoData
}

// grown counts bytes of new records, and lets Run look at the size on disk
// now and then.
func (c *Chain) grown(bytes uint32) {
	if c.added += int64(bytes); c.added < c.cfg.PruneStep {
		return
	}
	c.added = 0
	select {
	case c.pruneNow <- struct{}{}:
	default:
	}
}

// still reports whether n's record is still where it was: pruning may have
// taken it while it was read.
func (c *Chain) still(n *node, have status) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return n.status&have != 0
}
