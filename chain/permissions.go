package chain

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
)

// ErrUnknownUpgrade is returned for a block at or above the height for which
// the members scheduled a rule that this program does not know. It says
// nothing about the block.
var ErrUnknownUpgrade = errors.New("the members scheduled a rule that this version of the software does not know; upgrade it to follow the chain")

// permissionsAfter are the permissions after a block; zero on chains without.
type permissionsAfter struct {
	state *permission.State
	delta *permission.Delta // nil: they are as before it
}

// judge applies the rules of permissions to b on top of n.parent, after which
// parent says who may do what. known: the block was valid before. spent holds
// the coins that b's inputs spend.
func (c *Chain) judge(ctx context.Context, b *consensus.Block, n *node, parent *permission.State, spent [][]consensus.Coin, known bool) (permissionsAfter, error) {
	if c.perm == nil {
		return permissionsAfter{}, nil
	}
	if parent == nil {
		return permissionsAfter{}, fmt.Errorf("permissions as of block %v: %w", n.parent.hash, ErrNoData)
	}
	if err := c.knowsUpgrades(parent, n.height); err != nil {
		return permissionsAfter{}, err
	}
	judged, restart, err := c.judgedBy(b, n, parent)
	if err != nil {
		return permissionsAfter{}, err
	}
	if !known {
		if err := judged.CheckCoinbase(b.Txs[0], n.height); err != nil {
			return permissionsAfter{}, err
		}
		if err := checkTxs(ctx, judged, b.Txs[1:], spent, n.height); err != nil {
			return permissionsAfter{}, err
		}
	}
	if restart != nil {
		return permissionsAfter{judged, restart}, nil // the block holds no records
	}
	after, delta, err := judged.Apply(n.height, b.Txs[1:], spent)
	if err != nil {
		return permissionsAfter{}, err
	}
	return permissionsAfter{after, delta}, nil
}

// judgedBy returns the state by which b is judged: parent, the one after the
// block before, but for a block that restarts the chain, of which it also
// returns what that changes.
func (c *Chain) judgedBy(b *consensus.Block, n *node, parent *permission.State) (*permission.State, *permission.Delta, error) {
	if n.seal == nil || !n.seal.restart {
		return parent, nil, nil
	}
	_, cert, err := seal.Find(b.Txs[0].Msg)
	if err != nil {
		return nil, nil, err
	}
	return c.restarted(n, parent, cert)
}

// checkTxs judges transactions side by side. Of several errors it returns that
// of the first transaction.
func checkTxs(ctx context.Context, judged *permission.State, txs []*consensus.Tx, spent [][]consensus.Coin, height int32) error {
	const least = 64 // transactions that are worth a goroutine
	check := func(from, to int) error {
		for i := from; i < to; i++ {
			if err := judged.CheckTx(txs[i], spent[i], height); err != nil {
				return fmt.Errorf("transaction %v: %w", txs[i].TxID, err)
			}
		}
		return nil
	}
	parts := min(runtime.GOMAXPROCS(0), (len(txs)+least-1)/least)
	if parts <= 1 {
		return check(0, len(txs))
	}
	errs := make([]error, parts)
	var g errgroup.Group
	for p := range parts {
		g.Go(func() error {
			errs[p] = check(p*len(txs)/parts, (p+1)*len(txs)/parts)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// stateAfter returns the permissions after n; nil where they are not known:
// it was not connected since the start, or the chain has none.
func (c *Chain) stateAfter(n *node) *permission.State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.stateAfterLocked(n)
}

func (c *Chain) stateAfterLocked(n *node) *permission.State {
	if c.perm == nil {
		return nil
	}
	if c.onBest(n) {
		return c.perm.at(n.height)
	}
	return n.left
}

// Permissions returns who may do what after the best block; nil on chains
// without permissions.
func (c *Chain) Permissions() *permission.State {
	if c.perm == nil {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.perm.tip
}

// PermissionsAt returns who may do what after the block at height on the best
// branch. Below a UTXO snapshot, until the blocks there are checked, that is
// not known: false.
func (c *Chain) PermissionsAt(height int32) (*permission.State, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.perm == nil || height < 0 || int(height) >= len(c.best) {
		return nil, false
	}
	state := c.perm.at(height)
	return state, state != nil
}

// PermissionsOf returns who may do what after a block. Beside the best branch
// that is known only of blocks that were on it since the start; on it from a
// UTXO snapshot on, until the blocks below that are checked.
func (c *Chain) PermissionsOf(hash chainhash.Hash) (*permission.State, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.index[hash]
	if n == nil {
		return nil, false
	}
	state := c.stateAfterLocked(n)
	return state, state != nil
}

// changed reports whether the block at height, after which these hold, is one
// after which somebody may do what he could not, or the other way round.
func (a permissionsAfter) changed(height int32) bool {
	return a.state != nil && (a.delta != nil || a.state.ChangesAt(height+1))
}

// enterLocked notes the permissions after n, the new tip. change held too.
func (c *Chain) enterLocked(n *node, after permissionsAfter) {
	if c.perm == nil {
		return
	}
	n.left, n.presumed = nil, nil
	c.perm.push(n, after.state, after.delta)
	if after.changed(n.height) {
		c.cfg.Metrics.permitted(after.state, n.height+1)
	}
	if after.delta != nil {
		c.perm.save(n, after.delta)
	}
}

// leaveLocked takes back what n, the tip so far, changed of the permissions,
// and returns them as they were after it. change held too.
func (c *Chain) leaveLocked(n *node) permissionsAfter {
	if c.perm == nil {
		return permissionsAfter{}
	}
	n.left = c.perm.tip
	delta := c.perm.pop(n)
	if delta != nil || n.left.ChangesAt(n.height+1) {
		c.cfg.Metrics.permitted(c.perm.tip, n.height)
	}
	if delta != nil {
		c.perm.save(n, nil)
	}
	return permissionsAfter{n.left, delta}
}
