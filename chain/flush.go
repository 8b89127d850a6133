package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// flusher lets one flush at a time run beside validation.
type flusher struct {
	running sync.WaitGroup
	last    *flushing // the newest one; guarded by Chain.change
}

// flushing is a frozen state on its way to the disk.
type flushing struct {
	frozen  *utxo.Frozen
	rows    []store.IndexRow
	best    *node
	perm    *permission.State // as of best
	changes map[string][]byte // rows of the permissions
	done    chan struct{}
	err     error // valid once done is closed
}

// maybeFlush starts a flush if the UTXO cache is over its budget. When the
// one before has not finished, the disk is slower than validation: then it
// waits. change held.
func (c *Chain) maybeFlush() error {
	if !c.cache.OverBudget() {
		return nil
	}
	_, err := c.startFlush()
	return err
}

// Flush writes everything that was accepted so far to disk and returns once
// it is there.
func (c *Chain) Flush(ctx context.Context) error {
	c.change.Lock()
	f, err := c.startFlush()
	c.change.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startFlush freezes the state at the tip and writes it in the background,
// after any earlier flush. change held.
func (c *Chain) startFlush() (*flushing, error) {
	if last := c.flush.last; last != nil {
		<-last.done
	}
	if err := c.failure.get(); err != nil {
		return nil, err
	}
	f := &flushing{best: c.tip(), done: make(chan struct{})}
	if f.frozen = c.cache.Freeze(); f.frozen == nil {
		return nil, errors.New("chain: a flush is already under way")
	}
	c.mu.Lock()
	f.rows = c.takeRowsLocked()
	c.mu.Unlock()
	if c.perm != nil {
		f.perm, f.changes = c.perm.tip, c.perm.takeUnsaved()
	}
	c.flush.last = f
	c.flush.running.Add(1)
	go func() {
		defer c.flush.running.Done()
		defer close(f.done)
		began := c.cfg.Now()
		if f.err = c.writeFlush(f); f.err == nil {
			c.cache.Release(f.frozen)
			c.cfg.Metrics.flush.Observe(c.cfg.Now().Sub(began).Seconds())
			c.log.Debug("flushed", "height", f.best.height, "hash", f.best.hash, "took", c.cfg.Now().Sub(began))
		}
	}()
	return f, nil
}

// takeRowsLocked returns the index rows that differ from those on disk, for
// the caller to write.
func (c *Chain) takeRowsLocked() []store.IndexRow {
	rows := make([]store.IndexRow, len(c.dirty))
	for i, n := range c.dirty {
		rows[i] = store.IndexRow{Hash: n.hash, Value: c.rowOf(n)}
		n.dirty, n.saved = false, true
	}
	c.dirty = nil
	return rows
}

// writeFlush keeps the order of writes: files, index, chainstate. Each
// refers only to what the one before has made durable.
func (c *Chain) writeFlush(f *flushing) error {
	if err := c.store.SyncFiles(); err != nil {
		return c.fatal("flush block files", err)
	}
	if err := c.writeIndex(f.rows); err != nil {
		return c.fatal("flush block index", err)
	}
	err := c.store.Commit(store.Commit{
		Best:   f.best.hash,
		Height: f.best.height,
		Meta:   commitMeta(f.frozen.Stats(), f.perm),
		Each: func(put func(k, v []byte), del func(k []byte)) error {
			eachUnsaved(f.changes, put, del)
			return f.frozen.Each(put, del)
		},
	})
	if err != nil {
		return c.fatal(fmt.Sprintf("commit coins at height %d", f.best.height), err)
	}
	return nil
}
