package permission

import (
	"testing"

	"github.com/charterchain/charter/chain/permission/record"
)

// A record that took effect does nothing when it comes again, whoever brings
// it, until it lapses; and what was voted for before the opposite was decided
// has to be voted for anew.
func TestReplayedVotes(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta - delta=send"))...)
	p.Permissions.Consensus["send"] = majority
	w := newWorld(t, p)
	grant, other := w.grant("delta", "send", 0, forever), w.grant("delta", "send", 0, forever)
	grant.Lapse = 100
	w.do("alpha beta", grant)
	w.may("delta", "send", true)
	w.do("alpha", other) // pending: the permission could be given back at once
	w.do("alpha beta", w.revoke("delta", "send"))
	for _, speakers := range []string{"alpha", "alpha beta gamma", "gamma"} {
		w.do(speakers, grant)
		w.may("delta", "send", false)
	}
	w.refuse(RuleNoAuthority, "delta", grant)
	w.do("beta", other)
	w.may("delta", "send", false)
	w.h = 100
	w.do("beta gamma", grant)
	w.may("delta", "send", false)
	w.refuse(RuleLapse, "beta gamma", grant) // block 101
	w.do("gamma", other)                     // beta and gamma, after the revocation
	w.may("delta", "send", true)
}

// Votes are for every field of a record: nobody's vote can be counted for
// another one. Members are named by what never changes.
func TestRetargetedVotes(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta - delta=mine,send"), member(t, "echo - echo=mine,send"))...)
	w := newWorld(t, p)
	voted := w.grant("delta", "mine", 0, 90_000)
	w.do("alpha", voted)
	for name, change := range map[string]func(r *record.Grant){
		"member":      func(r *record.Grant) { r.Member = w.id("echo") },
		"permissions": func(r *record.Grant) { r.Permissions |= record.Send },
		"from":        func(r *record.Grant) { r.From = 1 },
		"until":       func(r *record.Grant) { r.Until = forever },
		"lapse":       func(r *record.Grant) { r.Lapse++ },
		"salt":        func(r *record.Grant) { r.Salt[3] ^= 1 },
	} {
		r := voted
		change(&r)
		w.do("beta", r)
		if v := find(t, w, r); v.Done || v.Have != 1 {
			t.Errorf("%s: a vote for another record was counted: %+v", name, v)
		}
	}
	delta := w.id("delta")
	w.do("alpha beta", w.rename("delta", "delta2"))
	w.do("alpha beta", w.rename("echo", "delta"))
	w.do("beta", voted)
	if m, _ := w.s.ByName("delta"); m.Holds(record.Mine, w.h) {
		t.Error("the permission went to who took the name")
	}
	if m, _ := w.s.Member(delta); !m.Holds(record.Mine, w.h) {
		t.Error("the permission did not go to the member that was voted for")
	}
}

// Roles that a member gives to its own keys are no permissions, and nobody who
// is not to decide about them can give itself any.
func TestSelfGranting(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta send delta=send,manage"), member(t, "echo activate echo=activate,manage"),
		member(t, "foxtrot mine foxtrot=mine,manage"))...)
	w := newWorld(t, p)
	everything := "admin,activate,mine,connect,send,receive,issue,create,manage"
	for _, name := range []string{"delta", "foxtrot"} {
		w.do(name, w.addKey(name, name+"2", everything, 0, forever))
		w.may(name+"2", "admin", false)
		w.may(name+"2", "activate", false)
		for _, perm := range []string{"admin", "mine", "activate", "connect", "receive"} {
			w.refuse(RuleNoAuthority, name+"2", w.grant(name, perm, 0, forever))
		}
		w.refuse(RuleNoAuthority, name+"2", w.addKey("alpha", name+"3", everything, 0, forever))
		w.refuse(RuleNoAuthority, name+"2", w.removeKey("alpha", "alpha"))
		w.refuse(RuleNoAuthority, name+"2", w.upgrade("x", 90_000))
	}
	w.sealer("delta2", w.h, RuleSealNotMining)
	for _, perm := range []string{"admin", "mine", "activate", "issue", "create", "send,mine"} {
		w.refuse(RuleNoAuthority, "echo", w.grant("echo", perm, 0, forever))
	}
	// One that administers is one vote, for itself too.
	r := w.grant("alpha", "mine", 0, forever)
	w.do("alpha", r)
	if v := find(t, w, r); v.Done || v.Have != 1 || v.Need != 2 {
		t.Errorf("%+v", v)
	}
	// Nor by a restart.
	_, _, err := w.s.Restart(w.h, w.certificate([]string{"delta"}, [2]string{"delta", "delta2"}))
	wantRule(t, err, RuleRestartSigner)
}

// Nobody can register another's key to govern, mine or connect. What needs no
// signature, the roles send and receive, can be claimed for another's
// identity by a member that manages its keys; the others take it away.
func TestSquatting(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta send delta=manage,send"), member(t, "echo send echo=manage,send"))...))
	for _, roles := range []string{"admin", "mine", "connect", "activate", "manage", "send,connect"} {
		forged := w.addKey("delta", "e2", roles, 0, forever)
		forged.Sig = w.sign("delta", w.id("delta"), forged.Roles, forged.Range) // by the squatter's own key
		w.refuse(record.RuleSignature, "delta", forged)
		forged = w.addKey("echo", "e2", roles, 0, forever) // the owner's, for its own member
		forged.Member = w.id("delta")
		w.refuse(record.RuleSignature, "delta", forged)
	}
	w.do("delta", w.addKey("delta", "e2", "send", 0, forever))
	w.refuse(RuleIdentityTaken, "echo", w.addKey("echo", "e2", "mine", 0, forever))
	w.do("alpha beta", w.removeKey("delta", "e2"))
	w.do("echo", w.addKey("echo", "e2", "mine,send", 0, forever))
	w.refuse(RuleIdentityTaken, "delta", w.addKey("delta", "e2", "send", 0, forever))
	w.may("e2", "send", true)
}
