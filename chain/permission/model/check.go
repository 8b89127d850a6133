package model

import (
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// Rules are rules that something breaks; empty if none.
type Rules []consensus.Rule

// Input is an input of a transaction: the script of its coin, and whether it
// speaks for it.
type Input struct {
	Script []byte
	Speaks bool
}

// Output is an output that holds no record.
type Output struct {
	Script []byte
	Amount int64
}

// Tx is a transaction.
type Tx struct {
	Inputs  []Input
	Records []record.Record
	Forged  bool // a signature in a record does not fit
	Outputs []Output
}

// Check is what a transaction of block h breaks by the state after the
// parent.
func (m *Model) Check(tx *Tx, h int32) Rules {
	var broken Rules
	if len(tx.Records) > 8 {
		broken = append(broken, "too-many-records")
	}
	if tx.Forged {
		broken = append(broken, "bad-record-signature")
	}
	for _, r := range tx.Records {
		broken = append(broken, m.checkRecord(tx, r, h)...)
	}
	return append(broken, m.checkCoins(tx, h)...)
}

// CheckCoinbase is what the outputs of the coinbase of block h break.
func (m *Model) CheckCoinbase(outputs []Output, h int32) Rules {
	return m.checkCoins(&Tx{Outputs: outputs}, h)
}

func (m *Model) checkRecord(tx *Tx, r record.Record, h int32) (broken Rules) {
	if r, ok := r.(record.Ready); ok {
		return m.checkReady(r, h)
	}
	if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Admin|record.Activate|record.Manage) && !pays(tx, k.Identity, 0) {
		broken = append(broken, "missing-authority-output")
	}
	if lapse, _ := record.Lapse(r); int64(lapse) < int64(h) || int64(lapse) > int64(h)+100_000 {
		broken = append(broken, "record-lapse")
	}
	if u, ok := r.(record.Upgrade); ok && int64(u.Height) < int64(h)+1000 {
		broken = append(broken, "upgrade-too-soon")
	}
	heard, spent := false, false
	for _, in := range tx.Inputs {
		if !m.hasSay(in, r, h) {
			continue
		}
		if m.speaker(in, record.Admin, h) != nil || m.manages(in, r, h) || m.LoneLeft(*m.speaker(in, record.Activate, h), h) > 0 {
			heard = true
		}
		spent = true
	}
	switch {
	case heard:
	case spent:
		broken = append(broken, "too-many-lone-decisions")
	default:
		broken = append(broken, "record-no-authority")
	}
	return broken
}

func pays(tx *Tx, script []byte, amount int64) bool {
	for _, out := range tx.Outputs {
		if string(out.Script) == string(script) && out.Amount == amount {
			return true
		}
	}
	return false
}

// hasSay says whether an input has a say in a record, by the state after the
// parent of h.
func (m *Model) hasSay(in Input, r record.Record, h int32) bool {
	if !in.Speaks {
		return false
	}
	if r, ok := r.(record.Ready); ok {
		mb := m.Members[r.Member]
		return mb != nil && mb.Keys[string(in.Script)].In(h)
	}
	return m.speaker(in, record.Admin, h) != nil || m.manages(in, r, h) ||
		m.speaker(in, record.Activate, h) != nil && m.aloneMay(r, h)
}

// speaker is the member for which an input speaks in a role.
func (m *Model) speaker(in Input, role record.Set, h int32) *record.MemberID {
	for id, mb := range m.Members {
		if in.Speaks && mb.acts(string(in.Script), role, h) {
			return &id
		}
	}
	return nil
}

// manages says whether a record is about a key of the member for which the
// input speaks as manage.
func (m *Model) manages(in Input, r record.Record, h int32) bool {
	of, ok := keyOf(r)
	id := m.speaker(in, record.Manage, h)
	return ok && id != nil && *id == of.member
}

type keyID struct {
	member   record.MemberID
	identity string
}

// keyOf is the key that a record adds, changes or removes.
func keyOf(r record.Record) (keyID, bool) {
	switch r := r.(type) {
	case record.AddKey:
		return keyID{r.Member, string(r.Identity)}, true
	case record.ChangeKey:
		return keyID{r.Member, string(r.Identity)}, true
	case record.RemoveKey:
		return keyID{r.Member, string(r.Identity)}, true
	}
	return keyID{}, false
}

// aloneMay says whether one activator decides a record.
func (m *Model) aloneMay(r record.Record, h int32) bool {
	switch r := r.(type) {
	case record.CreateMember:
		return true
	case record.Grant:
		if r.Permissions&^(record.Connect|record.Send|record.Receive) != 0 {
			return false
		}
		mb := m.Members[r.Member]
		return mb == nil || !mb.losesBy(r, r.Permissions, h) ||
			!mb.Holds(record.Admin, h) && !mb.Holds(record.Mine, h) && !mb.Holds(record.Activate, h)
	}
	return false
}

// losesBy says whether the grant in block h takes one of the permissions away
// at some height.
func (mb *Member) losesBy(r record.Grant, of record.Set, h int32) bool {
	for perm := range (r.Permissions & of).Each() {
		if shorter(mb.Perms[perm], r.Range, h) {
			return true
		}
	}
	return false
}

// shorter says whether some height above h is in the old range and not in
// the new one.
func shorter(old, now record.Range, h int32) bool {
	from := max(old.From, uint32(h)+1)
	if old.Empty() || from >= old.Until {
		return false
	}
	return now.Empty() || now.From > from || now.Until < old.Until
}

// checkCoins judges what a transaction moves.
func (m *Model) checkCoins(tx *Tx, h int32) (broken Rules) {
	if !m.Restricted(record.Send) && !m.Restricted(record.Receive) {
		return nil
	}
	spared := make(map[string]bool)
	for _, in := range tx.Inputs {
		said := false
		for _, r := range tx.Records {
			said = said || m.hasSay(in, r, h)
		}
		if said {
			spared[string(in.Script)] = true
			continue
		}
		if !standard(in.Script) || !m.May(string(in.Script), record.Send, h) {
			broken = append(broken, "send-not-permitted")
		}
	}
	for _, out := range tx.Outputs {
		if spared[string(out.Script)] || out.Amount == 0 && tx.addsGoverning(out.Script) {
			continue
		}
		if !m.mayReceive(out, h) {
			broken = append(broken, "receive-not-permitted")
		}
	}
	return broken
}

func (m *Model) mayReceive(out Output, h int32) bool {
	if len(out.Script) > 0 && out.Script[0] == 0x6a {
		return out.Amount == 0
	}
	return standard(out.Script) && m.May(string(out.Script), record.Receive, h)
}

func standard(script []byte) bool {
	_, ok := record.Identity(script)
	return ok
}

func (tx *Tx) addsGoverning(script []byte) bool {
	for _, r := range tx.Records {
		if k, _, ok := record.Key(r); ok && string(k.Identity) == string(script) &&
			k.Roles.Any(record.Admin|record.Activate|record.Manage) {
			return true
		}
	}
	return false
}
