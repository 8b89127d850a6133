package permission

import (
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// speaker is an input that speaks for a member's key in force.
type speaker struct {
	input  int
	member *Member
	key    *Key
}

func (sp *speaker) voter() Voter {
	key, _ := record.ScriptKey(sp.key.Identity)
	return Voter{sp.member.ID, key}
}

// speakers returns who speaks in a transaction, in the order of inputs.
// coins[i] is what input i spends.
func (s *State) speakers(tx *wire.MsgTx, coins []consensus.Coin, h int32) []speaker {
	var list []speaker
	for i, in := range tx.TxIn {
		if !record.Speaks(in, &coins[i]) {
			continue
		}
		if m, k := s.holder(coins[i].Script); m != nil && k.In(h) {
			list = append(list, speaker{i, m, k})
		}
	}
	return list
}

// authority is what the speakers of a transaction may do about one record,
// as the state after the parent says.
type authority struct {
	own    *speaker  // the first that manages the member whose key it is
	votes  []Voter   // of administering members
	first  *Member   // the first of them in the order of inputs
	lone   []speaker // activators that may decide it alone
	inputs []int     // those that any of this comes from
}

// authorityOver finds out who of the speakers has a say in a record.
func (s *State) authorityOver(r record.Record, speakers []speaker, h int32) authority {
	var a authority
	about, _ := memberOf(r)
	_, ready := r.(record.Ready)
	activatable := s.activatable(r, h)
	for i := range speakers {
		sp := &speakers[i]
		say := ready && sp.member.ID == about // it carries the record, whose authority is its signature
		if keyOf(r) != nil && sp.member.ID == about && sp.key.acts(record.Manage, h) {
			say = true
			if a.own == nil {
				a.own = sp
			}
		}
		if !ready && sp.acts(record.Admin, h) {
			a.votes, say = append(a.votes, sp.voter()), true
			if a.first == nil {
				a.first = sp.member
			}
		}
		if activatable && sp.acts(record.Activate, h) {
			a.lone, say = append(a.lone, *sp), true
		}
		if say {
			a.inputs = append(a.inputs, sp.input)
		}
	}
	return a
}

// acts reports whether the key and its member may act in a role.
func (sp *speaker) acts(role record.Set, h int32) bool {
	return sp.key.acts(role, h) && sp.member.Holds(role, h)
}

// activatable reports whether one activator may decide a record.
func (s *State) activatable(r record.Record, h int32) bool {
	switch r := r.(type) {
	case record.CreateMember:
		return true
	case record.Grant:
		const basic = record.Connect | record.Send | record.Receive
		if !basic.Has(r.Permissions) {
			return false
		}
		m := s.member(r.Member)
		return m == nil || !takesAway(m, r, r.Permissions, h) ||
			!m.Holds(record.Admin, h) && !m.Holds(record.Mine, h) && !m.Holds(record.Activate, h)
	}
	return false
}

// takesAway reports whether a grant in block h ends or shortens a range of
// one of the permissions: a height after h that was in it is not any more.
func takesAway(m *Member, g record.Grant, perms record.Set, h int32) bool {
	after := begin(g.Range, h)
	for perm := range (g.Permissions & perms).Each() {
		before := begin(m.Range(perm), h)
		if !before.Empty() && (before.From < after.From || after.Until < before.Until) {
			return true
		}
	}
	return false
}

// begin cuts off what a change in block h cannot reach: all up to h. The
// empty range has one form, 0, 0.
func begin(r record.Range, h int32) record.Range {
	r.From = max(r.From, uint32(h)+1)
	if r.Empty() {
		return record.Range{}
	}
	return r
}

// need returns how many administering members decide a record.
func (s *State) need(r record.Record, h int32) int {
	switch r := r.(type) {
	case record.Grant:
		return s.Need(r.Permissions, h)
	case record.CreateMember:
		return s.Need(record.Connect, h)
	case record.AddKey, record.ChangeKey, record.RemoveKey:
		return s.Need(record.Manage, h)
	}
	return s.Need(record.Admin, h)
}

// Need returns how many administering members it takes at h to change all of
// the permissions: the most that one of them takes. Manage stands for the keys
// of another member (recovery).
func (s *State) Need(perms record.Set, h int32) int {
	const million = 1_000_000
	a, need := uint64(len(s.Administrators(h))), uint64(1)
	for perm := range perms.Each() {
		need = max(need, (uint64(s.rules.share[bitIndex(perm)])*a+million-1)/million)
	}
	if perms.Any(record.Admin | record.Mine | record.Manage) {
		need = max(need, a/2+1)
	}
	return int(need)
}

// count returns how many members the voters stand for: those that still
// administer by the key that they spoke with.
func (s *State) count(voters []Voter, h int32) int {
	n := 0
	var last *Member
	for i := range voters {
		m := s.member(voters[i].Member)
		if m == nil || m == last {
			continue
		}
		sp := speaker{member: m, key: m.key(record.KeyScript(voters[i].Key))}
		if sp.key != nil && sp.acts(record.Admin, h) {
			n, last = n+1, m
		}
	}
	return n
}

// setupAlone reports whether one of the administering members that speak, of
// which there are some, decides a record alone: in the set-up it may add
// members, keys and permissions, and whatever takes admin or mine from nobody.
func (s *State) setupAlone(r record.Record, by []Voter, h int32) bool {
	const guarded = record.Admin | record.Mine
	if h > s.rules.setup {
		return false
	}
	about, _ := memberOf(r)
	m := s.member(about)
	switch r := r.(type) {
	case record.Upgrade:
		return false
	case record.Grant:
		return m == nil || !takesAway(m, r, guarded, h)
	case record.ChangeKey, record.RemoveKey:
		if m == nil || slices.ContainsFunc(by, func(v Voter) bool { return v.Member == m.ID }) {
			return true
		}
		k := m.key(keyOf(r))
		return k == nil || !losesRoles(k, r, guarded, h)
	}
	return true
}

// losesRoles reports whether a key record ends or shortens one of the roles
// of a key.
func losesRoles(k *Key, r record.Record, roles record.Set, h int32) bool {
	before := begin(k.Range, h)
	if before.Empty() || !k.Roles.Any(roles) {
		return false
	}
	c, ok := r.(record.ChangeKey)
	if !ok {
		return true
	}
	after := begin(c.Range, h)
	return !c.Roles.Has(k.Roles&roles) || before.From < after.From || after.Until < before.Until
}
