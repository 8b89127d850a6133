package miner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// certificate is one for a restart on the best block of an office.
func certificate(t *testing.T, o *office, miners, signers []*chaintest.Member) *seal.Certificate {
	t.Helper()
	parent := o.h.Chain.Best().Hash
	var ids []record.MemberID
	for _, m := range miners {
		ids = append(ids, m.ID)
	}
	var sigs []seal.Signature
	for _, m := range signers {
		sig, err := seal.SignRestart(o.net.Params.GenesisHash, parent, ids, m.ID, m.Signer(), [32]byte{})
		if err != nil {
			t.Fatal(err)
		}
		sigs = append(sigs, sig)
	}
	c, err := seal.NewCertificate(parent, ids, sigs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Two of three are gone: the chain stands still until its administrators
// restart it with the one that is left, and not before the delay is over.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Permissions: "restart_delay = 600"})
		alpha, beta := net.Member("alpha"), net.Member("beta")
		o := newOffice(t, net, alpha, func(c *Config) { c.Present = func(time.Duration) [][32]byte { return nil } })
		o.h.Next("b1", chaintest.By(alpha), chaintest.Time(o.cfg.Now())).Accept()
		o.start()
		pass(time.Minute)
		o.expect(StateIsolated, "")
		if err := o.SubmitRestart(certificate(t, o, []*chaintest.Member{alpha}, []*chaintest.Member{alpha, beta})); err != nil {
			t.Fatal(err)
		}
		parent := o.h.Chain.Best().Header.Timestamp
		left := parent.Add(net.Params.Permissions.RestartDelay).Sub(o.cfg.Now())
		pass(left - time.Second)
		if s := o.Status(); !s.Restart || s.State != StateIsolated || o.height() != 1 {
			t.Errorf("before its time: %+v, height %d", s, o.height())
		}
		pass(3 * time.Second)
		if info := o.h.Chain.Best(); info.Height != 2 || !info.Restart || info.Sealer != alpha.ID {
			t.Fatalf("after its time: %+v", info)
		}
		pass(3*time.Minute + time.Second)
		if s := o.Status(); s.Restart || o.height() != 5 {
			t.Errorf("height %d three minutes later, %+v", o.height(), s)
		}
	})
}

func TestRestartRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := three()
		alpha, beta := net.Member("alpha"), net.Member("beta")
		o := newOffice(t, net, alpha, nil)
		both := []*chaintest.Member{alpha, beta}
		old := certificate(t, o, both, both)
		o.h.Next("b1", chaintest.By(alpha)).Accept()
		forged := certificate(t, o, both, both)
		forged.Signers[0].Sig[5] ^= 1
		tests := []struct {
			name  string
			cert  *seal.Certificate
			words string
		}{
			{"on another block", old, "the best block is"},
			{"too few signers", certificate(t, o, both, both[:1]), string(permission.RuleRestartSigners)},
			{"forged", forged, string(seal.RuleRestartSignature)},
			{"without this member", certificate(t, o, both[1:], both), "could not seal"},
		}
		for _, test := range tests {
			if err := o.SubmitRestart(test.cert); err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		if o.Status().Restart {
			t.Error("one of them is kept")
		}
		// Another block comes first: the certificate is forgotten.
		if err := o.SubmitRestart(certificate(t, o, both, both)); err != nil || !o.Status().Restart {
			t.Fatalf("SubmitRestart: %v", err)
		}
		o.h.Next("b2", chaintest.By(beta)).Accept()
		o.look()
		if o.Status().Restart {
			t.Error("a certificate for another block is kept")
		}
		if err := newOffice(t, net, nil, nil).SubmitRestart(old); err == nil || !strings.Contains(err.Error(), "no miner key") {
			t.Errorf("without a key: %v", err)
		}
		if err := newSite(t).SubmitRestart(old); err == nil || !strings.Contains(err.Error(), "not restricted") {
			t.Errorf("where mining is everybody's: %v", err)
		}
	})
}
