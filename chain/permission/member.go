package permission

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/charterchain/charter/chain/permission/record"
)

// forever as a height is one that does not come.
const forever = record.Forever

// permissionCount is the number of permissions that a member can hold.
const permissionCount = 8

// Member is an organisation as of one block. Values share their slices with
// the state: do not change them.
type Member struct {
	ID   record.MemberID
	Name string

	// Perms holds the range of each permission by its bit: connect, mine,
	// send, receive, admin, activate, issue, create. Holds says what they
	// come to.
	Perms [permissionCount]record.Range

	Keys []Key // ascending by identity

	// MineSince and MineUntil are the latest time in which the permission
	// to mine was or is to be held without a break, by mine, admin or both;
	// 0, 0 for none. In it the member may seal from ActiveFrom on, Forever
	// as long as it was not declared ready.
	MineSince  uint32
	MineUntil  uint32
	ActiveFrom uint32

	// NoMine says that a restart ended mining for this member: until admin
	// is granted to it anew, admin does not include mine.
	NoMine bool
}

// Key is an identity that acts for a member.
type Key struct {
	Identity []byte
	Roles    record.Set
	record.Range
}

// acts reports whether the key has all of the roles at h.
func (k *Key) acts(roles record.Set, h int32) bool { return k.Roles.Has(roles) && k.In(h) }

// over reports whether the key is in force neither at h nor later.
func (k *Key) over(h int32) bool { return over(k.Range, h) }

func over(r record.Range, h int32) bool { return r.Empty() || r.Until <= uint32(h) }

func bitIndex(perm record.Set) int { return bits.TrailingZeros16(uint16(perm)) }

// Range returns the range of one permission as it was granted by name.
func (m *Member) Range(perm record.Set) record.Range {
	if i := bitIndex(perm); i < permissionCount {
		return m.Perms[i]
	}
	return record.Range{}
}

// Holds reports whether the member holds all of the permissions at h: admin
// is all of them, admin and mine include connect. manage is no permission
// and asks for none.
func (m *Member) Holds(perms record.Set, h int32) bool {
	for left := perms & record.Permissions; left != 0; left &= left - 1 {
		if !m.holds(left&-left, h) { // the lowest of them
			return false
		}
	}
	return true
}

func (m *Member) holds(perm record.Set, h int32) bool {
	if perm == record.Mine {
		return m.mining(h).ok
	}
	return m.Range(perm).In(h) || m.Range(record.Admin).In(h) || perm == record.Connect && m.mining(h).ok
}

// Key returns the key with an identity, in force or not.
func (m *Member) Key(identity []byte) (Key, bool) {
	if k := m.key(identity); k != nil {
		return *k, true
	}
	return Key{}, false
}

func (m *Member) key(identity []byte) *Key {
	if i, ok := m.find(identity); ok {
		return &m.Keys[i]
	}
	return nil
}

func (m *Member) find(identity []byte) (int, bool) {
	return slices.BinarySearchFunc(m.Keys, identity, func(k Key, id []byte) int { return bytes.Compare(k.Identity, id) })
}

// May reports whether the member can act in all of the roles at h: it holds
// the permissions, and one key has all of the roles in force.
func (m *Member) May(roles record.Set, h int32) bool {
	return m.Holds(roles, h) && slices.ContainsFunc(m.Keys, func(k Key) bool { return k.acts(roles, h) })
}

// later reports whether the member can act in the role at h or at a later
// height, as far as ranges say. role is mine, admin or activate.
func (m *Member) later(role record.Set, h int32) bool {
	a, b := m.Range(role), m.Range(record.Admin)
	if role == record.Mine {
		a, b = m.mineRanges()
	}
	return (!over(a, h) || !over(b, h)) &&
		slices.ContainsFunc(m.Keys, func(k Key) bool { return k.Roles.Has(role) && !k.over(h) })
}

