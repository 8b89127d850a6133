package chain

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

const (
	// catchUpStep is how many blocks CatchUp connects before it lets others
	// change the chain.
	catchUpStep = 64

	// progressEvery is how often a long task logs how far it is.
	progressEvery = 10 * time.Second
)

// CatchUp connects the stored blocks between the committed chain state and
// the best block, after a rebuild all of them. Between steps others may read
// and change the chain. It is needed where Config.CatchUpLater is set, and
// returns nil once there is nothing better than the tip.
func (c *Chain) CatchUp(ctx context.Context) error {
	began := c.Best().Height
	start := c.cfg.Now()
	last := start
	var target *node
	var bodies *readAhead // up to target
	defer func() { bodies.end() }()
	for {
		height, err := c.catchUp(ctx, &target, &bodies)
		if errors.Is(err, ErrUnknownUpgrade) {
			return nil
		}
		if err != nil {
			return err
		}
		if target == nil {
			if height > began {
				c.log.Info("chain state caught up", "from", began, "height", height, "took", c.cfg.Now().Sub(start))
			}
			return nil
		}
		if now := c.cfg.Now(); now.Sub(last) >= progressEvery {
			last = now
			rate := float64(height-began) / max(now.Sub(start).Seconds(), 1e-9)
			c.log.Info("chain state catches up", "height", height, "of", target.height, "blocksPerSecond", int64(rate))
		}
	}
}

// catchUp is one step of CatchUp towards *target, which it sets to nil when
// there is no better block. bodies are read on the way to it.
func (c *Chain) catchUp(ctx context.Context, target **node, bodies **readAhead) (height int32, err error) {
	c.change.Lock()
	defer c.change.Unlock()
	if t := *target; t == nil || !c.isAhead(t) {
		(*bodies).end()
		*bodies = nil
		*target = c.pickCandidate()
	}
	t := *target
	if t == nil {
		// One way out for all: it also cleans up and flushes.
		return c.tip().height, c.activateBest(ctx, nil)
	}
	if fork(c.tip(), t) != c.tip() {
		return c.tip().height, c.activateBest(ctx, nil)
	}
	if *bodies == nil {
		*bodies = c.readTo(ctx, t, nil)
	}
	step := t.ancestor(min(t.height, c.tip().height+catchUpStep))
	moved, err := c.connectTo(ctx, step, nil, *bodies)
	if moved {
		c.emit(Event{Kind: Settled, Info: c.Best()})
	}
	return c.tip().height, err
}

// isAhead reports whether t is still a good block above the tip. change held.
func (c *Chain) isAhead(t *node) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, candidate := c.candidates[t]
	return candidate && !t.failed() && t != c.tip() && fork(c.tip(), t) == c.tip()
}

// scanProgress returns a function that logs now and then how far a walk over
// the files is, and ends it when ctx is done.
func (c *Chain) scanProgress(ctx context.Context) func(what string, at store.Location) error {
	last := c.cfg.Now()
	count := 0
	return func(what string, at store.Location) error {
		count++
		if now := c.cfg.Now(); now.Sub(last) >= progressEvery {
			last = now
			c.log.Info("reading block files", "what", what, "file", at.File, "records", count)
		}
		return ctx.Err()
	}
}

// goodHeader checks a header that was found in a block file, of which it is
// not known who wrote it.
func (c *Chain) goodHeader(h *wire.BlockHeader, parent *node) bool {
	err := consensus.CheckHeader(h, c.p)
	if err == nil {
		err = consensus.CheckHeaderContext(h, parent, c.p)
	}
	if err != nil {
		c.log.Warn("block file holds a block that breaks a rule, passed over", "hash", h.BlockHash(), "err", err)
	}
	return err == nil
}

// checkStored applies the rules that need no coins to a body from disk that
// was never connected: it may come from block files that were put there.
func (c *Chain) checkStored(b *consensus.Block, n *node) error {
	if n.status&statusValid != 0 || n.parent == nil { // written under change, which we hold
		return nil
	}
	if err := consensus.CheckBlock(b, c.p); err != nil {
		return err
	}
	return consensus.CheckBlockContext(b, n.parent, c.p)
}

// keepUndo makes sure that the undo record of n is on disk: the one that is
// there, if it says the same, or a new one.
func (c *Chain) keepUndo(n *node, undo []byte) error {
	if n.status&statusUndo != 0 { // written under change, which we hold
		raw, err := c.store.ReadUndo(n.undo, n.hash, n.parent.hash)
		var damage *store.DamageError
		switch {
		case err == nil && bytes.Equal(raw, undo):
			return nil
		case err != nil && !errors.As(err, &damage):
			return c.fatal("read undo data", err)
		}
		c.log.Warn("undo data is damaged and written again", "hash", n.hash, "height", n.height, "err", err)
	}
	return c.storeUndo(n, undo)
}
