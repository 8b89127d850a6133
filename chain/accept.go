package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Rules about a block's place in the tree.
const (
	// RuleBadParent: a block on top of one that breaks a rule.
	RuleBadParent consensus.Rule = "bad-prevblk"
	// RuleKnownInvalid: the block is known to break a rule.
	RuleKnownInvalid consensus.Rule = "duplicate-invalid"
)

// AcceptHeaders adds headers, each the child of the one before, to the
// index. It returns the last header that is in the index afterwards, also
// when a later one was refused: with a *consensus.RuleError, or with an
// error that says that no decision was possible (ErrUnknownParent,
// consensus.ErrNotYet, storage).
func (c *Chain) AcceptHeaders(ctx context.Context, headers []wire.BlockHeader) (BlockInfo, error) {
	c.change.Lock()
	defer c.change.Unlock()
	var last BlockInfo
	for i := range headers {
		if err := ctx.Err(); err != nil {
			return last, err
		}
		n, err := c.acceptHeader(&headers[i], headerOffer{})
		if err != nil {
			hash := headers[i].BlockHash()
			c.noteOffer(hash, 0, err)
			return last, fmt.Errorf("header %v: %w", hash, err)
		}
		last = c.info(n)
	}
	return last, nil
}

// acceptHeader checks one header and adds it to the index. change held.
func (c *Chain) acceptHeader(h *wire.BlockHeader, offer headerOffer) (*node, error) {
	if err := c.failure.get(); err != nil {
		return nil, err
	}
	hash := h.BlockHash()
	c.mu.RLock()
	known, parent := c.index[hash], c.index[h.PrevBlock]
	knownBad := known != nil && known.failed()
	parentBad := parent != nil && parent.failed()
	c.mu.RUnlock()
	switch {
	case knownBad:
		return nil, &consensus.RuleError{Rule: RuleKnownInvalid, Detail: c.whyInvalid(known)}
	case known != nil:
		known.offeredBy(offer.source)
		return known, c.seeSeal(known, offer)
	}
	if err := consensus.CheckHeader(h, c.p); err != nil {
		return nil, err
	}
	spare := parent == nil
	if spare {
		parent = c.spares.get(h.PrevBlock) // written under change
	}
	switch {
	case parent == nil:
		return nil, ErrUnknownParent
	case parentBad:
		return nil, &consensus.RuleError{Rule: RuleBadParent, Detail: c.whyInvalid(parent)}
	}
	if err := consensus.CheckHeaderContext(h, parent, c.p); err != nil {
		return nil, err
	}
	if err := consensus.CheckHeaderTime(h, c.cfg.Now(), c.p); err != nil {
		return nil, err
	}
	n := newNode(h, hash, parent)
	if err := c.checkAnchor(n); err != nil {
		return nil, err
	}
	if spare && !c.keepSpare(parent) {
		return nil, ErrUnknownParent
	}
	if c.sealed() {
		if err := c.admit(n, offer); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepHeaderLocked(n)
	return n, nil
}

// keepHeaderLocked adds a good header to the index.
func (c *Chain) keepHeaderLocked(n *node) {
	c.addLocked(n)
	c.touch(n)
	c.headerKnownLocked(n)
}

// headerKnownLocked makes n the best header if it is.
func (c *Chain) headerKnownLocked(n *node) {
	if n.undecided() {
		return
	}
	if n.work.Cmp(c.bestHeader.work) > 0 {
		c.bestHeader = n
	}
	c.cfg.Metrics.headers.Set(float64(c.bestHeader.height))
}

// addLocked adds n to the index.
func (c *Chain) addLocked(n *node) {
	c.index[n.hash] = n
	if n.parent != nil {
		n.sibling, n.parent.child = n.parent.child, n
	}
	if n.seal != nil {
		n.restarts = n.parent.restarts
		if n.seal.restart {
			n.restarts++
		}
	}
}

// AcceptBlock checks b and adds it to the chain; the best branch follows.
// It returns an error that holds a *consensus.RuleError when b breaks a
// rule, and any other error when no decision was possible: then the same
// block may be offered again.
func (c *Chain) AcceptBlock(ctx context.Context, b *consensus.Block) (Result, error) {
	c.change.Lock()
	defer c.change.Unlock()
	if c.sealed() {
		defer c.showConflict()
	}
	result, err := c.acceptBlock(ctx, b)
	if err != nil {
		c.lookahead.drop(b.Hash)
	}
	if err != nil || result == ResultOrphan {
		return result, err
	}
	if c.sealed() {
		result = c.adoptVariant(ctx, b, result)
	}
	c.adoptOrphans(ctx, b)
	return result, nil
}

// acceptBlock is AcceptBlock without the orphans that b may free.
func (c *Chain) acceptBlock(ctx context.Context, b *consensus.Block) (result Result, err error) {
	defer func() { c.noteOffer(b.Hash, result, err) }()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.acceptHeader(&b.Header, headerOffer{body: b})
	if errors.Is(err, ErrUnknownParent) {
		if err := consensus.CheckBlock(b, c.p); err != nil {
			return 0, err
		}
		c.orphans.add(b)
		return ResultOrphan, nil
	}
	if err != nil {
		return 0, err
	}
	// A block that is here goes on to activateBest too: the call that stored
	// it may have ended before it was judged.
	known, wasBest := n.status&statusData != 0, c.onBest(n) // written under change, which we hold
	if !known && wasBest && n.status&statusPruned != 0 {
		return ResultDuplicate, nil // was connected, and is not kept again
	}
	var fresh *consensus.Block
	if !known {
		if err := c.checkBody(b, n); err != nil {
			return 0, err
		}
		if err := c.decideBody(n, b); err != nil {
			return 0, err
		}
		if err := c.storeBody(b, n); err != nil {
			return 0, err
		}
		if c.sealed() {
			c.presumeFrom(n)
		}
		fresh = b
	}
	if err := c.activateBest(ctx, fresh); err != nil {
		return 0, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	switch {
	case n.failed():
		return 0, c.invalidLocked(n)
	case c.onBest(n) && !wasBest:
		return ResultConnected, nil
	case n.chainTxs > 0 && c.rivals(n, c.tip()) && c.tooDeepLocked(n):
		return 0, c.tooDeep(n)
	case known:
		return ResultDuplicate, nil
	}
	return ResultSide, nil
}

// checkBody applies the rules that need no coins. A broken one marks the
// block invalid, unless another body with the same header may be valid; below
// a snapshot that is not checked it makes that one wrong.
func (c *Chain) checkBody(b *consensus.Block, n *node) error {
	err := consensus.CheckBlock(b, c.p)
	if err == nil && n.parent != nil {
		err = consensus.CheckBlockContext(b, n.parent, c.p)
	}
	rule := consensus.AsRule(err)
	switch {
	case rule == nil || rule.Mutated:
	case c.belowSnapshot(n) && c.onBest(n):
		return c.noteWrong(c.snap, brokenBelow(n, rule))
	default:
		c.markFailed(n, rule)
	}
	return err
}

// encode returns the bytes of b: those it was decoded from, if it was. They
// must not be changed.
func encode(b *consensus.Block) ([]byte, error) {
	if raw := b.Raw(); raw != nil {
		return raw, nil
	}
	var buf bytes.Buffer
	buf.Grow(b.Size())
	if err := b.Msg().Serialize(&buf); err != nil {
		return nil, fmt.Errorf("encode block %v: %w", b.Hash, err)
	}
	return buf.Bytes(), nil
}

// storeBody appends b to the block files and links its node with its
// ancestors and descendants.
func (c *Chain) storeBody(b *consensus.Block, n *node) error {
	raw, err := encode(b)
	if err != nil {
		return err
	}
	loc, err := c.store.AppendBlock(b.Hash, raw)
	if err != nil {
		return c.fatal(fmt.Sprintf("store block %v", b.Hash), err)
	}
	if n.seal != nil {
		if err := c.keepBodyProof(b); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.data, n.txCount = loc, int32(len(b.Txs))
	n.status |= statusData
	n.plain = n.seal != nil && plain(b)
	c.uncount(n)
	c.touch(n)
	c.linkLocked(n)
	c.grown(loc.Size)
	if c.belowSnapshot(n) {
		c.tellBackground()
	}
	return nil
}

// linkLocked computes chainTxs of n, and of the descendants that waited for
// n's body, and makes those that are better than the tip candidates for it.
func (c *Chain) linkLocked(n *node) {
	if n.parent != nil && n.parent.chainTxs == 0 {
		c.unlinked[n.parent] = append(c.unlinked[n.parent], n)
		return
	}
	for todo := []*node{n}; len(todo) > 0; {
		n, todo = todo[0], todo[1:]
		n.chainTxs = int64(n.txCount)
		if n.parent != nil {
			n.chainTxs += n.parent.chainTxs
		}
		c.considerLocked(n)
		todo = append(todo, c.unlinked[n]...)
		delete(c.unlinked, n)
	}
}

// considerLocked makes n a candidate if it could be the next tip.
func (c *Chain) considerLocked(n *node) {
	if n.chainTxs > 0 && !n.failed() && (len(c.best) == 0 || c.rivals(n, c.base())) {
		c.candidates[n] = struct{}{}
	}
}

// base is the tip, or the last block below it where the tip is marked as
// failed: that a flush has stored, and the coins were not committed after it.
// The caller holds mu or change.
func (c *Chain) base() *node {
	n := c.tip()
	for n.failed() {
		n = n.parent
	}
	return n
}

// adoptOrphans accepts the blocks that waited for b. What is wrong with one
// of them is no fault of b's: it is logged and the block forgotten.
func (c *Chain) adoptOrphans(ctx context.Context, b *consensus.Block) {
	for todo := c.orphans.takeChildren(b.Hash); len(todo) > 0; {
		orphan := todo[0]
		todo = todo[1:]
		if _, err := c.acceptBlock(ctx, orphan); err != nil {
			c.log.Debug("early block refused", "hash", orphan.Hash, "err", err)
			continue
		}
		todo = append(todo, c.orphans.takeChildren(orphan.Hash)...)
	}
}

// markFailed records that n breaks rule, and that its descendants cannot be
// part of the best branch. n must not be on it.
func (c *Chain) markFailed(n *node, rule *consensus.RuleError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.status |= statusFailed
	n.broken = rule
	c.touch(n)
	delete(c.candidates, n)
	for _, d := range n.tree()[1:] {
		if !d.failed() {
			d.status |= statusFailedParent
			c.touch(d)
			delete(c.candidates, d)
		}
	}
	c.pickBestHeaderLocked()
	c.log.Info("block breaks a rule", "hash", n.hash, "height", n.height, "rule", string(rule.Rule), "detail", rule.Detail)
}

// pickBestHeaderLocked finds the header with the most work again.
func (c *Chain) pickBestHeaderLocked() {
	if c.bestHeader != nil && !c.bestHeader.failed() {
		return
	}
	c.bestHeader = c.base()
	for _, n := range c.index {
		if !n.failed() && !n.undecided() && n.work.Cmp(c.bestHeader.work) > 0 {
			c.bestHeader = n
		}
	}
}

func (c *Chain) whyInvalid(n *node) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for at := n; at != nil && at.failed(); at = at.parent {
		if at.status&statusFailed != 0 {
			return fmt.Sprintf("block %v at height %d: %s", at.hash, at.height, at.broken)
		}
	}
	return fmt.Sprintf("block %v is invalid", n.hash)
}

// invalidLocked is the error for a block that turned out to break a rule
// while it was being connected, or to stand on one that does.
func (c *Chain) invalidLocked(n *node) error {
	if n.status&statusFailed != 0 {
		return n.broken
	}
	return &consensus.RuleError{Rule: RuleBadParent, Detail: fmt.Sprintf("block %v stands on an invalid block", n.hash)}
}
