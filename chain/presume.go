package chain

import (
	"context"
	"errors"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/utxo"
)

// Who sealed a branch is found out before the tip is left for it: blocks that
// nobody may seal cost nothing to make, and a node that went back to the fork
// for them would tell its subscribers of a reorganisation that never was.
//
// A block without records leaves the permissions as they were, if it breaks no
// rule; if it does, nothing above it counts. So those after it are presumed as
// soon as its body is here, and who sealed what stands on it is judged at once.
// What records come to depends on coins: a trial connects such a block in a
// view, above the best branch down to the fork, before the branch is taken.

// trialBytes is the memory for coins that a trial takes at most, roughly. A
// branch for which it does not suffice is taken as it is, and left again at
// the first block that nobody may seal.
const trialBytes = 256 << 20

// coinBytes is about what a view takes for a coin beside its script.
const coinBytes = 192

// plain reports whether b changes no permissions, if it breaks no rule.
func plain(b *consensus.Block) bool {
	if _, cert, err := seal.Find(b.Txs[0].Msg); err != nil || cert != nil {
		return false
	}
	return !slices.ContainsFunc(b.Txs, func(tx *consensus.Tx) bool {
		return slices.ContainsFunc(tx.Msg.TxOut, func(out *wire.TxOut) bool { return record.Claims(out.PkScript) })
	})
}

// presumedAfter returns the permissions after n, if it breaks no rule; nil
// where they are not known. change held.
func (c *Chain) presumedAfter(n *node) *permission.State {
	if state := c.stateAfter(n); state != nil {
		return state
	}
	return n.presumed
}

// presume notes the permissions after n, a block beside the best branch, if
// its body is here and leaves them as they were. It reports whether they were
// not known before. change held.
func (c *Chain) presume(n *node) bool {
	if n.seal == nil || n.undecided() || n.failed() || !n.plain || n.txCount == 0 || c.presumedAfter(n) != nil {
		return false
	}
	n.presumed = c.presumedAfter(n.parent)
	return n.presumed != nil
}

// presumeFrom presumes the permissions after n, whose body came, and judges
// what stands on it. change held.
func (c *Chain) presumeFrom(n *node) {
	if c.presume(n) {
		c.decideChildren(n, n.presumed)
	}
}

// foreseen reports whether the best branch may be left for target: no block of
// that branch is undecided any more. If not, a block turned out to be no part
// of the best branch, and another target has to be found. change held.
func (c *Chain) foreseen(ctx context.Context, target *node) (bool, error) {
	base := fork(c.tip(), target)
	if !c.sealed() || base == c.tip() {
		return true, nil // nothing is left
	}
	last := target
	for last != base && !last.undecided() {
		last = last.parent
	}
	t := trial{c: c, at: c.tip(), base: base}
	for height := base.height + 1; height <= last.height; height++ {
		n := target.ancestor(height)
		if n.failed() {
			return false, nil
		}
		err := t.judge(ctx, n, n == last)
		switch {
		case errors.Is(err, errTrialSize), errors.Is(err, ErrUnknownUpgrade):
			c.log.Info("branch is taken before it is known who sealed it", "to", target.hash, "height", target.height, "err", err)
			return true, nil
		case err != nil && t.with != nil && c.dropped(t.with, err):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// trial connects a branch in memory.
type trial struct {
	c    *Chain
	base *node      // where the branch leaves the best one
	at   *node      // whose coins the view shows: from the tip down to base, then up the branch
	with *node      // the block of the branch that is looked at; nil: one of the best branch
	view *utxo.View // nil: not needed so far
	used int64      // bytes of the view
}

// errTrialSize ends a trial that takes too much memory.
var errTrialSize = errors.New("too many coins for a trial of the branch")

// judge decides who sealed n, and finds the permissions after it unless it is
// the last one that matters. change held.
func (t *trial) judge(ctx context.Context, n *node, last bool) error {
	c := t.c
	if err := ctx.Err(); err != nil {
		return err
	}
	known := c.presumedAfter(n) != nil
	if !n.undecided() && known {
		return nil
	}
	t.with = n
	b, err := c.loadGood(n, nil)
	if err != nil {
		return err
	}
	if err := c.decideOn(n, b, c.presumedAfter(n.parent)); err != nil || last || known {
		return err
	}
	if n.plain = plain(b); !c.presume(n) {
		if err := t.moveTo(ctx, n.parent); err != nil {
			return err
		}
		after, err := t.connect(ctx, n, b)
		if err != nil {
			return err
		}
		n.presumed = after.state
	}
	c.decideChildren(n, n.presumed)
	return nil
}

// moveTo makes the view show the coins as of n, on the branch.
func (t *trial) moveTo(ctx context.Context, n *node) error {
	if t.view == nil {
		t.view = utxo.NewView(t.c.cache)
	}
	for t.at != t.base && t.c.onBest(t.at) {
		if err := t.disconnect(ctx); err != nil {
			return err
		}
	}
	for t.at != n {
		next := n.ancestor(t.at.height + 1)
		t.with = next
		b, err := t.c.loadGood(next, nil)
		if err != nil {
			return err
		}
		if _, err := t.connect(ctx, next, b); err != nil {
			return err
		}
	}
	return nil
}

// disconnect takes t.at, a block of the best branch, back.
func (t *trial) disconnect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := t.at
	t.with = nil
	b, spent, err := t.c.loadWhole(n)
	if err != nil {
		return err
	}
	if err := t.room(b, spent); err != nil {
		return err
	}
	if err := t.c.disconnectOn(t.view, b, n, spent); err != nil {
		return t.c.fatal("disconnect block "+n.hash.String()+" for a trial", err)
	}
	t.at = n.parent
	return nil
}

// connect adds n, a child of t.at, by all rules.
func (t *trial) connect(ctx context.Context, n *node, b *consensus.Block) (permissionsAfter, error) {
	c := t.c
	t.with = n
	known := n.status&statusValid != 0
	spent, after, err := c.judgeOn(ctx, t.view, b, n, c.presumedAfter(n.parent), known)
	var unread *coinError
	if errors.As(err, &unread) {
		return permissionsAfter{}, c.fatal("connect for a trial", err)
	}
	if err == nil && !known {
		err = c.checkScripts(ctx, b, n, spent)
	}
	if err == nil {
		err = t.room(b, spent)
	}
	if err != nil {
		return permissionsAfter{}, err
	}
	t.at = n
	return after, nil
}

// room counts what b adds to the view.
func (t *trial) room(b *consensus.Block, spent [][]consensus.Coin) error {
	for _, tx := range b.Txs {
		for _, out := range tx.Msg.TxOut {
			t.used += coinBytes + int64(len(out.PkScript))
		}
	}
	for _, coins := range spent {
		for i := range coins {
			t.used += coinBytes + int64(len(coins[i].Script))
		}
	}
	if t.used > t.c.trialBytes {
		return errTrialSize
	}
	return nil
}
