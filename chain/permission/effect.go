package permission

import (
	"slices"

	"github.com/charterchain/charter/chain/permission/record"
)

// change does what a decided vote asks for, from the next block on. Whether
// it can be done is judged here, by the running state.
func (d *Draft) change(r record.Record) error {
	switch r := r.(type) {
	case record.CreateMember:
		return d.create(r)
	case record.RenameMember:
		return d.rename(r)
	case record.Grant:
		return d.grant(r)
	case record.AddKey:
		return d.addKey(r)
	case record.ChangeKey:
		return d.changeKey(r)
	case record.RemoveKey:
		return d.removeKey(r)
	case record.Upgrade:
		return d.upgrade(r)
	}
	panic("permission: a vote of unknown kind was decoded") // record.Decode knows these only
}

func (d *Draft) create(r record.CreateMember) error {
	id := record.NewMemberID(r.Name, r.Identity)
	if d.cur.members.len() >= MaxMembers {
		return broke(RuleTooManyMembers, "there are %d members, no more are allowed", MaxMembers)
	}
	if d.cur.member(id) != nil {
		return broke(RuleMemberExists, "create-member record: there is a member %v", id)
	}
	if err := d.checkName(r.Name); err != nil {
		return err
	}
	if err := d.claim(r.Identity); err != nil {
		return err
	}
	m := &Member{ID: id, Name: r.Name}
	m.Keys = []Key{{r.Identity, r.Roles, begin(record.Range{Until: forever}, d.h)}}
	d.setMember(m)
	return nil
}

func (d *Draft) rename(r record.RenameMember) error {
	m, err := d.find(r, r.Member)
	if err != nil {
		return err
	}
	if err := d.checkName(r.Name); err != nil {
		return err
	}
	m.Name = r.Name
	d.setMember(m)
	return nil
}

func (d *Draft) checkName(name string) error {
	key, _ := nameOf(name)
	if of, taken := d.cur.names.get(key); taken {
		return broke(RuleNameTaken, "the name %s is that of the member %v", name, of)
	}
	return nil
}

// find returns a copy of the member that a record names.
func (d *Draft) find(r record.Record, id record.MemberID) (*Member, error) {
	m := d.cur.member(id)
	if m == nil {
		return nil, broke(RuleUnknownMember, "%s record: there is no member %v", r.Op(), id)
	}
	return m.clone(), nil
}

func (d *Draft) grant(r record.Grant) error {
	m, err := d.find(r, r.Member)
	if err != nil {
		return err
	}
	was := m.mining(d.h)
	after := begin(r.Range, d.h)
	for perm := range r.Permissions.Each() {
		m.Perms[bitIndex(perm)] = after
	}
	if r.Permissions.Has(record.Admin) && !after.Empty() {
		m.NoMine = false
	}
	if r.Permissions.Any(record.Admin | record.Mine) {
		m.settleMining(was, d.h, d.h <= d.cur.rules.setup)
	}
	d.setMember(m)
	return d.checkCounts()
}

func (d *Draft) addKey(r record.AddKey) error {
	m, err := d.find(r, r.Member)
	if err != nil {
		return err
	}
	if err := d.claim(r.Identity); err != nil {
		return err
	}
	return d.setKeys(m, Key{r.Identity, r.Roles, begin(r.Range, d.h)})
}

func (d *Draft) changeKey(r record.ChangeKey) error {
	m, err := d.findWithKey(r, r.Member, r.Identity)
	if err != nil {
		return err
	}
	return d.setKeys(m, Key{r.Identity, r.Roles, begin(r.Range, d.h)})
}

func (d *Draft) removeKey(r record.RemoveKey) error {
	m, err := d.findWithKey(r, r.Member, r.Identity)
	if err != nil {
		return err
	}
	return d.setKeys(m, Key{Identity: r.Identity})
}

