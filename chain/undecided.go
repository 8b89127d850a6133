package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Bounds of what is kept of blocks whose sealers cannot be judged yet.
const (
	// MaxUndecided is how many undecided headers are kept for one source, and
	// how far above the last validated block of their branch they may be.
	MaxUndecided = 2048

	// maxSiblings is how many headers without bodies, by one member on one
	// parent, are decided. What he seals besides stays undecided.
	maxSiblings = 8

	// maxHeirs is of how many further sources it is noted that they offered
	// an undecided header.
	maxHeirs = 3

	// maxVariants is how many headers of one block's variants, without bodies,
	// are known to be such and kept all the same.
	maxVariants = 4

	// maxSpares is how many second variants of blocks are remembered, in case
	// that somebody builds on them.
	maxSpares = 64
)

var (
	// ErrUndecided is returned for a header whose sealer cannot be judged yet
	// and for which there is no room until blocks below it are validated.
	ErrUndecided = errors.New("too far above the blocks that are validated to be judged yet")

	// ErrVariant is returned for a second variant of a known block, which
	// signs the same as that one. It is kept once a block builds on it.
	ErrVariant = errors.New("another variant of a known block")
)

// SealedHeader is a header with the proof of who made the block.
type SealedHeader struct {
	Header wire.BlockHeader
	Proof  *seal.Proof
}

// AcceptSealed is AcceptHeaders for chains on which mining is restricted.
// A header whose parent is validated is judged by who may do what; others are
// undecided, and kept in memory until their parents are or ForgetSource is
// called for the source, which names who brought them. Besides the errors of
// AcceptHeaders: ErrNoProof, ErrUndecided, ErrVariant.
func (c *Chain) AcceptSealed(ctx context.Context, headers []SealedHeader, source [32]byte) (BlockInfo, error) {
	c.change.Lock()
	defer c.change.Unlock()
	var last BlockInfo
	for i := range headers {
		if err := ctx.Err(); err != nil {
			return last, err
		}
		h := &headers[i]
		hash := h.Header.BlockHash()
		offer := headerOffer{proof: h.Proof, source: source}
		offer.built = i+1 < len(headers) && headers[i+1].Header.PrevBlock == hash
		n, err := c.acceptHeader(&h.Header, offer)
		if err != nil {
			c.noteOffer(hash, 0, err)
			return last, fmt.Errorf("header %v: %w", hash, err)
		}
		last = c.info(n)
	}
	return last, nil
}

// ForgetSource says that nobody is left who brought headers under this name:
// those that are undecided and of which no body came count for another source
// that offered them too, if that has room, or else are forgotten.
func (c *Chain) ForgetSource(source [32]byte) {
	c.change.Lock()
	defer c.change.Unlock()
	if len(c.undecided) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*node
	for _, n := range c.index {
		if !n.bare() {
			continue
		}
		n.seal.heirs = slices.DeleteFunc(n.seal.heirs, func(s [32]byte) bool { return s == source })
		if n.seal.source == source {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *node) int { return cmp.Compare(a.height, b.height) })
	for _, n := range list {
		c.inheritLocked(n)
	}
	// From the highest on: what others still build on stays.
	for _, n := range slices.Backward(list) {
		if n.seal.source == source && n.child == nil {
			c.removeLocked(n)
		}
	}
}

// offeredBy notes that a source, besides the one that brought it, has n. change
// held.
func (n *node) offeredBy(source [32]byte) {
	if n.seal == nil || !n.seal.counted || source == ([32]byte{}) || source == n.seal.source || len(n.seal.heirs) >= maxHeirs || slices.Contains(n.seal.heirs, source) {
		return
	}
	n.seal.heirs = append(n.seal.heirs, source)
}

// inheritLocked makes n, an undecided header, count for the first source with
// room that offered it too.
func (c *Chain) inheritLocked(n *node) {
	for i, heir := range n.seal.heirs {
		if c.undecided[heir] >= c.maxUndecided {
			continue
		}
		c.uncount(n)
		n.seal.source, n.seal.heirs = heir, n.seal.heirs[i+1:]
		c.count(n)
		return
	}
}

// bare reports whether n is an undecided header, of which no body came.
func (n *node) bare() bool { return n.undecided() && n.txCount == 0 && !n.dirty }

// roomFor checks the bounds of undecided blocks before n becomes one.
func (c *Chain) roomFor(n *node, body bool) error {
	if !body && c.undecided[n.seal.source] >= c.maxUndecided {
		return fmt.Errorf("%w: %d headers of one source wait already", ErrUndecided, c.maxUndecided)
	}
	at := n.parent
	for at.status&statusValid == 0 { // written under change, which we hold; genesis is valid
		if int(n.height-at.height) >= c.maxUndecided {
			return fmt.Errorf("%w: height %d is more than %d above the last validated block of its branch", ErrUndecided, n.height, c.maxUndecided)
		}
		at = at.parent
	}
	return nil
}

// crowded reports whether member has so many headers besides n on n's parent
// that n has to wait for its body: each that is decided is kept for ever, and
// costs him little. change held.
func crowded(n *node, member record.MemberID) bool {
	count := 0
	for s := n.parent.child; s != nil; s = s.sibling {
		if s != n && s.txCount == 0 && !s.undecided() && s.seal.member == member {
			count++
		}
	}
	return count >= maxSiblings
}

