package permission

import (
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Restart judges the certificate of a restart block at height h by the state
// after its parent, s. It returns the state by which this block alone is
// judged in all else, and which is the state after it: mine has ended for
// all members but those listed, who hold it from h on and are active. The
// sealer is among them iff CheckSealer of the new state accepts it.
//
// That the certificate names the parent, that the block holds nothing else
// and that enough time has passed is for package seal and its callers.
// Errors are *consensus.RuleError.
func (s *State) Restart(h int32, c *seal.Certificate) (*State, *Delta, error) {
	if err := s.checkCertificate(h, c); err != nil {
		return nil, nil, err
	}
	d := s.Draft(h)
	for _, m := range s.sortedMembers() {
		listed := c.Lists(m.ID)
		if !listed && !m.mayMineFrom(h) {
			continue
		}
		m = m.clone()
		m.restart(h, listed)
		d.setMember(m)
	}
	d.cur.restart = uint32(h)
	next, delta := d.Finish()
	return next, delta, nil
}

// mayMineFrom reports whether the member holds mine at h or later.
func (m *Member) mayMineFrom(h int32) bool {
	a, b := m.mineRanges()
	return !over(a, h) || !over(b, h)
}

// restart gives or takes mine away in block h itself.
func (m *Member) restart(h int32, listed bool) {
	at := bitIndex(record.Mine)
	if !listed {
		m.Perms[at], m.NoMine = record.Range{}, true
		m.MineSince, m.MineUntil, m.ActiveFrom = 0, 0, 0
		return
	}
	m.Perms[at] = record.Range{From: uint32(h), Until: forever}
	m.MineSince, m.MineUntil, m.ActiveFrom = uint32(h), forever, uint32(h)
}

func (s *State) checkCertificate(h int32, c *seal.Certificate) error {
	for _, id := range c.Miners {
		if s.member(id) == nil {
			return broke(RuleRestartMember, "there is no member %v to mine", id)
		}
	}
	for i := range c.Signers {
		if err := s.checkSigner(&c.Signers[i], h); err != nil {
			return err
		}
	}
	if need := s.NeedRestart(h); len(c.Signers) < need {
		return broke(RuleRestartSigners, "%d members signed the restart, it takes %d", len(c.Signers), need)
	}
	return c.CheckSigs(s.rules.genesis)
}

func (s *State) checkSigner(signer *seal.Signature, h int32) error {
	m := s.member(signer.Member)
	if m == nil {
		return broke(RuleRestartSigner, "there is no member %v to sign", signer.Member)
	}
	sp := speaker{member: m, key: m.key(record.KeyScript(signer.Key))}
	if sp.key == nil || !sp.acts(record.Admin, h) {
		return broke(RuleRestartSigner, "the key %x of %s does not administer at height %d", signer.Key, m.Name, h)
	}
	return nil
}

// NeedRestart returns how many administering members it takes to restart the
// chain with block h.
func (s *State) NeedRestart(h int32) int { return s.Need(record.Admin|record.Mine, h) }