// lasting reports whether the member can act in the role at h and for ever,
// by a key that does not end.
func (m *Member) lasting(role record.Set, h int32) bool {
	switch role {
	case record.Mine:
		if p := m.mining(h); !p.ok || p.until != forever || p.active > uint32(h) {
			return false
		}
	default:
		if r := m.Range(role); !r.In(h) || r.Until != forever {
			return false
		}
	}
	return slices.ContainsFunc(m.Keys, func(k Key) bool { return k.acts(role, h) && k.Until == forever })
}

// period is a time in which a member holds the permission to mine without a
// break.
type period struct {
	since, until uint32
	active       uint32 // the height from which the member may seal; Forever: not ready
	ok           bool
}

// mining returns the period that holds h.
func (m *Member) mining(h int32) period {
	at := uint32(h)
	if m.MineSince <= at && at < m.MineUntil {
		return period{m.MineSince, m.MineUntil, m.ActiveFrom, true}
	}
	// The other range may have begun since, after a gap. What lies before is
	// what a change in this very block ended.
	if r, ok := m.mineRange(at); ok && m.MineUntil > 0 && r.From > m.MineUntil {
		return period{r.From, r.Until, forever, true}
	}
	return period{}
}

// mineRanges returns the ranges that let the member mine.
func (m *Member) mineRanges() (mine, admin record.Range) {
	mine, admin = m.Range(record.Mine), m.Range(record.Admin)
	if m.NoMine {
		admin = record.Range{}
	}
	return mine, admin
}

// mineRange returns the heights around one at which the ranges of mine and
// admin together let the member mine.
func (m *Member) mineRange(at uint32) (record.Range, bool) {
	a, b := m.mineRanges()
	if at < a.From || at >= a.Until {
		a, b = b, a
	}
	if at < a.From || at >= a.Until {
		return record.Range{}, false
	}
	if !b.Empty() && b.From <= a.Until && a.From <= b.Until {
		a = record.Range{From: min(a.From, b.From), Until: max(a.Until, b.Until)}
	}
	return a, true
}

// settleMining sets the period of mining after block h changed the ranges of
// mine or admin. was is the period that held h before. atOnce spares a new
// period the declaration of being ready.
func (m *Member) settleMining(was period, h int32, atOnce bool) {
	next := uint32(h) + 1
	old := period{m.MineSince, m.MineUntil, m.ActiveFrom, m.MineSince >= next}
	m.MineSince, m.MineUntil, m.ActiveFrom = 0, 0, 0
	r, now := m.mineRange(next)
	if now && was.ok {
		m.MineSince, m.MineUntil, m.ActiveFrom = was.since, r.Until, was.active
		return
	}
	if r = begin(r, h); !now {
		if r, now = m.mineToCome(next); !now {
			return
		}
	}
	m.MineSince, m.MineUntil, m.ActiveFrom = r.From, r.Until, forever
	if old.ok && max(old.since, r.From) < min(old.until, r.Until) { // it had not begun, and is moved
		m.ActiveFrom = old.active
	}
	if atOnce {
		m.ActiveFrom = min(m.ActiveFrom, m.MineSince)
	}
}

// mineToCome returns the first range of mining that begins after a height.
func (m *Member) mineToCome(at uint32) (record.Range, bool) {
	first := forever
	a, b := m.mineRanges()
	for _, r := range []record.Range{a, b} {
		if !r.Empty() && r.From > at {
			first = min(first, r.From)
		}
	}
	return m.mineRange(first)
}

// clone returns a copy that can be changed; keys may be replaced, not
// written into.
func (m *Member) clone() *Member {
	c := *m
	c.Keys = slices.Clone(m.Keys)
	return &c
}

func (m *Member) equal(o *Member) bool {
	return m.ID == o.ID && m.Name == o.Name && m.Perms == o.Perms && m.NoMine == o.NoMine &&
		m.MineSince == o.MineSince && m.MineUntil == o.MineUntil && m.ActiveFrom == o.ActiveFrom &&
		slices.EqualFunc(m.Keys, o.Keys, func(a, b Key) bool {
			return a.Roles == b.Roles && a.Range == b.Range && bytes.Equal(a.Identity, b.Identity)
		})
}
