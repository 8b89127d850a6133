package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/charterchain/charter/chain/store"
)

// ErrBackupRuns is returned by Backup while another one is under way.
var ErrBackupRuns = errors.New("a backup is under way already")

// BackupTargetError refuses the folder; nothing in it was changed.
type BackupTargetError = store.TargetError

// BackupOptions say what a backup is to have.
type BackupOptions struct {
	Dir   string             // empty, or missing in a folder that exists
	Extra []store.BackupFile // further files

	// Room is asked whether about so many bytes may be written; nil: they
	// may.
	Room func(bytes int64) error
}

// BackupReport says what a backup has.
type BackupReport struct {
	Block BlockInfo     // the best block of the committed state in it
	Bytes int64         // written
	Held  time.Duration // for how long no block could be accepted
	Took  time.Duration
}

// Backup writes a copy of block files, block index and chain state to a
// folder, from which a node can start, while this one goes on. It flushes
// first. Blocks are kept waiting for as long as it takes to freeze the cache
// for that flush; an earlier flush is waited for before. Nothing is pruned
// meanwhile. Optional indexes are left out: they are made again.
//
// Errors: *BackupTargetError, ErrBackupRuns, what Room said, or what went
// wrong. After any of them the folder is as before.
func (c *Chain) Backup(ctx context.Context, o BackupOptions) (BackupReport, error) {
	began := c.cfg.Now()
	if err := c.store.CheckBackupDir(o.Dir); err != nil {
		return BackupReport{}, err
	}
	f, held, err := c.startBackup(ctx)
	if err != nil {
		return BackupReport{}, err
	}
	defer func() {
		c.change.Lock()
		c.backingUp = false
		c.change.Unlock()
	}()
	if err := f.wait(ctx); err != nil {
		return BackupReport{}, err
	}
	b, err := c.store.BeginBackup()
	if err != nil {
		return BackupReport{}, err
	}
	defer b.End()
	report := BackupReport{Held: held}
	if report.Block, err = c.backupBlock(b.Best()); err != nil {
		return BackupReport{}, err
	}
	if o.Room != nil {
		if err := o.Room(b.Size()); err != nil {
			return BackupReport{}, err
		}
	}
	if report.Bytes, err = b.Copy(ctx, o.Dir, o.Extra, c.backupProgress(b.Size())); err != nil {
		return BackupReport{}, err
	}
	report.Took = c.cfg.Now().Sub(began)
	c.log.Info("backup made", "dir", o.Dir, "height", report.Block.Height, "hash", report.Block.Hash,
		"bytes", report.Bytes, "held", report.Held, "took", report.Took)
	return report, nil
}

// startBackup starts a flush and holds pruning. held is for how long it had
// the change lock.
func (c *Chain) startBackup(ctx context.Context) (f *flushing, held time.Duration, err error) {
	for {
		c.change.Lock()
		last := c.flush.last
		if last == nil || last.finished() {
			break
		}
		c.change.Unlock()
		// Its error is met again below.
		if err := last.wait(ctx); err != nil && ctx.Err() != nil {
			return nil, 0, err
		}
	}
	defer c.change.Unlock()
	began := c.cfg.Now()
	if c.backingUp {
		return nil, 0, ErrBackupRuns
	}
	if f, err = c.startFlush(); err != nil {
		return nil, 0, err
	}
	c.backingUp = true
	return f, c.cfg.Now().Sub(began), nil
}

// finished reports whether the flush has ended.
func (f *flushing) finished() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// wait returns how the flush ended.
func (f *flushing) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Chain) backupBlock(row store.CommitRow) (BlockInfo, error) {
	info, ok := c.Lookup(row.Best)
	if !ok {
		return info, &store.DamageError{File: "chainstate", Offset: -1,
			What: fmt.Sprintf("committed best block at height %d is not in the block index", row.Height)}
	}
	return info, nil
}

// backupProgress logs now and then how far a backup is.
func (c *Chain) backupProgress(total int64) func(int64) {
	said := c.cfg.Now()
	return func(done int64) {
		if now := c.cfg.Now(); now.Sub(said) >= progressEvery {
			said = now
			c.log.Info("backup goes on", "bytes", done, "of", total)
		}
	}
}
