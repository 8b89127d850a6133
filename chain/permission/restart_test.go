package permission

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// certificate lets members mine; signers are "member" or "member/key".
func (w *world) certificate(miners []string, signers ...[2]string) *seal.Certificate {
	w.t.Helper()
	parent := chainhash.Hash{9}
	var listed []record.MemberID
	for _, m := range miners {
		listed = append(listed, w.id(m))
	}
	var sigs []seal.Signature
	for _, s := range signers {
		sig, err := seal.SignRestart(w.p.GenesisHash, parent, listed, w.id(s[0]), private(s[1]), [32]byte{})
		if err != nil {
			w.t.Fatal(err)
		}
		sigs = append(sigs, sig)
	}
	c, err := seal.NewCertificate(parent, listed, sigs)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestRestart(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta mine delta=mine"), member(t, "echo - echo=mine"), member(t, "foxtrot send f=send"))...))
	w.h = 100
	alpha, beta := [2]string{"alpha", "alpha"}, [2]string{"beta", "beta"}
	c := w.certificate([]string{"echo", "alpha"}, alpha, beta)
	before := w.s.Encode()
	s, delta, err := w.s.Restart(100, c)
	if err != nil {
		t.Fatal(err)
	}
	checkStep(t, w.p, w.s, before, s, delta)
	old := w.s
	w.s = s
	w.sealer("echo", 100, "") // this block already, without being declared ready
	w.sealer("alpha", 100, "")
	w.sealer("delta", 100, RuleSealNotMining)
	w.sealer("beta", 100, RuleSealNotMining) // though it holds admin
	if len(s.Miners(100)) != 2 || s.RestartHeight() != 100 || s.LookBack(101) != 100 || s.LookBack(102) != 101 || s.Required(101) != 2 {
		t.Errorf("%d miners, restart at %d", len(s.Miners(100)), s.RestartHeight())
	}
	if m, _ := s.ByName("foxtrot"); m.NoMine {
		t.Error("a member that did not mine changed")
	}
	if len(s.Administrators(101)) != 3 || !s.May(identity("beta"), record.Admin|record.Connect, 101) {
		t.Error("the restart changed more than mine")
	}

	// It is granted again, or admin anew, and declared ready.
	w.h = 101
	w.do("alpha beta", w.grant("beta", "mine", 0, forever), w.grant("gamma", "admin", 0, forever))
	w.sealer("beta", 102, RuleSealNotActive)
	w.sealer("gamma", 102, RuleSealNotActive)
	w.do("beta gamma", w.ready("beta", "beta", 102), w.ready("gamma", "gamma", 102))
	w.sealer("beta", 105, "")
	w.sealer("gamma", 105, "")
	w.do("alpha beta", w.revoke("beta", "mine")) // now admin does not include it
	w.sealer("beta", 106, RuleSealNotMining)
	w.do("alpha beta", w.grant("echo", "mine", 0, forever)) // stays active
	w.sealer("echo", 110, "")

	// Again.
	w.h = 200
	s, delta, err = w.s.Restart(200, w.certificate([]string{"beta"}, alpha, beta))
	if err != nil {
		t.Fatal(err)
	}
	checkStep(t, w.p, w.s, w.s.Encode(), s, delta)
	w.s = s
	w.sealer("beta", 200, "")
	w.sealer("echo", 201, RuleSealNotMining)
	w.sealer("alpha", 201, RuleSealNotMining)

	w.s, w.h = old, 100
	for name, tt := range map[string]struct {
		c    *seal.Certificate
		rule consensus.Rule
	}{
		"minority":      {w.certificate([]string{"echo"}, alpha), RuleRestartSigners},
		"not admin":     {w.certificate([]string{"echo"}, alpha, [2]string{"delta", "delta"}), RuleRestartSigner},
		"no member":     {w.certificate([]string{"echo"}, alpha, [2]string{"nobody", "x"}), RuleRestartSigner},
		"another's key": {w.certificate([]string{"echo"}, alpha, [2]string{"beta", "gamma"}), RuleRestartSigner},
		"unknown key":   {w.certificate([]string{"echo"}, alpha, [2]string{"beta", "x"}), RuleRestartSigner},
		"unknown miner": {w.certificate([]string{"echo", "nobody"}, alpha, beta), RuleRestartMember},
		"signature": {func() *seal.Certificate {
			c := w.certificate([]string{"echo"}, alpha, beta)
			c.Signers[1].Sig[5] ^= 1
			return c
		}(), seal.RuleRestartSignature},
		"other miners": {func() *seal.Certificate {
			c := w.certificate([]string{"echo"}, alpha, beta)
			c.Miners[0] = w.id("delta")
			return c
		}(), seal.RuleRestartSignature},
	} {
		_, _, err := w.s.Restart(100, tt.c)
		if consensus.AsRule(err) == nil || consensus.AsRule(err).Rule != tt.rule {
			t.Errorf("%s: %v, want %s", name, err, tt.rule)
		}
	}
	// A signer's key counts while it is in force at the height of the block.
	w.do("beta", w.changeKey("beta", "beta", "admin,manage", 0, 105))
	c = w.certificate([]string{"echo"}, alpha, beta)
	if _, _, err := w.s.Restart(104, c); err != nil {
		t.Error(err)
	}
	_, _, err = w.s.Restart(105, c)
	wantRule(t, err, RuleRestartSigner)
}
