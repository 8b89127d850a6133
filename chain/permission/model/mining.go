package model

import (
	"slices"

	"github.com/charterchain/charter/chain/permission/record"
)

// active says whether the member's time to mine at h is one in which it was
// declared ready long enough ago, or need not be.
func (mb *Member) active(h int32) bool {
	p := mb.period(h)
	return p != nil && p.ActiveFrom <= uint32(h)
}

// period is the time to mine that h is in.
func (mb *Member) period(h int32) *Period {
	for i := range mb.Periods {
		if p := &mb.Periods[i]; p.Since <= uint32(h) && uint32(h) < p.Until {
			return p
		}
	}
	return nil
}

// mineTimes are the times above h in which mine is held by what ranges say.
func (mb *Member) mineTimes(h int32) []record.Range {
	var list []record.Range
	for _, perm := range []record.Set{record.Mine, record.Admin} {
		r := mb.Perms[perm]
		if perm == record.Admin && mb.NoMine || !left(r, h+1) {
			continue
		}
		list = append(list, record.Range{From: max(r.From, uint32(h)+1), Until: r.Until})
	}
	if len(list) < 2 {
		return list
	}
	a, b := list[0], list[1]
	if b.From < a.From {
		a, b = b, a
	}
	if b.From > a.Until {
		return []record.Range{a, b}
	}
	return []record.Range{{From: a.From, Until: max(a.Until, b.Until)}}
}

// renew works the times to mine out anew after block h changed permissions. A
// time that goes on or is still to come, longer or shorter, keeps what it has;
// all others begin as such that nobody was declared ready in, and so does the
// second where there are two.
func (mb *Member) renew(h int32, setup bool) {
	old := slices.Clone(mb.Periods)
	mb.Periods = nil
	for i, r := range mb.mineTimes(h) {
		p := Period{Since: r.From, Until: r.Until, ActiveFrom: forever}
		if setup {
			p.ActiveFrom = r.From
		}
		for _, o := range old {
			goesOn := o.Since <= uint32(h) && o.Until > uint32(h) && r.From == uint32(h)+1
			moved := o.Since > uint32(h) && max(o.Since, r.From) < min(o.Until, r.Until)
			if goesOn || moved {
				p.ActiveFrom = min(p.ActiveFrom, o.ActiveFrom)
			}
			if goesOn {
				p.Since = o.Since
			}
		}
		if i > 0 {
			p.ActiveFrom = forever
		}
		mb.Periods = append(mb.Periods, p)
	}
}

// ReadySince is what a declaration in block h has to say, and whether one can
// be made.
func (m *Model) ReadySince(id record.MemberID, h int32) (uint32, bool) {
	mb := m.Members[id]
	if mb == nil {
		return 0, false
	}
	p := mb.period(h)
	if p == nil || p.ActiveFrom != forever {
		return 0, false
	}
	return p.Since, true
}

// checkReady is why a declaration in block h is void; none if it is not.
func (m *Model) checkReady(r record.Ready, h int32) Rules {
	mb := m.Members[r.Member]
	if mb == nil {
		return Rules{"unknown-member"}
	}
	if !mb.acts(string(record.KeyScript(r.Key)), record.Mine, h) {
		return Rules{"ready-not-mining"}
	}
	return mb.checkReadyTime(r, h)
}

// checkReadyTime is checkReady as far as the running state has a say: who has
// the key and the permission is judged by the parent's.
func (mb *Member) checkReadyTime(r record.Ready, h int32) Rules {
	p := mb.period(h)
	switch {
	case p == nil || p.Since != r.Since:
		return Rules{"ready-not-mining"}
	case p.ActiveFrom != forever:
		return Rules{"ready-again"}
	}
	return nil
}

// Signer is a key that signed a certificate.
type Signer struct {
	Member   record.MemberID
	Identity string
}

// RestartBlock is the state by which a restart block at h is judged, and
// after it.
func (m *Model) RestartBlock(h int32, miners []record.MemberID, signers []Signer) (*Model, Rules) {
	var broken Rules
	for _, id := range miners {
		if m.Members[id] == nil {
			broken = append(broken, "bad-restart-member")
		}
	}
	for _, s := range signers {
		if mb := m.Members[s.Member]; mb == nil || !mb.acts(s.Identity, record.Admin, h) {
			broken = append(broken, "bad-restart-signer")
		}
	}
	if len(signers) < m.NeedRestart(h) {
		broken = append(broken, "bad-restart-signers")
	}
	if broken != nil {
		return nil, broken
	}
	next := m.clone()
	next.Restart = h
	for id, mb := range next.Members {
		if slices.Contains(miners, id) {
			mb.Perms[record.Mine] = record.Range{From: uint32(h), Until: forever}
			mb.Periods = []Period{{Since: uint32(h), Until: forever, ActiveFrom: uint32(h)}}
			continue
		}
		if len(mb.mineTimes(h-1)) == 0 {
			continue // has none to lose
		}
		delete(mb.Perms, record.Mine)
		mb.Periods, mb.NoMine = nil, true
	}
	return next, nil
}
