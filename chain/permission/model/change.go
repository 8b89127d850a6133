package model

import (
	"github.com/charterchain/charter/chain/permission/record"
)

// change makes the change that a record of block h asks for, or says why it
// cannot be made.
func (m *Model) change(r record.Record, h int32) Rules {
	switch r := r.(type) {
	case record.CreateMember:
		return m.create(r, h)
	case record.RenameMember:
		mb := m.Members[r.Member]
		if mb == nil {
			return Rules{"unknown-member"}
		}
		if m.named(r.Name) {
			return Rules{"name-taken"}
		}
		mb.Name = r.Name
	case record.Grant:
		mb := m.Members[r.Member]
		if mb == nil {
			return Rules{"unknown-member"}
		}
		mb.grant(r, h, h >= 1 && h <= m.p.Permissions.SetupBlocks)
	case record.AddKey:
		mb := m.Members[r.Member]
		if mb == nil {
			return Rules{"unknown-member"}
		}
		if _, owner := m.owner(string(r.Identity), h+1); owner != nil {
			return Rules{"identity-taken"}
		}
		m.setKey(mb, string(r.Identity), Key{r.Roles, r.Range}, h)
	case record.ChangeKey:
		return m.changeKey(keyID{r.Member, string(r.Identity)}, Key{r.Roles, r.Range}, h)
	case record.RemoveKey:
		return m.changeKey(keyID{r.Member, string(r.Identity)}, Key{}, h)
	case record.Upgrade:
		if at, ok := m.Upgrades[r.Deployment]; ok && at <= uint32(h) {
			return Rules{"upgrade-in-force"}
		}
		m.Upgrades[r.Deployment] = r.Height
	}
	return nil
}

func (m *Model) named(name string) bool {
	for _, mb := range m.Members {
		if mb.Name == name {
			return true
		}
	}
	return false
}

func (m *Model) create(r record.CreateMember, h int32) (broken Rules) {
	id := record.NewMemberID(r.Name, r.Identity)
	if len(m.Members) >= 10_000 {
		broken = append(broken, "too-many-members")
	}
	if m.Members[id] != nil {
		broken = append(broken, "member-exists")
	}
	if m.named(r.Name) {
		broken = append(broken, "name-taken")
	}
	if _, owner := m.owner(string(r.Identity), h+1); owner != nil {
		broken = append(broken, "identity-taken")
	}
	if broken != nil {
		return broken
	}
	mb := &Member{Name: r.Name, Perms: map[record.Set]record.Range{}, Keys: map[string]Key{}}
	m.Members[id] = mb
	m.setKey(mb, string(r.Identity), Key{r.Roles, record.Range{Until: forever}}, h)
	return nil
}

// grant replaces ranges, from the next block on.
func (mb *Member) grant(r record.Grant, h int32, setup bool) {
	now := fromNext(r.Range, h)
	for perm := range r.Permissions.Each() {
		delete(mb.Perms, perm)
		if !now.Empty() {
			mb.Perms[perm] = now
		}
	}
	if r.Permissions.Has(record.Admin) && !now.Empty() {
		mb.NoMine = false
	}
	if r.Permissions.Any(record.Admin | record.Mine) {
		mb.renew(h, setup)
	}
}

// fromNext is a range as it comes into force: from the block after h at the
// earliest, empty if nothing is left.
func fromNext(r record.Range, h int32) record.Range {
	r.From = max(r.From, uint32(h)+1)
	if r.From >= r.Until {
		return record.Range{}
	}
	return r
}

func (m *Model) changeKey(of keyID, to Key, h int32) Rules {
	mb := m.Members[of.member]
	if mb == nil {
		return Rules{"unknown-member"}
	}
	if k, ok := mb.Keys[of.identity]; !ok || !left(k.Range, h+1) {
		return Rules{"unknown-key"}
	}
	m.setKey(mb, of.identity, to, h)
	return nil
}

// setKey gives a member a key from the next block on, none if its range is
// over. Keys that are over disappear: all those of the member, and the one of
// any other that had the identity.
func (m *Model) setKey(mb *Member, identity string, k Key, h int32) {
	for _, other := range m.Members {
		if old, ok := other.Keys[identity]; ok && other != mb && !left(old.Range, h+1) {
			delete(other.Keys, identity)
		}
	}
	delete(mb.Keys, identity)
	for id, old := range mb.Keys {
		if !left(old.Range, h+1) {
			delete(mb.Keys, id)
		}
	}
	if k.Range = fromNext(k.Range, h); !k.Empty() {
		mb.Keys[identity] = k
	}
}

// sameSubject says whether two records are about the same.
func sameSubject(a, b record.Record) bool {
	ka, isKeyA := keyOf(a)
	kb, isKeyB := keyOf(b)
	if isKeyA || isKeyB {
		return isKeyA && isKeyB && ka.identity == kb.identity
	}
	switch a := a.(type) {
	case record.Grant:
		b, ok := b.(record.Grant)
		return ok && a.Member == b.Member && a.Permissions.Any(b.Permissions)
	case record.CreateMember:
		if b, ok := b.(record.CreateMember); ok {
			return a.Name == b.Name || record.NewMemberID(a.Name, a.Identity) == record.NewMemberID(b.Name, b.Identity)
		}
		b, ok := b.(record.RenameMember)
		return ok && a.Name == b.Name
	case record.RenameMember:
		if b, ok := b.(record.RenameMember); ok {
			return a.Member == b.Member || a.Name == b.Name
		}
		b, ok := b.(record.CreateMember)
		return ok && a.Name == b.Name
	case record.Upgrade:
		b, ok := b.(record.Upgrade)
		return ok && a.Deployment == b.Deployment
	}
	return false
}
