package chain

import (
	"fmt"
	"slices"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Which branch is best. Where mining is everybody's, function better says it:
// most work, of equal work the first one. Where blocks carry seals it is:
//
//   - Where branches part at a restart block, it wins against those without
//     one that have fewer blocks than w, the number of different members in a
//     row that its parent asks for: whoever they are, they are no majority.
//   - Most work wins.
//   - Of equal work: what the operator called precious; then, of variants of
//     one block, the one that came first; then the lower hash, so that miners
//     who are each barred on their own tip meet on one, also where these stand
//     on variants of one block.
//
// These rules say of two branches which is better, but not always of three in
// a circle. So a winner is found fork by fork, from the highest on: it depends
// on the set of branches only, not on their order, and a chain that rests on
// it stays there.

// bestOf returns the best of tips, which are good blocks, at least one. mu
// held.
func bestOf(tips []*node) *node {
	if len(tips) == 1 {
		return tips[0]
	}
	at := tips[0]
	for _, tip := range tips[1:] {
		at = fork(at, tip)
	}
	groups := make(map[*node][]*node) // by the block with which they leave at
	for _, tip := range tips {
		if tip != at {
			first := tip.ancestor(at.height + 1)
			groups[first] = append(groups[first], tip)
		}
	}
	winners := make([]*node, 0, len(groups))
	for _, group := range groups {
		winners = append(winners, bestOf(group))
	}
	return bestAt(at, winners)
}

// bestAt returns the best of tips, any two of which part at the block at.
func bestAt(at *node, tips []*node) *node {
	var best []*node // those with most work
	for _, tip := range withRestart(at, tips) {
		if len(best) > 0 {
			if more := tip.work.Cmp(best[0].work); more < 0 {
				continue
			} else if more > 0 {
				best = best[:0]
			}
		}
		best = append(best, tip)
	}
	if len(best) == 1 {
		return best[0]
	}
	winner, first := best[0], firstVariants(best)
	for _, tip := range best[1:] {
		if winsTie(tip, winner, first) {
			winner = tip
		}
	}
	return winner
}

// withRestart drops the tips that lose against a restart on the block at.
func withRestart(at *node, tips []*node) []*node {
	enough := int32(0) // 0: no restart that is decided
	for _, tip := range tips {
		enough = max(enough, tip.restartOn(at))
	}
	return slices.DeleteFunc(tips, func(tip *node) bool {
		return tip.restartOn(at) == 0 && tip.height-at.height < enough
	})
}

// restartOn returns w as of the block at, where n's branch has a restart block
// on it that may be there; else 0.
func (n *node) restartOn(at *node) int32 {
	return int32(n.ancestor(at.height + 1).seal.required)
}

// winsTie reports whether a is better than b, both of most work. first holds
// the first variant of each block among such tips.
func winsTie(a, b *node, first map[seal.VariantID]*node) bool {
	if a.precious != b.precious {
		return a.precious > b.precious
	}
	if later := first[a.seal.variant] != a; later != (first[b.seal.variant] != b) {
		return !later
	}
	return lowerHash(a, b)
}

// firstVariants returns, of the tips that are variants of one block, the one
// that came first.
func firstVariants(tips []*node) map[seal.VariantID]*node {
	first := make(map[seal.VariantID]*node, len(tips))
	for _, tip := range tips {
		if other := first[tip.seal.variant]; other == nil || cameBefore(tip, other) {
			first[tip.seal.variant] = tip
		}
	}
	return first
}

// cameBefore reports whether the body of a was stored before that of b.
func cameBefore(a, b *node) bool {
	if a.data.File != b.data.File {
		return a.data.File < b.data.File
	}
	return a.data.Offset < b.data.Offset
}

// lowerHash compares the hashes as numbers, as proof of work does.
func lowerHash(a, b *node) bool {
	for i := len(a.hash) - 1; i >= 0; i-- {
		if a.hash[i] != b.hash[i] {
			return a.hash[i] < b.hash[i]
		}
	}
	return false
}

// rivals reports whether n may be better than the block than, the tip: it has as
// much work, or there is a restart on its branch, which may be better than
// than's branch or than a third one. mu held.
func (c *Chain) rivals(n, than *node) bool {
	if !c.sealed() {
		return better(n, than)
	}
	if n.work.Cmp(than.work) >= 0 {
		return n != than
	}
	return n.restarts > 0 && n.restarts > fork(n, than).restarts
}

// settleDepth is how many blocks below the tip the branch is never left
// without the operator, at the tip's permissions.
func (c *Chain) settleDepth(state *permission.State, height int32) int32 {
	depth := c.cfg.SettleDepth
	if depth == 0 {
		depth = c.p.Policy.SettleDepth
	}
	return max(depth, int32(2*state.Required(height+1)))
}

// settledUpTo is the height up to which the best branch is not left without
// the operator: all of the set-up once it is over. mu held.
func (c *Chain) settledUpTo() int32 {
	if !c.sealed() {
		return -1
	}
	tip := c.tip()
	settled := tip.height - c.settleDepth(c.perm.tip, tip.height)
	if setup := c.p.Permissions.SetupBlocks; tip.height > setup {
		settled = max(settled, setup)
	}
	return settled
}

// conflictsLocked reports whether n's branch leaves the best one below what is
// settled, and the operator did not call it precious.
func (c *Chain) conflictsLocked(n *node) bool {
	return c.sealed() && n.precious == 0 && fork(c.tip(), n).height < c.settledUpTo()
}

// Conflict is a branch that would be the best one, but for leaving the best
// one further back than the chain settles. An operator has to decide.
type Conflict struct {
	Other BlockInfo // its last block
	Fork  BlockInfo // where it leaves the best branch
}

// Conflict returns the conflicting history that this node knows of, if there
// is one. Nobody should mine or rely on new payments meanwhile.
func (c *Chain) Conflict() (Conflict, bool) {
	if !c.sealed() {
		return Conflict{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	leaves := c.leavesLocked(c.tip(), func(n *node) bool { return !c.tooDeepLocked(n) })
	// What nobody follows must not hide a history that many do.
	leaves = slices.DeleteFunc(leaves, func(n *node) bool { return c.conflictsLocked(n) && !c.weighty(n) })
	best := bestOf(leaves)
	if best == c.tip() || !c.conflictsLocked(best) {
		return Conflict{}, false
	}
	return Conflict{c.infoLocked(best), c.infoLocked(fork(c.tip(), best))}, true
}

// showConflict keeps the metric of conflicting history. mu not held.
func (c *Chain) showConflict() {
	value := 0.0
	if _, ok := c.Conflict(); ok {
		value = 1
	}
	c.cfg.Metrics.conflicting.Set(value)
}

// Warnings says in sentences what an operator has to look at.
func (c *Chain) Warnings() []string {
	var list []string
	if f, ok := c.Conflict(); ok {
		list = append(list, fmt.Sprintf("conflicting history: the branch that ends in block %v at height %d would be better than the one that this node follows, "+
			"but leaves it at height %d, further back than blocks are ever undone (settle_depth); this node stays and does not mine. "+
			"Find out why the network was split. To change over: preciousblock %v", f.Other.Hash, f.Other.Height, f.Fork.Height, f.Other.Hash))
	}
	if err := c.UpgradeNeeded(); err != nil {
		list = append(list, err.Error())
	}
	if other := c.anchorWarning(); other != "" {
		list = append(list, other)
	}
	if halt := c.haltWarning(); halt != "" {
		list = append(list, halt)
	}
	return list
}

// pickSealed returns the best of base, the tip or a good block below it, and
// the candidates that may take its place. mu held.
func (c *Chain) pickSealed(base *node) *node {
	return bestOf(c.leavesLocked(base, func(n *node) bool { return !c.tooDeepLocked(n) && !c.conflictsLocked(n) }))
}

// leavesLocked returns base, and those candidates that may be better, are ok,
// and on which no other such candidate stands.
func (c *Chain) leavesLocked(base *node, ok func(*node) bool) []*node {
	viable := make(map[*node]bool)
	for n := range c.candidates {
		if n != base && !n.failed() && c.rivals(n, base) && ok(n) {
			viable[n] = true
		}
	}
	leaves := []*node{base}
	for n := range viable {
		covered := false
		for child := n.child; child != nil && !covered; child = child.sibling {
			covered = viable[child]
		}
		if !covered {
			leaves = append(leaves, n)
		}
	}
	return leaves
}

// weighty reports whether the branch of n has blocks of as many members as
// mining asks for where it leaves the best one. Others cannot be a history
// that anybody follows, and cost nothing to make.
func (c *Chain) weighty(n *node) bool {
	at := fork(c.tip(), n)
	state := c.perm.at(at.height)
	members := make(map[record.MemberID]bool)
	for ; n != at; n = n.parent {
		if member, err := state.CheckSealer(n.seal.key, at.height+1); err == nil {
			members[member] = true
		}
	}
	return len(members) >= state.Required(at.height+1)
}

// leftFor notes that the best branch left the tip from for target, or for some
// block on the way if one broke a rule or is lost. left are the tips to which
// the rules are not to lead back then. change held.
func (c *Chain) leftFor(from, target *node, left map[*node]bool) {
	switch {
	case !c.sealed():
	case c.tip() != target:
		clear(left)
	default:
		left[from] = true
		if target.work.Cmp(from.work) < 0 {
			c.rebuildCandidates() // some had too little work to be one so far
		}
	}
}
