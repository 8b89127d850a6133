package permission

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// State is who may do what after a block. It is immutable and safe for
// concurrent use; states of one chain share what they have in common.
//
// A height h as an argument is that of a block which the state judges: the
// state is that after its parent, or after an earlier block if none between
// changed anything.
type State struct {
	rules *rules

	members  table[memberKey, *Member]
	pending  table[voteKey, *vote]
	done     table[voteKey, *vote]
	upgrades []Scheduled // ascending by deployment
	lone     table[memberKey, []uint32]
	restart  uint32 // height of the last restart block; 0: none

	// What follows is derived from the rows above.

	names      table[nameKey, record.MemberID]
	identities table[identityKey, *Member]
	edges      table[heightKey, int] // how many ranges begin or end at a height
	mining     []*Member             // those that may mine some time, ascending by id
	governing  []*Member             // those that may administer or activate some time, ascending by id
	firstLapse uint32                // no vote lapses below it
}

// rules is what the chain file says.
type rules struct {
	genesis    chainhash.Hash
	restricted record.Set
	share      [permissionCount + 1]uint32 // ppm, by bit; that of keys under manage
	setup      int32
	diversity  uint32
}

func rulesOf(p *params.Params) *rules {
	r := &rules{
		genesis:    p.GenesisHash,
		restricted: record.FromParams(p.Permissions.Restricted) | record.Governing,
		setup:      p.Permissions.SetupBlocks,
		diversity:  p.Permissions.MiningDiversity,
	}
	for perm := range record.Permissions.Each() {
		r.share[bitIndex(perm)] = p.Permissions.Consensus[perm.Perm()]
	}
	r.share[bitIndex(record.Manage)] = p.Permissions.Consensus[params.PermKey]
	return r
}

// empty returns a state without members.
func empty(p *params.Params) *State {
	seed := maphash.MakeSeed()
	return &State{
		rules:      rulesOf(p),
		members:    newTable[memberKey, *Member](seed),
		pending:    newTable[voteKey, *vote](seed),
		done:       newTable[voteKey, *vote](seed),
		lone:       newTable[memberKey, []uint32](seed),
		names:      newTable[nameKey, record.MemberID](seed),
		identities: newTable[identityKey, *Member](seed),
		edges:      newTable[heightKey, int](seed),
		firstLapse: forever,
	}
}

// Genesis returns the state after the first block of a chain with
// permissions. Its members hold what the chain file gives them from height 0
// for ever, and those that mine are active at once.
func Genesis(p *params.Params) *State {
	s := empty(p)
	for i := range p.Genesis.Members {
		from := &p.Genesis.Members[i]
		m := &Member{Name: from.Name, ID: record.NewMemberID(from.Name, from.Keys[0].Script)}
		for perm := range record.FromParams(from.Permissions).Each() {
			m.Perms[bitIndex(perm)] = record.Range{Until: forever}
		}
		if m.Range(record.Mine).In(0) || m.Range(record.Admin).In(0) {
			m.MineUntil = forever
		}
		for _, k := range from.Keys {
			m.Keys = append(m.Keys, Key{bytes.Clone(k.Script), record.FromParams(k.Roles), record.Range{Until: forever}})
		}
		slices.SortFunc(m.Keys, compareKeys)
		s.setMember(m.ID, m)
	}
	return s
}

func compareKeys(a, b Key) int { return bytes.Compare(a.Identity, b.Identity) }

// Restricts reports whether any of the permissions is held by members only.
func (s *State) Restricts(perms record.Set) bool { return s.rules.restricted.Any(perms) }

// May reports whether an identity may do all of perms at h: what is not
// restricted is everybody's; for the rest the identity is a key that has
// these roles in force, of a member that holds these permissions.
func (s *State) May(script []byte, perms record.Set, h int32) bool {
	perms &= s.rules.restricted
	if perms == 0 {
		return true
	}
	m, k := s.holder(script)
	return m != nil && k.acts(perms, h) && m.Holds(perms, h)
}

// holder returns the member and the key that an identity is, or nil.
func (s *State) holder(script []byte) (*Member, *Key) {
	id, ok := identityOf(script)
	if !ok {
		return nil, nil
	}
	m, ok := s.identities.get(id)
	if !ok {
		return nil, nil
	}
	return m, m.key(script)
}

// member returns nil for an unknown id.
func (s *State) member(id record.MemberID) *Member {
	m, _ := s.members.get(memberKey(id))
	return m
}

// The methods below change a state that nobody else has seen yet.