func (d *Draft) findWithKey(r record.Record, id record.MemberID, identity []byte) (*Member, error) {
	m, err := d.find(r, id)
	if err != nil {
		return nil, err
	}
	if k := m.key(identity); k == nil || k.over(d.h+1) {
		return nil, broke(RuleUnknownKey, "%s record: %x is no key of %s", r.Op(), identity, m.Name)
	}
	return m, nil
}

// claim makes sure that an identity belongs to no member: a key that is over
// does not hold it.
func (d *Draft) claim(identity []byte) error {
	m, k := d.cur.holder(identity)
	switch {
	case m == nil:
		return nil
	case !k.over(d.h + 1):
		return broke(RuleIdentityTaken, "the identity %x belongs to %s", identity, m.Name)
	}
	m = m.clone()
	at, _ := m.find(identity)
	m.Keys = slices.Delete(m.Keys, at, at+1)
	d.setMember(m)
	return nil
}

// setKeys puts a key in the place of the one with its identity, and leaves
// out those that are over. A key with an empty range is over.
func (d *Draft) setKeys(m *Member, k Key) error {
	m = d.cur.member(m.ID).clone() // claim may have changed it
	if at, found := m.find(k.Identity); found {
		m.Keys[at] = k
	} else {
		m.Keys = slices.Insert(m.Keys, at, k)
	}
	m.Keys = slices.DeleteFunc(m.Keys, func(k Key) bool { return k.over(d.h + 1) })
	if len(m.Keys) > MaxKeys {
		return broke(RuleTooManyKeys, "%s would have %d keys, at most %d are allowed", m.Name, len(m.Keys), MaxKeys)
	}
	d.setMember(m)
	return d.checkCounts()
}

func (d *Draft) upgrade(r record.Upgrade) error {
	if at := d.cur.upgrade(r.Deployment); at > 0 && at <= uint32(d.h) {
		return broke(RuleUpgradeInForce, "upgrade %s is in force from height %d on", r.Deployment, at)
	}
	d.setUpgrade(r.Deployment, r.Height)
	return nil
}

// ready starts the time after which a member may seal.
func (d *Draft) ready(r record.Ready) error {
	m, err := d.find(r, r.Member)
	if err != nil {
		return err
	}
	if err := checkReadyTime(m, r, d.h); err != nil {
		return err
	}
	p := m.mining(d.h)
	m.MineSince, m.MineUntil = p.since, p.until
	m.ActiveFrom = uint32(d.h) + uint32(d.parent.Required(d.h)) + 1
	d.setMember(m)
	return nil
}

// checkCounts applies the bounds on members that mine or administer.
func (d *Draft) checkCounts() error {
	next := d.h + 1
	if n := countFunc(d.cur.mining, func(m *Member) bool { return m.later(record.Mine, next) }); n > MaxMining {
		return broke(RuleTooManyMining, "%d members might mine, at most %d are allowed", n, MaxMining)
	}
	if n := countFunc(d.cur.governing, func(m *Member) bool { return m.later(record.Admin, next) }); n > MaxAdministering {
		return broke(RuleTooManyAdmins, "%d members might administer, at most %d are allowed", n, MaxAdministering)
	}
	return nil
}

func countFunc(list []*Member, is func(*Member) bool) int {
	n := 0
	for _, m := range list {
		if is(m) {
			n++
		}
	}
	return n
}

// guard sees that the chain stays governed: from the next block on a member
// administers without end, and where mine is restricted one mines.
func (d *Draft) guard() error {
	next := d.h + 1
	if !slices.ContainsFunc(d.cur.governing, func(m *Member) bool { return m.lasting(record.Admin, next) }) {
		return broke(RuleLastAdmin, "no member would administer from height %d on without end", next)
	}
	if d.cur.Restricts(record.Mine) && !slices.ContainsFunc(d.cur.mining, func(m *Member) bool { return m.lasting(record.Mine, next) }) {
		return broke(RuleLastMiner, "no member would mine from height %d on without end", next)
	}
	return nil
}
