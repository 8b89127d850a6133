package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// activateBest makes the best candidate the tip, block by block: first back
// to the fork by undo data, then forward. fresh, if not nil, is a block
// that need not be read from disk. When a block on the way breaks a rule it
// is marked, and the next best candidate is taken. change held.
//
// An error means that storage failed, data is missing or ctx is done; the
// chain is then consistent at some block between the old and the new tip.
func (c *Chain) activateBest(ctx context.Context, fresh *consensus.Block) (err error) {
	moved := false
	defer func() {
		if moved {
			c.settled()
		}
		c.leaveToRun(ctx, err)
	}()
	reorg := false
	left := make(map[*node]bool)
	for {
		target := c.pickCandidate()
		if target == nil || left[target] {
			break // or the rules lead in a circle, for all we know
		}
		if ok, err := c.foreseen(ctx, target); err != nil {
			return err
		} else if !ok {
			continue
		}
		from := c.tip()
		base := fork(from, target)
		if base != c.tip() {
			reorg = true
			c.log.Info("reorganisation", "from", c.tip().hash, "height", c.tip().height,
				"to", target.hash, "toHeight", target.height, "forkHeight", base.height)
		}
		for c.tip() != base {
			if err := c.disconnectTip(ctx); err != nil {
				return err
			}
			moved = true
		}
		advanced, err := c.advanceTo(ctx, target, fresh)
		moved = moved || advanced
		if err != nil {
			return err
		}
		c.leftFor(from, target, left)
	}
	if reorg {
		c.cfg.Metrics.reorgs.Inc()
	}
	return c.maybeFlush()
}

// leaveToRun lets Run move on to the best branch where a call ended because
// its context did.
func (c *Chain) leaveToRun(ctx context.Context, err error) {
	if err == nil || ctx.Err() == nil {
		return
	}
	select {
	case c.resume <- struct{}{}:
	default:
	}
}

// settled tells the subscribers that the best branch rests.
func (c *Chain) settled() {
	c.mu.Lock()
	for n := range c.candidates {
		if !c.rivals(n, c.tip()) {
			delete(c.candidates, n)
		}
	}
	c.mu.Unlock()
	c.emit(Event{Kind: Settled, Info: c.Best()})
}

// pickCandidate returns the block that should be the tip, or nil when the
// tip already is the best. A tip that was marked as failed gives way to the
// best block below it.
func (c *Chain) pickCandidate() *node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	best := c.base()
	if c.sealed() {
		if best = c.pickSealed(best); best == c.tip() {
			return nil
		}
		return best
	}
	for n := range c.candidates {
		if !n.failed() && better(n, best) && !c.tooDeepLocked(n) {
			best = n
		}
	}
	if best == c.tip() {
		return nil
	}
	return best
}

// advanceTo is connectTo with bodies that it reads ahead, where there are
// several blocks. fresh, if not nil, is one that need not be read.
func (c *Chain) advanceTo(ctx context.Context, target *node, fresh *consensus.Block) (moved bool, err error) {
	var bodies *readAhead
	if target.height > c.tip().height+1 {
		bodies = c.readTo(ctx, target, fresh)
		defer bodies.end()
	}
	return c.connectTo(ctx, target, fresh, bodies)
}

