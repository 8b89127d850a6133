package permission

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain/permission/record"
)

// A member with a managing key changes its own keys alone, and nobody else's.
func TestOwnKeys(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t),
		member(t, "delta send,mine delta=manage d2=send,mine"), member(t, "echo - echo=manage"))...))
	w.do("delta", w.addKey("delta", "d3", "send", 0, forever))
	w.may("d3", "send", true)
	if w.s.done.len()+w.s.pending.len() != 0 {
		t.Error("a member's own decision left a row")
	}
	w.do("delta", w.changeKey("delta", "d3", "receive", 0, forever))
	w.may("d3", "send", false)
	w.do("delta", w.removeKey("delta", "d3"))
	w.refuse(RuleUnknownKey, "delta", w.removeKey("delta", "d3"))
	w.refuse(RuleUnknownKey, "delta", w.changeKey("delta", "d3", "send", 0, forever))
	w.refuse(RuleUnknownKey, "delta", w.removeKey("delta", "alpha"))
	w.refuse(RuleNoAuthority, "d2", w.addKey("delta", "d3", "send", 0, forever))
	w.refuse(RuleNoAuthority, "echo", w.addKey("delta", "d3", "send", 0, forever))
	w.refuse(RuleIdentityTaken, "delta", w.addKey("delta", "d2", "send", 0, forever))
	w.refuse(RuleIdentityTaken, "delta", w.addKey("delta", "echo", "send", 0, forever))
	// Several managers, one record: the second comes too late.
	w.do("delta", w.addKey("delta", "d4", "manage", 0, forever))
	r := w.addKey("delta", "d5", "send", 0, forever)
	w.do("delta d4", r)
	w.refuse(RuleIdentityTaken, "d4", r)
	// Its own decision ends a vote of the administrators on the same.
	r = w.addKey("delta", "d6", "send", 0, forever)
	w.do("alpha", r)
	w.do("delta", r)
	if v := find(t, w, r); !v.Done || len(v.Voters) != 2 {
		t.Errorf("%+v", v)
	}
	w.do("delta", w.removeKey("delta", "d6"))
	w.do("beta", r)
	w.may("d6", "send", false)
}

// A key that governs, mines or connects says itself that it wants to.
func TestKeySignature(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta send,mine delta=manage d2=send"))...))
	for _, roles := range []string{"connect", "manage,send"} {
		good := w.addKey("delta", "d3", roles, 0, forever)
		for name, change := range map[string]func(r *record.AddKey){
			"roles":   func(r *record.AddKey) { r.Roles |= record.Receive },
			"from":    func(r *record.AddKey) { r.From = 1 },
			"until":   func(r *record.AddKey) { r.Until = 1000 },
			"another": func(r *record.AddKey) { r.Identity = identity("d4") },
			"broken":  func(r *record.AddKey) { sig := *r.Sig; sig[63] ^= 1; r.Sig = &sig },
		} {
			r := good
			change(&r)
			p := w.spend("delta", r)
			if err := w.s.CheckTx(p.tx, p.coins, w.h); err == nil {
				t.Errorf("%s: %s: accepted", roles, name)
			} else {
				wantRule(t, err, record.RuleSignature)
			}
		}
		other := good
		other.Member = w.id("alpha") // the same signature for another member
		w.refuse(record.RuleSignature, "alpha beta", other)
	}
	change := w.changeKey("delta", "d2", "connect", 0, forever)
	change.Sig = new([64]byte)
	w.refuse(record.RuleSignature, "delta", change)
	create := w.create("echo", "connect")
	create.Sig = new([64]byte)
	w.refuse(record.RuleSignature, "alpha", create)
	// Form, by package record.
	r := w.addKey("delta", "d3", "manage", 0, forever)
	p := w.spend("delta", r)
	p.tx.Msg.TxOut = p.tx.Msg.TxOut[:1] // without its authority output
	w.refuseBlock(record.RuleNoAuthorityOutput, p)
	p.tx.Msg.TxOut[0].Value = 1
	w.refuseBlock(record.RuleMalformed, p)
	w.do("delta", r)
	w.may("d3", "manage", true)
}

