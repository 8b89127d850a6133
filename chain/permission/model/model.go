package model

import (
	"maps"
	"slices"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// Key is what an identity may act as for its member.
type Key struct {
	Roles record.Set
	record.Range
}

// Period is a time in which a member may mine without a break.
type Period struct{ Since, Until, ActiveFrom uint32 }

// Member is an organisation.
type Member struct {
	Name    string
	Perms   map[record.Set]record.Range // by one permission; no empty ranges
	Keys    map[string]Key              // by identity
	Periods []Period                    // ascending; those over may be missing
	NoMine  bool                        // admin does not include mine
}

// Voter is a key that spoke for a record.
type Voter struct {
	Member   record.MemberID
	Identity string
}

// Vote is what is known about a record.
type Vote struct {
	Record record.Record
	Done   bool
	Opener record.MemberID
	Voters map[Voter]bool
}

// Model is who may do what after a block. Blocks make new ones.
type Model struct {
	p        *params.Params
	Members  map[record.MemberID]*Member
	Votes    map[[32]byte]*Vote
	Upgrades map[string]uint32
	Lone     map[record.MemberID][]int32 // heights of decisions taken alone
	Restart  int32
}

const forever = record.Forever

// New is the state after the first block.
func New(p *params.Params) *Model {
	m := &Model{
		p: p, Members: map[record.MemberID]*Member{}, Votes: map[[32]byte]*Vote{},
		Upgrades: map[string]uint32{}, Lone: map[record.MemberID][]int32{},
	}
	always := record.Range{Until: forever}
	for _, g := range p.Genesis.Members {
		mb := &Member{Name: g.Name, Perms: map[record.Set]record.Range{}, Keys: map[string]Key{}}
		for perm := range record.FromParams(g.Permissions).Each() {
			mb.Perms[perm] = always
			if perm == record.Mine || perm == record.Admin {
				mb.Periods = []Period{{Until: forever}}
			}
		}
		for _, k := range g.Keys {
			mb.Keys[string(k.Script)] = Key{record.FromParams(k.Roles), always}
		}
		m.Members[record.NewMemberID(g.Name, g.Keys[0].Script)] = mb
	}
	return m
}

func (m *Model) clone() *Model {
	c := &Model{
		p: m.p, Members: map[record.MemberID]*Member{}, Votes: map[[32]byte]*Vote{},
		Upgrades: maps.Clone(m.Upgrades), Lone: map[record.MemberID][]int32{}, Restart: m.Restart,
	}
	for id, mb := range m.Members {
		c.Members[id] = &Member{
			Name: mb.Name, Perms: maps.Clone(mb.Perms), Keys: maps.Clone(mb.Keys),
			Periods: slices.Clone(mb.Periods), NoMine: mb.NoMine,
		}
	}
	for id, v := range m.Votes {
		c.Votes[id] = &Vote{v.Record, v.Done, v.Opener, maps.Clone(v.Voters)}
	}
	for id, list := range m.Lone {
		c.Lone[id] = slices.Clone(list)
	}
	return c
}

// Holds says whether a member holds one permission at h.
func (mb *Member) Holds(perm record.Set, h int32) bool {
	admin, mine := mb.Perms[record.Admin].In(h), mb.Perms[record.Mine].In(h)
	switch perm {
	case record.Manage:
		return true
	case record.Mine:
		return mine || admin && !mb.NoMine
	case record.Connect:
		return mb.Perms[perm].In(h) || admin || mine
	}
	return mb.Perms[perm].In(h) || admin
}

// acts says whether a key of a member can act in one role at h.
func (mb *Member) acts(identity string, role record.Set, h int32) bool {
	k, ok := mb.Keys[identity]
	return ok && k.In(h) && k.Roles.Has(role) && mb.Holds(role, h)
}

// can says whether some key of the member can act in one role at h.
func (mb *Member) can(role record.Set, h int32) bool {
	for identity := range mb.Keys {
		if mb.acts(identity, role, h) {
			return true
		}
	}
	return false
}

// owner is the member that has an identity with something left of its range
// from h on.
func (m *Model) owner(identity string, h int32) (record.MemberID, *Member) {
	for id, mb := range m.Members {
		if k, ok := mb.Keys[identity]; ok && left(k.Range, h) {
			return id, mb
		}
	}
	return record.MemberID{}, nil
}

// left says whether a range has a height that is h or above.
func left(r record.Range, h int32) bool { return !r.Empty() && r.Until > uint32(h) }

func (m *Model) sorted(is func(*Member) bool) []record.MemberID {
	var list []record.MemberID
	for id, mb := range m.Members {
		if is(mb) {
			list = append(list, id)
		}
	}
	slices.SortFunc(list, func(a, b record.MemberID) int { return slices.Compare(a[:], b[:]) })
	return list
}

// Administrators are those that administer at h.
func (m *Model) Administrators(h int32) []record.MemberID {
	return m.sorted(func(mb *Member) bool { return mb.can(record.Admin, h) })
}

// Activators are those that may activate at h.
func (m *Model) Activators(h int32) []record.MemberID {
	return m.sorted(func(mb *Member) bool { return mb.can(record.Activate, h) })
}

// Miners are those that count at h.
func (m *Model) Miners(h int32) []record.MemberID {
	return m.sorted(func(mb *Member) bool { return mb.can(record.Mine, h) && mb.active(h) })
}

// Required is w at h: ⌈share·n⌉, from 1 to n.
func (m *Model) Required(h int32) int {
	n := len(m.Miners(h))
	return min(n, max(1, ceilShare(m.p.Permissions.MiningDiversity, n)))
}

func ceilShare(ppm uint32, n int) int { return (int(ppm)*n + 999_999) / 1_000_000 }

// LookBack is the lowest height that counts for the diversity of block h.
func (m *Model) LookBack(h int32) int32 {
	return max(h-int32(m.Required(h))+1, m.p.Permissions.SetupBlocks+1, m.Restart)
}

// Need is how many administering members change one permission at h; manage
// stands for the keys of another member.
func (m *Model) Need(perm record.Set, h int32) int {
	a := len(m.Administrators(h))
	subject := perm.Perm()
	if perm == record.Manage {
		subject = params.PermKey
	}
	need := max(1, ceilShare(m.p.Permissions.Consensus[subject], a))
	if perm.Any(record.Admin | record.Mine | record.Manage) {
		need = max(need, a/2+1)
	}
	return need
}

// NeedRestart is how many administering members restart the chain at h.
func (m *Model) NeedRestart(h int32) int {
	return max(len(m.Administrators(h))/2+1, m.Need(record.Admin, h), m.Need(record.Mine, h))
}

// Restricted says whether a permission is held by members only.
func (m *Model) Restricted(perm record.Set) bool {
	if perm.Any(record.Admin | record.Activate | record.Manage) {
		return true
	}
	return slices.Contains(m.p.Permissions.Restricted, perm.Perm())
}

// May says whether an identity may do one thing at h.
func (m *Model) May(identity string, perm record.Set, h int32) bool {
	if !m.Restricted(perm) {
		return true
	}
	for _, mb := range m.Members {
		if mb.acts(identity, perm, h) {
			return true
		}
	}
	return false
}

// Sealer is the member whose seal the key of an identity is at h, or why it
// is none.
func (m *Model) Sealer(identity string, h int32) (record.MemberID, Rules) {
	id, mb := m.owner(identity, 0) // a key that is over may still be listed
	switch {
	case mb == nil:
		return id, Rules{"seal-no-member"}
	case !mb.acts(identity, record.Mine, h):
		return id, Rules{"seal-not-mining"}
	case !mb.active(h):
		return id, Rules{"seal-not-active"}
	}
	return id, nil
}
