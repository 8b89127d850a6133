package minestatus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
)

// View is what is known of a chain and its members at one moment.
type View struct {
	State  *permission.State // judges the block after Height
	Height int32             // of the best block
	Time   time.Time         // its
	Now    time.Time

	Spacing      time.Duration
	SetupBlocks  int32
	SettleDepth  int32         // as the settings have it; the chain's rule makes it larger where need be
	RestartDelay time.Duration // least time of a restart block after the best one

	Last    map[record.MemberID]Block // the newest block of each member, as far back as was looked
	Present [][32]byte                // x-only keys of the nodes seen within Within; nil: not known
	Own     record.MemberID           // this node's member, if it mines; else zero
	Doubles []chain.DoubleSeal
	Forked  *chain.Conflict // conflicting history; nil: none
}

// Block is one that a member sealed.
type Block struct {
	Height int32
	Hash   chainhash.Hash
	Time   time.Time
}

// seenFor is how many times the spacing someone counts as seen for.
const seenFor = 3

// Within is for how long someone who was seen counts as seen lately.
func Within(spacing time.Duration) time.Duration { return seenFor * spacing }

// Status is how mining stands.
type Status struct {
	Height   int32 // of the best block; all else is about the next one
	Mining   int   // n: members that may mine and are active
	Required int   // w: blocks in a row need as many different members
	Seen     int   // of the n, those seen lately
	MayFail  int   // how many more of them may be lost before the chain stops
	Isolated bool  // fewer than w were seen

	SafeConfirmations int   // of a payment: w
	SettleDepth       int32 // blocks below the best one that are never left without an operator
	Settled           int32 // the height up to which that is so

	Members  []Member // that may mine, ascending by name
	Doubles  []chain.DoubleSeal
	Forked   *chain.Conflict
	Restart  Restart
	Warnings []string // what an operator should look at; conflicting history is chain.Warnings' to tell
}

// Member is one that may mine.
type Member struct {
	ID     record.MemberID
	Name   string
	Active bool   // counts: it was declared ready, long enough ago
	From   uint32 // height from which it is active; permission.Member.ActiveFrom
	Last   *Block // nil: none, as far back as was looked
	Seen   bool   // lately
	Own    bool   // it is this node's
}

// Restart says what a restart on the best block would take.
type Restart struct {
	From           time.Time // least time of the restart block
	Need           int       // administering members that have to sign
	Administrators []record.MemberID
}

// Build draws the conclusions of a view.
func Build(v *View) Status {
	next := v.Height + 1
	miners := v.State.Miners(next)
	s := Status{
		Height: v.Height, Mining: len(miners), Required: v.State.Required(next),
		Doubles: v.Doubles, Forked: v.Forked,
		Restart: Restart{From: v.Time.Add(v.RestartDelay), Need: v.State.NeedRestart(next), Administrators: v.State.Administrators(next)},
	}
	s.SafeConfirmations = s.Required
	s.SettleDepth = max(v.SettleDepth, int32(2*s.Required))
	s.Settled = min(v.Height, max(v.SetupBlocks, v.Height-s.SettleDepth, 0))
	present := v.present()
	for m := range v.State.Members() {
		active := slices.Contains(miners, m.ID)
		if !active && !m.May(record.Mine, next) {
			continue
		}
		one := Member{ID: m.ID, Name: m.Name, Active: active, From: m.ActiveFrom, Own: m.ID == v.Own}
		if b, ok := v.Last[m.ID]; ok {
			one.Last = &b
		}
		one.Seen = one.Own || present[m.ID] || one.Last != nil && v.Now.Sub(one.Last.Time) <= Within(v.Spacing)
		if active && one.Seen {
			s.Seen++
		}
		s.Members = append(s.Members, one)
	}
	slices.SortFunc(s.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	s.MayFail = max(0, s.Seen-s.Required)
	s.Isolated = s.Seen < s.Required
	s.Warnings = s.warnings(v.State)
	return s
}

// present returns the members of the nodes that were seen.
func (v *View) present() map[record.MemberID]bool {
	seen := make(map[record.MemberID]bool, len(v.Present))
	for _, key := range v.Present {
		if m, _, ok := v.State.ByIdentity(record.KeyScript(key)); ok {
			seen[m.ID] = true
		}
	}
	return seen
}

func (s *Status) warnings(state *permission.State) (list []string) {
	if missing := s.missing(); len(missing) > 0 && s.MayFail <= 1 {
		list = append(list, s.lossWarning(missing))
	}
	for _, d := range s.Doubles {
		name := d.Member.String()
		if m, ok := state.Member(d.Member); ok {
			name = m.Name
		}
		list = append(list, fmt.Sprintf("double sealing: %s sealed two blocks on one parent at height %d: %v and %v; ask it why, it can undo its own payments that way", name, d.Height, d.First, d.Second))
	}
	return list
}

func (s *Status) lossWarning(missing []string) string {
	seen := fmt.Sprintf("%d of %d members that mine were seen lately, %d are needed; missing: %s", s.Seen, s.Mining, s.Required, strings.Join(missing, ", "))
	switch {
	case s.Isolated:
		return "the chain stands still, or this node is cut off: " + seen
	case s.MayFail == 0:
		return "the loss of one more mining member stops the chain: " + seen
	}
	return "the loss of two more mining members stops the chain: " + seen
}

// missing returns the names of those that count and were not seen.
func (s *Status) missing() (names []string) {
	for i := range s.Members {
		if m := &s.Members[i]; m.Active && !m.Seen {
			names = append(names, m.Name)
		}
	}
	return names
}
