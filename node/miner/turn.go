package miner

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// outlook is what a member knows when it decides if and when to seal the next
// block.
type outlook struct {
	state   *permission.State // judges the block
	height  int32             // of the block
	minTime time.Time         // that the rules allow it
	sealers []record.MemberID // of the blocks below, the parent's first; historyFor says how many
	key     [32]byte          // x-only, in force or not
	spacing time.Duration

	// held is the last moment at which something outside of the beat of
	// blocks kept the member from mining; zero: never.
	held time.Time

	// present reports whether a member that mines was seen lately; nil: it
	// is not asked. It says nothing about the member itself.
	present func(record.MemberID) bool
}

// turn is what follows from an outlook.
type turn struct {
	state  State  // StateMining, or what keeps the member from it for now
	reason string // in words; empty with StateMining
	member record.MemberID
	rank   int       // how many start before it
	at     time.Time // from when on it may publish, with StateMining
}

// historyFor is how many sealers an outlook needs where n members mine.
func historyFor(n int) int { return 4 * n }

// decide says whether the member whose key it is may seal the next block, and
// when it starts.
func (o *outlook) decide() turn {
	member, err := o.state.CheckSealer(o.key, o.height)
	if err != nil {
		return refused(err)
	}
	miners := o.state.Miners(o.height)
	if t := o.isolated(member, miners); t.state != "" {
		return t
	}
	barred := max(0, int(o.height-o.state.LookBack(o.height)))
	turns := o.wake(member, seal.TurnsFor(miners, o.sealers, barred), len(miners))
	rank, ok := turns.Rank(member)
	if !ok {
		need := o.state.Required(o.height)
		return turn{state: StateBarred, member: member,
			reason: fmt.Sprintf("other members have to seal first: %d blocks in a row need as many different members", need)}
	}
	start := o.minTime
	if o.held.After(start) {
		start = o.held
	}
	return turn{state: StateMining, member: member, rank: rank, at: start.Add(seal.Delay(rank, o.spacing))}
}

// refused says why a key may not seal.
func refused(err error) turn {
	t := turn{state: StateNotPermitted, reason: err.Error()}
	switch {
	case errors.Is(err, permission.RuleSealNoMember):
		t.state = StateNoMember
		t.reason = "the miner key belongs to no member of the chain: " + err.Error()
	case errors.Is(err, permission.RuleSealNotActive):
		t.state = StateNotActive
	}
	return t
}

// isolated holds a member that sees too few of the others: on its own side of
// a split it would make blocks that are undone. Fewer than Required members
// cannot go on for long anyway.
func (o *outlook) isolated(self record.MemberID, miners []record.MemberID) turn {
	if o.present == nil {
		return turn{}
	}
	need, seen := o.state.Required(o.height), 0
	for _, id := range miners {
		if id == self || o.present(id) {
			seen++
		}
	}
	if seen >= need {
		return turn{}
	}
	return turn{state: StateIsolated, member: self,
		reason: fmt.Sprintf("isolated: nodes of %d of %d members that mine were seen lately, this one included; %d are needed", seen, len(miners), need)}
}

// wake puts members at the end that let their turn pass more than once, and
// most likely are gone: nobody should wait for them before every block. A
// member that comes back counts itself as awake: it seals together with
// whoever else thinks that it is his turn, and of the two blocks the lower
// hash decides; until it succeeds.
func (o *outlook) wake(self record.MemberID, turns seal.Turns, n int) seal.Turns {
	patience := n + 2 // blocks; a member that lives seals once in n
	if len(o.sealers) < patience {
		return turns
	}
	lately := o.sealers[:patience]
	asleep := func(id record.MemberID) bool {
		if id == self || slices.Contains(lately, id) {
			return false
		}
		m, _ := o.state.Member(id)
		return int64(o.height)-int64(m.ActiveFrom) > int64(patience)
	}
	order := make(seal.Turns, 0, len(turns))
	var late seal.Turns
	for _, id := range turns {
		if asleep(id) {
			late = append(late, id)
		} else {
			order = append(order, id)
		}
	}
	return append(order, late...)
}