// connectTo connects the blocks from the tip, exclusive, to target. It
// reports whether the tip moved. A block that breaks a rule is marked and
// ends the walk without an error.
func (c *Chain) connectTo(ctx context.Context, target *node, fresh *consensus.Block, bodies *readAhead) (moved bool, err error) {
	for c.tip() != target {
		if err := ctx.Err(); err != nil {
			return moved, err
		}
		n := target.ancestor(c.tip().height + 1)
		if err := c.connectTip(ctx, n, fresh, bodies); err != nil {
			if c.dropped(n, err) {
				err = nil
			}
			return moved, err
		}
		moved = true
		if err := c.maybeFlush(); err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// dropped takes n, which could not be connected, out of the choice if err says
// that it has no place there. Other errors are for the caller.
func (c *Chain) dropped(n *node, err error) bool {
	rule := consensus.AsRule(err)
	switch {
	case rule != nil && rule.Mutated:
		// The record is whole, but another body may belong to that header: it
		// came with block files that were put there.
		c.loseDamaged(n, err)
	case rule != nil:
		c.markFailed(n, rule)
	case errors.Is(err, errLost): // no longer a candidate until it is fetched again
	case errors.Is(err, ErrUndecided):
		c.putAside(n)
	default:
		return false
	}
	return true
}

// putAside takes n and what stands on it out of the choice, until the blocks
// below a UTXO snapshot are checked, or the next start.
func (c *Chain) putAside(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range n.tree() {
		delete(c.candidates, d)
	}
}

// connectTip makes n, a child of the tip, the tip. Nothing changes before it
// has passed all rules. Its body is fresh, or comes from disk.
func (c *Chain) connectTip(ctx context.Context, n *node, fresh *consensus.Block, bodies *readAhead) error {
	began := c.cfg.Now()
	b := fresh
	if b == nil || b.Hash != n.hash {
		var err error
		if b, err = c.loadGood(n, bodies); err != nil {
			return err
		}
	}
	if err := c.decideOn(n, b, c.stateAfter(n.parent)); err != nil {
		return err
	}
	known := n.status&statusValid != 0 // written under change, which we hold
	view, spent, after, err := c.connectView(ctx, b, n, known)
	if err != nil {
		return err
	}
	var scripts *scriptCheck
	if !known {
		scripts = c.beginScripts(b, n, spent)
	}
	undo := utxo.EncodeUndo(spent) // while scripts are checked
	if err := scripts.wait(ctx); err != nil {
		return err
	}
	if scripts != nil && scripts.ahead {
		c.cfg.Metrics.ahead.Inc()
	}
	if err := c.keepUndo(n, undo); err != nil {
		return err
	}
	c.mu.Lock()
	c.cache.Apply(view)
	n.status = n.status&^statusPruned | statusValid
	c.touch(n)
	c.best = append(c.best, n)
	delete(c.candidates, n)
	c.enterLocked(n, after)
	c.mu.Unlock()
	c.lookahead.connected(n.hash)
	c.cfg.Metrics.connected(n, c.cfg.Now().Sub(began), c.cache)
	c.emit(Event{Kind: Connected, Block: b, Info: c.info(n), Spent: spent, Permissions: after.changed(n.height)})
	c.decideChildren(n, after.state)
	return nil
}

// disconnectTip makes the parent of the tip the tip.
func (c *Chain) disconnectTip(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := c.tip()
	if n.parent == nil {
		return errors.New("the genesis block cannot be disconnected")
	}
	if c.belowSnapshot(n) {
		return fmt.Errorf("disconnect block %v at height %d: %w", n.hash, n.height, ErrBelowSnapshot)
	}
	b, spent, err := c.loadWhole(n)
	if err != nil {
		return err
	}
	view, err := c.disconnectView(b, n, spent)
	if err != nil {
		return c.fatal(fmt.Sprintf("disconnect block %v", n.hash), err)
	}
	c.mu.Lock()
	c.cache.Apply(view)
	c.best = c.best[:len(c.best)-1]
	c.considerLocked(n)
	before := c.leaveLocked(n)
	c.mu.Unlock()
	c.cfg.Metrics.at(n.parent, c.cache)
	c.emit(Event{Kind: Disconnected, Block: b, Info: c.info(n), Spent: spent, Permissions: before.changed(n.height)})
	return c.maybeFlush()
}

// loadWhole reads what it takes to disconnect n. Undo data comes from no
// peer, nor does anybody ask for blocks of a branch that has lost: where they
// are damaged the node stops, rather than stay on that branch for ever.
func (c *Chain) loadWhole(n *node) (b *consensus.Block, spent [][]consensus.Coin, err error) {
	if b, err = c.loadBody(n); err == nil {
		spent, err = c.loadUndo(n, b)
	}
	if errors.Is(err, ErrPruned) {
		return nil, nil, fmt.Errorf("disconnect block %v at height %d: %w", n.hash, n.height, ErrTooDeep)
	}
	var damage *store.DamageError // says itself what helps
	if errors.Is(err, ErrNoData) {
		err = fmt.Errorf("%w; start once with --reindex-chainstate", err)
	}
	if errors.As(err, &damage) || errors.Is(err, ErrNoData) {
		err = c.fatal(fmt.Sprintf("disconnect block %v at height %d", n.hash, n.height), err)
	}
	return b, spent, err
}

// loadBody reads the block of n from disk. A damaged record loses "have
// data", so that the block is fetched again; it says nothing about whether
// the block is valid. change held.
func (c *Chain) loadBody(n *node) (*consensus.Block, error) {
	b, err := c.readBody(n)
	var damage *store.DamageError
	if errors.As(err, &damage) {
		c.loseDamaged(n, err)
		return nil, errors.Join(errLost, err)
	}
	return b, err
}

// loadGood is loadBody for a block that is to be connected, which may have
// been read ahead.
func (c *Chain) loadGood(n *node, bodies *readAhead) (*consensus.Block, error) {
	b := bodies.body(n)
	if b == nil {
		var err error
		if b, err = c.loadBody(n); err != nil {
			return nil, err
		}
	}
	return b, c.checkStored(b, n)
}

// loseDamaged forgets the body of n, and remembers why.
func (c *Chain) loseDamaged(n *node, why error) {
	c.faults.note(n.hash, why, -1, c.cfg.Now())
	c.loseBody(n)
}

// errLost marks a body whose record turned out to be damaged.
var errLost = errors.New("stored block is damaged and has to be fetched again")

// loseBody forgets the body of n, whose record on disk is damaged. Unless n
// is on the best branch its descendants wait for the body to come back.
func (c *Chain) loseBody(n *node) {
	c.log.Error("block record is damaged, the block has to be fetched again", "hash", n.hash, "height", n.height)
	c.mu.Lock()
	defer c.mu.Unlock()
	n.status &^= statusData
	c.touch(n)
	if c.onBest(n) {
		if c.belowSnapshot(n) {
			c.snap.missing = min(c.snap.missing, n.height)
		}
		return
	}
	for _, d := range n.tree() {
		if d.chainTxs == 0 {
			continue
		}
		d.chainTxs = 0
		delete(c.candidates, d)
		if d != n {
			c.unlinked[d.parent] = append(c.unlinked[d.parent], d)
		}
	}
}
