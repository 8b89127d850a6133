package permission

import (
	"bytes"
	"iter"
	"slices"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Member returns the member with an id.
func (s *State) Member(id record.MemberID) (Member, bool) { return value(s.member(id)) }

func value(m *Member) (Member, bool) {
	if m == nil {
		return Member{}, false
	}
	return *m, true
}

// ByName returns the member that has a name now.
func (s *State) ByName(name string) (Member, bool) {
	key, ok := nameOf(name)
	if !ok {
		return Member{}, false
	}
	id, ok := s.names.get(key)
	if !ok {
		return Member{}, false
	}
	return s.Member(id)
}

// ByIdentity returns the member that an identity belongs to, and the key
// that it is. The key may not be in force.
func (s *State) ByIdentity(script []byte) (Member, Key, bool) {
	m, k := s.holder(script)
	if m == nil {
		return Member{}, Key{}, false
	}
	return *m, *k, true
}

// Members yields all members, ascending by id.
func (s *State) Members() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for _, m := range s.sortedMembers() {
			if !yield(*m) {
				return
			}
		}
	}
}

func (s *State) sortedMembers() []*Member {
	list := make([]*Member, 0, s.members.len())
	for _, m := range s.members.all() {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *Member) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return list
}

// Count returns the number of members.
func (s *State) Count() int { return s.members.len() }

// Administrators returns the members that administer at h, ascending: they
// hold admin and have a key with that role in force.
func (s *State) Administrators(h int32) []record.MemberID {
	return ids(s.governing, func(m *Member) bool { return m.May(record.Admin, h) })
}

// Activators returns the members that may activate at h, ascending.
func (s *State) Activators(h int32) []record.MemberID {
	return ids(s.governing, func(m *Member) bool { return m.May(record.Activate, h) })
}

// Miners returns the members that count for the diversity of block h,
// ascending: they hold mine, have a key with that role in force, and are
// active.
func (s *State) Miners(h int32) []record.MemberID {
	return ids(s.mining, func(m *Member) bool { return m.mines(h) })
}

func (m *Member) mines(h int32) bool {
	p := m.mining(h)
	return p.ok && p.active <= uint32(h) && m.May(record.Mine, h)
}

func ids(list []*Member, is func(*Member) bool) []record.MemberID {
	var out []record.MemberID
	for _, m := range list {
		if is(m) {
			out = append(out, m.ID)
		}
	}
	return out
}

// Required returns w for block h: how many blocks in a row take as many
// different members. 0 where no member mines.
func (s *State) Required(h int32) int {
	n := countFunc(s.mining, func(m *Member) bool { return m.mines(h) })
	return seal.Required(n, s.rules.diversity)
}

// CheckSealer returns the member whose seal the key is at h. Whether the
// member has had its turn too recently is for the caller, who knows the
// blocks before. Errors are *consensus.RuleError.
func (s *State) CheckSealer(key [32]byte, h int32) (record.MemberID, error) {
	m, k := s.holder(record.KeyScript(key))
	if m == nil {
		return record.MemberID{}, broke(RuleSealNoMember, "the key %x is nobody's", key)
	}
	p := m.mining(h)
	switch {
	case !k.acts(record.Mine, h):
		return record.MemberID{}, broke(RuleSealNotMining, "the key %x of %s may not mine at height %d", key, m.Name, h)
	case !p.ok:
		return record.MemberID{}, broke(RuleSealNotMining, "%s may not mine at height %d", m.Name, h)
	case p.active == forever:
		return record.MemberID{}, broke(RuleSealNotActive, "%s was not declared ready to mine under its permission from height %d on", m.Name, p.since)
	case p.active > uint32(h):
		return record.MemberID{}, broke(RuleSealNotActive, "%s may seal from height %d on, not %d", m.Name, p.active, h)
	}
	return m.ID, nil
}

// LookBack returns the lowest height whose sealer counts for the diversity of
// block h: w-1 blocks back at most, no block of the set-up, and none below
// the last restart. It is h or more where none counts.
func (s *State) LookBack(h int32) int32 {
	back := h - int32(max(s.Required(h), 1)-1)
	return max(back, s.rules.setup+1, int32(s.restart))
}

// RestartHeight returns the height of the last restart block, 0 for none.
func (s *State) RestartHeight() int32 { return int32(s.restart) }

// ReadySince returns what a declaration that a member is ready has to say in
// block h. ok is false where none is to be made: the member may not mine at
// h, or was declared ready before.
func (s *State) ReadySince(id record.MemberID, h int32) (since uint32, ok bool) {
	m := s.member(id)
	if m == nil {
		return 0, false
	}
	p := m.mining(h)
	return p.since, p.ok && p.active == forever
}

// LoneLeft returns how many decisions a member may take alone in block h as
// far as their number goes. Whether it may activate is another matter.
func (s *State) LoneLeft(id record.MemberID, h int32) int {
	return max(0, LoneDecisions-len(s.loneAt(id, h)))
}

// Upgrades returns the rules that are scheduled or in force, ascending by
// name. The result must not be changed.
func (s *State) Upgrades() []Scheduled { return s.upgrades }

// ChangesAt reports whether a range begins or ends at h, or a member becomes
// active: who may do what is different from h on without a record.
func (s *State) ChangesAt(h int32) bool {
	n, _ := s.edges.get(heightKey(h))
	return n > 0
}

// Vote is a record that was voted for and has not lapsed.
type Vote struct {
	Record record.Record
	ID     [32]byte
	Voters []Voter         // all that spoke for it, ascending
	Opener record.MemberID // whose open record it is; zero if done
	Have   int             // members whose votes count at h; 0 if done
	Need   int             // members that it takes at h; 0 if done
	Lapse  uint32          // the last height at which it can be voted for
	Done   bool            // it has taken effect; more votes do nothing
}

// Pending returns the votes that have not lapsed at h, done ones too,
// ascending by lapse and id.
func (s *State) Pending(h int32) []Vote {
	var list []Vote
	for _, v := range s.sortedVotes() {
		if uint64(v.lapse()) < uint64(h) {
			continue
		}
		out := Vote{Record: v.rec, ID: record.ID(v.rec), Voters: slices.Clone(v.voters), Opener: v.opener, Lapse: v.lapse(), Done: v.done}
		if !v.done {
			out.Have, out.Need = s.count(v.voters, h), s.need(v.rec, h)
		}
		list = append(list, out)
	}
	slices.SortStableFunc(list, func(a, b Vote) int { return int(int64(a.Lapse) - int64(b.Lapse)) })
	return list
}

// sortedVotes returns pending and done votes, ascending by id.
func (s *State) sortedVotes() []*vote {
	type row struct {
		id voteKey
		v  *vote
	}
	rows := make([]row, 0, s.pending.len()+s.done.len())
	for _, t := range []table[voteKey, *vote]{s.pending, s.done} {
		for id, v := range t.all() {
			rows = append(rows, row{id, v})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.id[:], b.id[:]) })
	list := make([]*vote, len(rows))
	for i := range rows {
		list[i] = rows[i].v
	}
	return list
}

// NeedFor returns how many administering members decide a record in block h,
// where nobody may decide it alone.
func (s *State) NeedFor(r record.Record, h int32) int { return s.need(r, h) }