// setMember sets or, with nil, removes the row of a member and what is
// derived from it.
func (s *State) setMember(id record.MemberID, m *Member) {
	old := s.member(id)
	if old != nil {
		s.forget(old)
	}
	if m == nil {
		s.members = s.members.without(memberKey(id))
	} else {
		s.members = s.members.set(memberKey(id), m)
		s.remember(m)
	}
	s.mining = relist(s.mining, id, m, m != nil && m.later(record.Mine, 0))
	s.governing = relist(s.governing, id, m, m != nil && (m.later(record.Admin, 0) || m.later(record.Activate, 0)))
}

// forget removes what leads to a member, unless it leads to another by now:
// rows of a block are undone one after the other.
func (s *State) forget(m *Member) {
	if name, _ := nameOf(m.Name); s.nameIs(name, m.ID) {
		s.names = s.names.without(name)
	}
	for i := range m.Keys {
		id, _ := identityOf(m.Keys[i].Identity)
		if of, ok := s.identities.get(id); ok && of.ID == m.ID {
			s.identities = s.identities.without(id)
		}
	}
	s.countEdges(m, -1)
}

func (s *State) remember(m *Member) {
	name, _ := nameOf(m.Name)
	s.names = s.names.set(name, m.ID)
	for i := range m.Keys {
		id, _ := identityOf(m.Keys[i].Identity)
		s.identities = s.identities.set(id, m)
	}
	s.countEdges(m, +1)
}

func (s *State) nameIs(name nameKey, id record.MemberID) bool {
	of, ok := s.names.get(name)
	return ok && of == id
}

// countEdges counts the heights at which what the member may do changes by
// itself.
func (s *State) countEdges(m *Member, by int) {
	edge := func(h uint32) {
		if h == 0 || h == forever {
			return
		}
		n, _ := s.edges.get(heightKey(h))
		if n += by; n == 0 {
			s.edges = s.edges.without(heightKey(h))
		} else {
			s.edges = s.edges.set(heightKey(h), n)
		}
	}
	for _, r := range m.Perms {
		edge(r.From)
		edge(r.Until)
	}
	for i := range m.Keys {
		edge(m.Keys[i].From)
		edge(m.Keys[i].Until)
	}
	edge(m.ActiveFrom)
}

// relist returns a copy of list with the member in it or not.
func relist(list []*Member, id record.MemberID, m *Member, in bool) []*Member {
	at, found := slices.BinarySearchFunc(list, id, func(m *Member, id record.MemberID) int { return bytes.Compare(m.ID[:], id[:]) })
	if !found && !in {
		return list
	}
	out := make([]*Member, 0, len(list)+1)
	out = append(out, list[:at]...)
	if in {
		out = append(out, m)
	}
	if found {
		at++
	}
	return append(out, list[at:]...)
}

// setVote sets or, with nil, removes the row of a vote.
func (s *State) setVote(id voteKey, v *vote) {
	s.pending, s.done = s.pending.without(id), s.done.without(id)
	switch {
	case v == nil:
		return
	case v.done:
		s.done = s.done.set(id, v)
	default:
		s.pending = s.pending.set(id, v)
	}
	s.firstLapse = min(s.firstLapse, v.lapse())
}

// vote returns nil for a record that nobody voted for, or long ago.
func (s *State) vote(id voteKey) *vote {
	if v, ok := s.pending.get(id); ok {
		return v
	}
	v, _ := s.done.get(id)
	return v
}

// setUpgrade sets or, with height 0, removes a deployment.
func (s *State) setUpgrade(deployment string, height uint32) {
	at, found := slices.BinarySearchFunc(s.upgrades, deployment, func(u Scheduled, d string) int { return cmp.Compare(u.Deployment, d) })
	list := slices.Clone(s.upgrades)
	switch {
	case found && height == 0:
		list = slices.Delete(list, at, at+1)
	case found:
		list[at].Height = height
	case height > 0:
		list = slices.Insert(list, at, Scheduled{deployment, height})
	}
	s.upgrades = list
}

// upgrade returns 0 for a deployment that is not scheduled.
func (s *State) upgrade(deployment string) uint32 {
	for _, u := range s.upgrades {
		if u.Deployment == deployment {
			return u.Height
		}
	}
	return 0
}

// setLone sets or, with none, removes the heights at which an activator
// decided alone.
func (s *State) setLone(id record.MemberID, heights []uint32) {
	if len(heights) == 0 {
		s.lone = s.lone.without(memberKey(id))
	} else {
		s.lone = s.lone.set(memberKey(id), heights)
	}
}

// loneAt returns the lone decisions of an activator that count at h.
func (s *State) loneAt(id record.MemberID, h int32) []uint32 {
	list, _ := s.lone.get(memberKey(id))
	for len(list) > 0 && uint64(list[0])+LoneWindow <= uint64(h) {
		list = list[1:]
	}
	return list
}
