package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// ErrNotOnBest is returned where a block is expected to stand on the best
// one and does not.
var ErrNotOnBest = errors.New("does not stand on the best block")

// RuleByOperator marks a block that an operator declared invalid.
const RuleByOperator consensus.Rule = "invalidated-by-operator"

// Invalidate treats the block and its descendants as if they broke a rule,
// until Reconsider. The best branch moves away from them.
func (c *Chain) Invalidate(ctx context.Context, hash chainhash.Hash) error {
	c.change.Lock()
	defer c.change.Unlock()
	n := c.index[hash] // written under change, which we hold
	switch {
	case n == nil:
		return fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	case n.parent == nil:
		return errors.New("the genesis block cannot be invalidated")
	case n.failed():
		return nil
	case c.onBest(n) && c.belowSnapshot(n):
		return fmt.Errorf("block %v at height %d: %w", hash, n.height, ErrBelowSnapshot)
	case c.onBest(n) && n.height <= c.pruned:
		return fmt.Errorf("block %v at height %d, pruned up to %d: %w", hash, n.height, c.pruned, ErrTooDeep)
	}
	was := c.tip()
	for c.onBest(n) {
		if err := c.disconnectTip(ctx); err != nil {
			if c.tip() != was {
				c.settled()
			}
			c.leaveToRun(ctx, err)
			return err
		}
	}
	c.markFailed(n, &consensus.RuleError{Rule: RuleByOperator})
	c.rebuildCandidates()
	rests := c.tip()
	err := c.activateBest(ctx, nil)
	if rests != was && c.tip() == rests {
		c.settled() // activateBest did not move, so it did not say so
	}
	return err
}

// Reconsider takes back what Invalidate, or a broken rule, said of the
// block, its ancestors and its descendants; they are judged again.
func (c *Chain) Reconsider(ctx context.Context, hash chainhash.Hash) error {
	c.change.Lock()
	defer c.change.Unlock()
	n := c.index[hash]
	if n == nil {
		return fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	}
	c.mu.Lock()
	var failed []*node
	for _, other := range c.index {
		if !other.failed() {
			continue
		}
		failed = append(failed, other)
		related := other.ancestor(n.height) == n || n.ancestor(other.height) == other
		if related && other.status&statusFailed != 0 {
			other.status &^= statusFailed
			other.broken = nil
			c.touch(other)
		}
	}
	// Other branches may stand on an ancestor that is good again.
	slices.SortFunc(failed, func(a, b *node) int { return cmp.Compare(a.height, b.height) })
	for _, other := range failed {
		if other.status&statusFailedParent != 0 && !other.parent.failed() {
			other.status &^= statusFailedParent
			c.touch(other)
		}
	}
	c.bestHeader = c.tip()
	for _, other := range c.index {
		if !other.failed() && !other.undecided() && other.work.Cmp(c.bestHeader.work) > 0 {
			c.bestHeader = other
		}
	}
	c.mu.Unlock()
	c.rebuildCandidates()
	return c.activateBest(ctx, nil)
}

// rebuildCandidates looks at the whole index for blocks better than the tip.
func (c *Chain) rebuildCandidates() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.index {
		c.considerLocked(n)
	}
}