// decideBody judges who sealed n, whose body is here now, if that can be told.
// change held.
func (c *Chain) decideBody(n *node, b *consensus.Block) error {
	if n.seal == nil || !n.undecided() || n.seal.unseen() {
		return nil
	}
	parent := c.presumedAfter(n.parent)
	if parent == nil {
		return nil
	}
	_, cert, err := seal.Find(b.Txs[0].Msg)
	if err != nil {
		return err
	}
	member, err := c.decide(n, parent, cert)
	if rule := consensus.AsRule(err); rule != nil {
		c.refuse(n, rule)
		return err
	}
	if err == nil {
		c.decided(n, member, parent)
	}
	return nil
}

// count notes that n, if it is undecided, takes room of its source's.
func (c *Chain) count(n *node) {
	if n.undecided() && !n.seal.counted {
		n.seal.counted = true
		c.undecided[n.seal.source]++
		c.cfg.Metrics.undecided.Inc()
	}
}

// uncount gives the room back. change held.
func (c *Chain) uncount(n *node) {
	if n.seal == nil || !n.seal.counted {
		return
	}
	n.seal.counted = false
	c.cfg.Metrics.undecided.Dec()
	if c.undecided[n.seal.source]--; c.undecided[n.seal.source] <= 0 {
		delete(c.undecided, n.seal.source)
	}
}

// refuse ends the wait of an undecided block that breaks a rule. It is only
// remembered where its body, or that of one that stands on it, is here: else
// it would cost too little to make us remember many.
func (c *Chain) refuse(n *node, rule *consensus.RuleError) {
	c.mu.Lock()
	tree := n.tree()
	for _, d := range tree {
		if !d.bare() {
			c.mu.Unlock()
			c.markFailed(n, rule)
			return
		}
	}
	slices.Reverse(tree) // children first
	for _, d := range tree {
		c.removeLocked(d)
	}
	c.mu.Unlock()
	c.strange.note(n.hash, rule, -1, c.cfg.Now())
	c.log.Info("header refused", "hash", n.hash, "height", n.height, "rule", string(rule.Rule), "detail", rule.Detail)
}

// tree returns n and its descendants, parents first. mu held.
func (n *node) tree() []*node {
	list := []*node{n}
	for i := 0; i < len(list); i++ {
		for child := list[i].child; child != nil; child = child.sibling {
			list = append(list, child)
		}
	}
	return list
}

// removeLocked takes an undecided header without children out of the index.
func (c *Chain) removeLocked(n *node) {
	c.uncount(n)
	delete(c.index, n.hash)
	for at := &n.parent.child; *at != nil; at = &(*at).sibling {
		if *at == n {
			*at = n.sibling
			return
		}
	}
}

// variantOf returns a block that breaks no rule, of which n is another variant
// that is not wanted: the one that came first, if there are several. Anybody can
// make a variant's header by another nonce. So one whose body is not here keeps no
// body out, nor a few headers that others brought: it may have no body at all.
// change held.
func (c *Chain) variantOf(n *node, body bool) *node {
	var first *node
	bare, whole, again := 0, false, false
	for s := n.parent.child; s != nil; s = s.sibling { // the newest first
		if s == n || s.seal.variant != n.seal.variant || s.failed() {
			continue
		}
		first = s
		if s.txCount > 0 {
			whole = true
		} else {
			bare++
			again = again || s.seal.source == n.seal.source
		}
	}
	if whole || !body && (again || bare >= maxVariants) {
		return first
	}
	return nil
}

// spares are second variants of blocks, which nobody builds on. The oldest is
// forgotten first. Written under both locks. Their bodies wait among the
// orphans.
type spares []*node

func (s *spares) add(n *node) {
	if slices.ContainsFunc(*s, func(other *node) bool { return other.hash == n.hash }) {
		return
	}
	if len(*s) == maxSpares {
		*s = slices.Delete(*s, 0, 1)
	}
	*s = append(*s, n)
}

func (s *spares) has(hash chainhash.Hash) bool {
	return slices.ContainsFunc(*s, func(n *node) bool { return n.hash == hash })
}

func (s *spares) get(hash chainhash.Hash) *node {
	if i := slices.IndexFunc(*s, func(n *node) bool { return n.hash == hash }); i >= 0 {
		return (*s)[i]
	}
	return nil
}

func (s *spares) drop(n *node) {
	*s = slices.DeleteFunc(*s, func(other *node) bool { return other == n })
}

// keepSpare adds a second variant to the index after all, since a good header
// builds on it. It reports false if its own parent is there no more, or breaks
// a rule. change held.
func (c *Chain) keepSpare(n *node) bool {
	c.mu.Lock()
	c.spares.drop(n)
	c.mu.Unlock()
	if c.index[n.parent.hash] != n.parent || n.parent.failed() { // written under change
		return false
	}
	c.count(n)
	c.seeDouble(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepHeaderLocked(n)
	return true
}

// canBuildOn reports whether a block on top of that one need not wait for it:
// it is in the index, or would be then.
func (c *Chain) canBuildOn(hash chainhash.Hash) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.index[hash] != nil || c.spares.has(hash)
}

// adoptVariant accepts the body of b's parent, if that is a second variant that
// nobody wanted until b stood on it. It returns what became of b.
func (c *Chain) adoptVariant(ctx context.Context, b *consensus.Block, result Result) Result {
	parent := c.orphans.take(b.Header.PrevBlock)
	if parent == nil {
		return result
	}
	if _, err := c.acceptBlock(ctx, parent); err != nil {
		c.log.Debug("variant refused", "hash", parent.Hash, "err", err)
		return result
	}
	if n := c.index[b.Hash]; n != nil && c.onBest(n) {
		return ResultConnected
	}
	return result
}