// After losing all its keys a member is restored by the votes of the others;
// a key is replaced with an overlap.
func TestRecoveryAndRotation(t *testing.T) {
	w := newWorld(t, chainParams(three(t)...))
	r := w.addKey("gamma", "g2", allRoles, 0, forever)
	w.do("alpha", r)
	w.may("g2", "admin", false)
	w.do("beta", r)
	w.may("g2", "admin", true)
	w.do("alpha beta", w.removeKey("gamma", "gamma"))
	w.may("gamma", "admin", false)

	w.do("alpha", w.addKey("alpha", "a2", "admin,manage", 10, forever))
	w.do("alpha", w.changeKey("alpha", "alpha", allRoles, 0, 12))
	for h, want := range map[int32][2]bool{9: {true, false}, 10: {true, true}, 11: {true, true}, 12: {false, true}} {
		if got := [2]bool{w.s.May(identity("alpha"), record.Admin, h), w.s.May(identity("a2"), record.Admin, h)}; got != want {
			t.Errorf("height %d: %v, want %v", h, got, want)
		}
	}
	w.h = 12
	w.refuse(RuleNoAuthority, "alpha", w.addKey("alpha", "a3", "send", 0, forever))
	w.do("a2", w.addKey("alpha", "a3", "send", 0, forever))
	if m, _ := w.s.ByName("alpha"); len(m.Keys) != 2 {
		t.Errorf("the key that is over stayed when keys changed: %+v", m.Keys)
	}
}

// An identity belongs to one member at a time: while its key is in force or
// to come, not when it is over.
func TestIdentityOfAKeyThatIsOver(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta send delta=manage"), member(t, "echo send echo=manage"))...))
	w.do("delta", w.addKey("delta", "x", "send", 20, 30))
	w.refuse(RuleIdentityTaken, "echo", w.addKey("echo", "x", "send", 0, forever))
	w.h = 28
	w.refuse(RuleIdentityTaken, "echo", w.addKey("echo", "x", "send", 0, forever)) // in force at 29
	w.h = 29                                                                       // not in force at 30 and later
	change := w.changeKey("delta", "x", "send", 0, forever)
	w.refuse(RuleUnknownKey, "delta", change)
	w.do("echo", w.addKey("echo", "x", "send", 0, forever))
	if m, _, _ := w.s.ByIdentity(identity("x")); m.Name != "echo" {
		t.Error("the identity did not move")
	}
	if m, _ := w.s.ByName("delta"); len(m.Keys) != 1 {
		t.Error("the old member still lists the key")
	}
	// A range that is over from the start leaves no key.
	w.do("echo", w.changeKey("echo", "x", "send", 3, 4))
	w.do("echo", w.addKey("echo", "y", "send", 3, uint32(w.h)+1))
	if m, _ := w.s.ByName("echo"); len(m.Keys) != 1 {
		t.Errorf("%+v", m.Keys)
	}
	w.do("delta", w.addKey("delta", "x", "send", 3, uint32(w.h)+2))
	w.may("x", "send", true)
	w.h++
	w.may("x", "send", false)
	// A key that is over may be added again to the same member.
	w.do("delta", w.addKey("delta", "x", "send", 0, forever))
	w.may("x", "send", true)
}

func TestTooManyKeys(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta send delta=manage"))...))
	for i := range MaxKeys - 1 {
		w.do("delta", w.addKey("delta", fmt.Sprintf("wpkh-%d", i), "send", uint32(i+500), 1000)) // to come
	}
	w.refuse(RuleTooManyKeys, "delta", w.addKey("delta", "wpkh-x", "send", 0, forever))
	w.refuse(RuleTooManyKeys, "alpha beta", w.addKey("delta", "wpkh-x", "send", 0, forever))
	w.do("delta", w.changeKey("delta", "wpkh-0", "receive", 0, forever))
	w.do("delta", w.removeKey("delta", "wpkh-1"), w.addKey("delta", "wpkh-x", "send", 0, forever))
	w.h = 998
	w.refuse(RuleTooManyKeys, "delta", w.addKey("delta", "wpkh-y", "send", 0, forever))
	w.h = 999 // all that ended at 1000 are over from the next block on
	w.do("delta", w.addKey("delta", "wpkh-y", "send", 0, forever))
	if m, _ := w.s.ByName("delta"); len(m.Keys) != 4 {
		t.Errorf("%d keys", len(m.Keys))
	}
}
