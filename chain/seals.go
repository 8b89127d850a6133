package chain

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/permission/record"
)

// Bounds of the list of double seals: the newest ones of each member, so that
// one who makes many does not hide what others do, and the newest of all.
const (
	maxDoubles       = 256
	maxMemberDoubles = 16
)

// DoubleSeal is two different blocks that one member sealed on one parent.
// That breaks no rule; who does it by design can undo his own payments.
type DoubleSeal struct {
	Member        record.MemberID
	Height        int32
	First, Second chainhash.Hash // in the order in which they came

	parent chainhash.Hash
}

// DoubleSeals lists double seals seen since the start, the oldest first: of each
// member and parent one, whatever else he sealed there.
func (c *Chain) DoubleSeals() []DoubleSeal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.doubles)
}

// seeDouble lists n if its member sealed another block on its parent. change
// held.
func (c *Chain) seeDouble(n *node) {
	if n.undecided() {
		return
	}
	for s := n.parent.child; s != nil; s = s.sibling {
		if s == n || s.undecided() || s.seal.member != n.seal.member || s.seal.variant == n.seal.variant {
			continue
		}
		c.listDouble(DoubleSeal{Member: n.seal.member, Height: n.height, First: s.hash, Second: n.hash, parent: n.parent.hash})
		return
	}
}

// listDouble adds d, and forgets older ones where there are too many.
func (c *Chain) listDouble(d DoubleSeal) {
	byMember, first := 0, -1
	for i := range c.doubles { // written under change, which we hold
		if c.doubles[i].Member != d.Member {
			continue
		}
		if c.doubles[i].parent == d.parent {
			return
		}
		if byMember++; first < 0 {
			first = i
		}
	}
	c.mu.Lock()
	switch {
	case byMember >= maxMemberDoubles:
		c.doubles = slices.Delete(c.doubles, first, first+1)
	case len(c.doubles) >= maxDoubles:
		c.doubles = slices.Delete(c.doubles, 0, 1)
	}
	c.doubles = append(c.doubles, d)
	c.mu.Unlock()
	c.cfg.Metrics.doubles.Inc()
	level := slog.LevelInfo
	if byMember >= maxMemberDoubles {
		level = slog.LevelDebug // he is known for it
	}
	c.log.Log(context.Background(), level, "member sealed two blocks on one parent", "member", d.Member, "height", d.Height, "first", d.First, "second", d.Second)
}

// Sealing is who made a block of the best branch.
type Sealing struct {
	Height  int32
	Hash    chainhash.Hash
	Member  record.MemberID
	Key     [32]byte // x-only
	Restart bool
}

// Sealers returns who made the last n blocks of the best branch, the newest
// first: fewer where the chain is shorter, or they are not known below a UTXO
// snapshot, none where blocks carry no seals.
func (c *Chain) Sealers(n int) []Sealing {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var list []Sealing
	for at := c.tip(); at.seal != nil && !at.unnamed() && len(list) < n; at = at.parent {
		list = append(list, Sealing{at.height, at.hash, at.seal.member, at.seal.key, at.seal.restart})
	}
	return list
}

// MaySeal reports whether the key (x-only) may seal a block on top of the best
// one, now that the last ones are sealed by whom they are. The error, where it
// may not, is a *consensus.RuleError.
func (c *Chain) MaySeal(key [32]byte) (record.MemberID, error) {
	if !c.sealed() {
		return record.MemberID{}, fmt.Errorf("chain %s: blocks carry no seals", c.p.Name)
	}
	c.mu.RLock()
	tip, state := c.tip(), c.perm.tip
	c.mu.RUnlock()
	height := tip.height + 1
	member, err := state.CheckSealer(key, height)
	if err != nil {
		return member, err
	}
	next := node{parent: tip, height: height}
	return member, next.checkDiversity(member, state.LookBack(height))
}
