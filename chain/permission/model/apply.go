package model

import (
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// Block is the state after block h with these transactions, or what the first
// bad one breaks.
func (m *Model) Block(h int32, txs []*Tx) (*Model, Rules) {
	records := 0
	for _, tx := range txs {
		records += len(tx.Records)
		if broken := m.Check(tx, h); broken != nil {
			return nil, broken
		}
	}
	next := m.clone()
	if records == 0 {
		return next, nil
	}
	for id, v := range next.Votes {
		if lapse, _ := record.Lapse(v.Record); lapse < uint32(h) {
			delete(next.Votes, id)
		}
	}
	for _, tx := range txs {
		for _, r := range tx.Records {
			if broken := next.take(m, tx, r, h); broken != nil {
				return nil, broken
			}
		}
	}
	return next, nil
}

// take takes in one record. m is the running state, parent judges who has a
// say.
func (m *Model) take(parent *Model, tx *Tx, r record.Record, h int32) Rules {
	if r, ok := r.(record.Ready); ok {
		mb := m.Members[r.Member]
		if broken := mb.checkReadyTime(r, h); broken != nil {
			return broken
		}
		mb.period(h).ActiveFrom = uint32(h) + uint32(parent.Required(h)) + 1
		return nil
	}
	id := record.ID(r)
	v := m.Votes[id]
	if v != nil && v.Done {
		return nil
	}
	for _, in := range tx.Inputs {
		if parent.manages(in, r, h) {
			if v != nil { // it is no vote and leaves no row, but is noted in one that is there
				v.decidedBy(*parent.speaker(in, record.Manage, h), in)
			}
			return m.enact(r, h)
		}
	}
	fresh := v == nil
	if fresh {
		v = &Vote{Record: r, Voters: map[Voter]bool{}}
		m.Votes[id] = v
	}
	if parent.vote(v, tx, h) {
		v.Done, v.Opener = true, record.MemberID{}
		return m.enact(r, h)
	}
	if m.alone(parent, tx, r, v, h) {
		return m.enact(r, h)
	}
	if votes, _ := parent.note(v, tx, h); votes == 0 {
		return Rules{"too-many-lone-decisions"}
	}
	if fresh && m.opened(v.Opener) > 32 {
		return Rules{"too-many-open-records"}
	}
	return nil
}

// note adds those who vote to a vote. It says how many they
// are, and whether one of them is the member whose key the record is about.
// m is the state after the parent.
func (m *Model) note(v *Vote, tx *Tx, h int32) (votes int, own bool) {
	fresh := len(v.Voters) == 0
	for _, in := range tx.Inputs {
		id := m.speaker(in, record.Admin, h)
		if id == nil {
			continue
		}
		if fresh && votes == 0 {
			v.Opener = *id
		}
		votes++
		v.Voters[Voter{*id, string(in.Script)}] = true
		if k, ok := keyOf(v.Record); ok && k.member == *id {
			own = true
		}
	}
	return votes, own
}

// vote notes who votes and says whether that is enough now. m is the state
// after the parent.
func (m *Model) vote(v *Vote, tx *Tx, h int32) bool {
	votes, own := m.note(v, tx, h)
	if votes == 0 {
		return false
	}
	setup := h >= 1 && h <= m.p.Permissions.SetupBlocks
	return setup && !m.full(v.Record, own, h) || m.Have(v, h) >= m.NeedFor(v.Record, h)
}

// Have is how many members' votes count at h.
func (m *Model) Have(v *Vote, h int32) int {
	members := make(map[record.MemberID]bool)
	for voter := range v.Voters {
		if mb := m.Members[voter.Member]; mb != nil && mb.acts(voter.Identity, record.Admin, h) {
			members[voter.Member] = true
		}
	}
	return len(members)
}

// NeedFor is how many administering members decide a record where one is not
// enough.
func (m *Model) NeedFor(r record.Record, h int32) int {
	switch r := r.(type) {
	case record.CreateMember:
		return m.Need(record.Connect, h)
	case record.RenameMember, record.Upgrade:
		return m.Need(record.Admin, h)
	case record.Grant:
		most := 0
		for perm := range r.Permissions.Each() {
			most = max(most, m.Need(perm, h))
		}
		return most
	}
	return m.Need(record.Manage, h)
}

// full says whether a record takes its full share in the set-up too. own says
// that the member speaks for its own key.
func (m *Model) full(r record.Record, own bool, h int32) bool {
	switch r := r.(type) {
	case record.Upgrade:
		return true
	case record.Grant:
		mb := m.Members[r.Member]
		return mb != nil && mb.losesBy(r, record.Admin|record.Mine, h)
	case record.RemoveKey:
		return !own && m.keyLoses(keyID{r.Member, string(r.Identity)}, 0, record.Range{}, h)
	case record.ChangeKey:
		return !own && m.keyLoses(keyID{r.Member, string(r.Identity)}, r.Roles, r.Range, h)
	}
	return false
}

// keyLoses says whether a key would have the role admin or mine at fewer
// heights.
func (m *Model) keyLoses(of keyID, roles record.Set, now record.Range, h int32) bool {
	mb := m.Members[of.member]
	if mb == nil {
		return false
	}
	old, ok := mb.Keys[of.identity]
	for _, role := range []record.Set{record.Admin, record.Mine} {
		if ok && old.Roles.Has(role) && (shorter(old.Range, now, h) || left(old.Range, h+1) && !roles.Has(role)) {
			return true
		}
	}
	return false
}

// alone says whether an activator decides the record, and counts that.
func (m *Model) alone(parent *Model, tx *Tx, r record.Record, v *Vote, h int32) bool {
	if !parent.aloneMay(r, h) {
		return false
	}
	for _, in := range tx.Inputs {
		if id := parent.speaker(in, record.Activate, h); id != nil && m.LoneLeft(*id, h) > 0 {
			m.Lone[*id] = append(m.Lone[*id], h)
			v.decidedBy(*id, in)
			return true
		}
	}
	return false
}

// decidedBy notes who decided without a vote.
func (v *Vote) decidedBy(id record.MemberID, in Input) {
	v.Voters[Voter{id, string(in.Script)}] = true
	v.Done, v.Opener = true, record.MemberID{}
}

// LoneLeft is how many decisions a member may take alone in block h.
func (m *Model) LoneLeft(id record.MemberID, h int32) int {
	n := 10
	for _, at := range m.Lone[id] {
		if at > h-1000 {
			n--
		}
	}
	return n
}

func (m *Model) opened(by record.MemberID) int {
	n := 0
	for _, v := range m.Votes {
		if !v.Done && v.Opener == by {
			n++
		}
	}
	return n
}

// enact makes a change, drops the votes that it overtakes, and looks after
// bounds and guards.
func (m *Model) enact(r record.Record, h int32) Rules {
	if broken := m.change(r, h); broken != nil {
		return broken
	}
	for id, v := range m.Votes {
		if !v.Done && sameSubject(v.Record, r) {
			delete(m.Votes, id)
		}
	}
	var broken Rules
	mining, administering := 0, 0
	lastAdmin, lastMiner := true, m.Restricted(record.Mine)
	for _, mb := range m.Members {
		keys := 0
		for _, k := range mb.Keys {
			if left(k.Range, h+1) {
				keys++
			}
		}
		if keys > 64 {
			broken = append(broken, "too-many-keys")
		}
		if len(mb.mineTimes(h)) > 0 && mb.everHasKey(record.Mine, h) {
			mining++
		}
		if left(mb.Perms[record.Admin], h+1) && mb.everHasKey(record.Admin, h) {
			administering++
		}
		if endless(mb.Perms[record.Admin], h) && mb.endlessKey(record.Admin, h) {
			lastAdmin = false
		}
		if p := mb.period(h + 1); p != nil && p.Until == forever && mb.active(h+1) && mb.endlessKey(record.Mine, h) {
			lastMiner = false
		}
	}
	for rule, is := range map[consensus.Rule]bool{
		"too-many-mining":        mining > 256,
		"too-many-administering": administering > 256, "last-admin": lastAdmin, "last-miner": lastMiner,
	} {
		if is {
			broken = append(broken, rule)
		}
	}
	return broken
}

func endless(r record.Range, h int32) bool { return r.In(h+1) && r.Until == forever }

func (mb *Member) endlessKey(role record.Set, h int32) bool {
	for _, k := range mb.Keys {
		if k.Roles.Has(role) && endless(k.Range, h) {
			return true
		}
	}
	return false
}

// everHasKey says whether a key has the role at some height above h.
func (mb *Member) everHasKey(role record.Set, h int32) bool {
	for _, k := range mb.Keys {
		if k.Roles.Has(role) && left(k.Range, h+1) {
			return true
		}
	}
	return false
}
