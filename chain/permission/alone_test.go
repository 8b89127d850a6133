package permission

import (
	"testing"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// In the set-up one administering member adds alone; taking admin or mine
// away takes the full share. TestSetupEnds has the boundary.
func TestSetup(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta - delta=admin,mine,send d2=mine"),
		member(t, "india admin india=admin i2=mine"))...)
	p.Permissions.SetupBlocks = 40
	w := newWorld(t, p)
	w.do("alpha", w.grant("delta", "admin,mine", 0, forever))
	w.may("delta", "admin,mine", true)
	w.do("alpha", w.create("echo", allRoles), w.grant("echo", "admin,activate", 0, forever))
	w.do("alpha", w.addKey("beta", "b2", "admin", 0, forever), w.rename("gamma", "g"))
	w.do("alpha", w.revoke("delta", "send,activate"))
	w.do("india", w.removeKey("india", "i2")) // its own key
	if _, _, there := w.s.ByIdentity(identity("i2")); there {
		t.Error("a member did not remove its own key alone")
	}
	pendingOf := func(r record.Record) {
		t.Helper()
		w.do("alpha", r)
		if v := find(t, w, r); v.Done {
			t.Errorf("%+v was decided alone", r)
		}
	}
	pendingOf(w.revoke("delta", "mine"))
	pendingOf(w.grant("delta", "admin", 0, 1000))
	pendingOf(w.grant("delta", "send,admin", uint32(w.h)+2, forever))
	pendingOf(w.grant("alpha", "admin", 0, 1000)) // its own too
	pendingOf(w.removeKey("delta", "d2"))
	pendingOf(w.changeKey("delta", "delta", "mine,send", 0, forever))
	pendingOf(w.changeKey("delta", "delta", "admin,mine,send", 0, 1000))
	pendingOf(w.upgrade("x", 5000))
	w.do("alpha", w.changeKey("delta", "delta", "admin,mine", 0, forever)) // takes send away only
}

func TestSetupEnds(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta - delta=mine"))...)
	p.Permissions.SetupBlocks = 7
	w := newWorld(t, p)
	w.h = 7
	g := w.grant("delta", "mine", 0, forever)
	if s, _, err := w.try(w.spend("alpha", g)); err != nil || !s.May(identity("delta"), record.Mine, 8) {
		t.Errorf("block 7 is not of the set-up: %v", err)
	}
	w.h = 8
	w.do("alpha", g)
	if find(t, w, g).Done {
		t.Error("block 8 is of the set-up")
	}
	// An activator is no administrator.
	p.Permissions.SetupBlocks = 100
	p.Genesis.Members = append(p.Genesis.Members, member(t, "echo activate echo=activate,manage"))
	w = newWorld(t, p)
	w.refuse(RuleNoAuthority, "echo", w.grant("delta", "mine", 0, forever))
}

func TestActivator(t *testing.T) {
	p := chainParams(append(three(t),
		member(t, "echo activate echo=activate e2=activate"), member(t, "foxtrot activate f=activate"),
		member(t, "delta send,issue delta=send,receive"), member(t, "miner mine,send,connect m=mine,send"),
		member(t, "admin admin,send ad=send"), member(t, "act activate,send ac=send"))...)
	p.Permissions.Consensus["send"], p.Permissions.Consensus["connect"] = majority, majority
	w := newWorld(t, p)
	w.do("echo", w.grant("delta", "connect,receive", 0, forever), w.revoke("delta", "send"))
	w.may("delta", "receive", true)
	w.may("delta", "send", false)
	w.do("echo", w.create("golf", "send"), w.grant("golf", "send", 0, 100))
	w.do("echo", w.grant("miner", "receive", 0, forever))
	for _, perms := range []string{"mine", "issue", "admin", "activate", "create", "connect,issue"} {
		w.refuse(RuleNoAuthority, "echo", w.grant("delta", perms, 0, forever))
	}
	w.refuse(RuleNoAuthority, "echo", w.rename("delta", "d"))
	w.refuse(RuleNoAuthority, "echo", w.removeKey("delta", "delta"))
	w.refuse(RuleNoAuthority, "echo", w.upgrade("x", 9000))
	for _, name := range []string{"miner", "admin", "act"} {
		w.refuse(RuleNoAuthority, "echo", w.revoke(name, "send"))
		// A shorter range takes away too.
		w.refuse(RuleNoAuthority, "echo", w.grant(name, "send", 0, 1_000_000))
		w.refuse(RuleNoAuthority, "echo", w.grant(name, "connect,send", uint32(w.h)+2, forever))
		w.do("echo", w.grant(name, "send", uint32(w.h)+1, forever)) // takes nothing away
	}
	if left := w.s.LoneLeft(w.id("echo"), w.h); left != LoneDecisions-8 {
		t.Errorf("%d lone decisions left", left)
	}
	w.do("f", w.grant("delta", "send", 0, forever)) // each for itself
	if w.s.LoneLeft(w.id("foxtrot"), w.h) != LoneDecisions-1 || w.s.LoneLeft(w.id("echo"), w.h) != LoneDecisions-8 {
		t.Error("lone decisions are counted wrong")
	}
}

func TestTooManyLone(t *testing.T) {
	p := chainParams(append(three(t), member(t, "echo activate echo=activate e2=activate"), member(t, "foxtrot activate f=activate"),
		member(t, "delta - delta=send"))...)
	p.Permissions.Consensus["send"] = majority
	w := newWorld(t, p)
	w.h = 10
	g := func() record.Record { return w.grant("delta", "send", 0, forever) }
	w.do("e2", g(), g(), g(), g())
	w.h = 500
	w.do("echo", g(), g(), g(), g(), g())
	w.refuse(RuleTooManyLone, "echo", g(), g()) // 10 are allowed, within a transaction
	w.refuseBlock(RuleTooManyLone, w.spend("echo", g()), w.spend("e2", g()))
	last := g()
	w.do("echo", last)
	w.do("echo alpha", g()) // a vote of alpha's
	if w.s.LoneLeft(w.id("echo"), w.h) != 0 || w.s.pending.len() != 1 {
		t.Errorf("%d left, %d pending", w.s.LoneLeft(w.id("echo"), w.h), w.s.pending.len())
	}
	w.refuse(RuleTooManyLone, "echo e2", g())
	w.do("echo f", g()) // the other activator decides
	if w.s.LoneLeft(w.id("foxtrot"), w.h) != LoneDecisions-1 {
		t.Error("the decision was not the other's")
	}
	w.h = 9 + LoneWindow
	w.refuse(RuleTooManyLone, "echo", g())
	w.h = 10 + LoneWindow // those of block 10 count no more
	w.do("echo", g(), g(), g())
	w.do("echo", g())
	w.refuse(RuleTooManyLone, "echo", g())

	// Administrators' votes decide first, and cost the activator nothing.
	w = newWorld(t, p)
	w.do("echo alpha beta", g())
	if w.s.LoneLeft(w.id("echo"), w.h) != LoneDecisions {
		t.Error("a decision by votes was counted as the activator's")
	}
	// A pending vote can be decided by an activator.
	r := g()
	w.do("alpha", r)
	w.do("echo", r)
	if v := find(t, w, r); !v.Done || len(v.Voters) != 2 {
		t.Errorf("%+v", v)
	}
}

// What may be moved in a transaction with records, and what not.
func TestPayments(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta mine delta=manage d2=mine wpkh-d=send,receive"),
		member(t, "payer send,receive payer=send,receive wpkh-p=send,receive"), member(t, "in receive in=receive,send"))...)
	w := newWorld(t, p)
	check := func(rule consensus.Rule, pay payment) {
		t.Helper()
		if err := w.s.CheckTx(pay.tx, pay.coins, w.h); rule == "" && err != nil {
			t.Errorf("%v", err)
		} else if rule != "" {
			wantRule(t, err, rule)
		}
	}
	to := func(names ...string) (list [][]byte) {
		for _, n := range names {
			list = append(list, identity(n))
		}
		return list
	}
	check("", w.pay("payer", to("in", "payer", "wpkh-p")))
	check("", w.pay("payer wpkh-p", to("in")))
	check(RuleReceive, w.pay("payer", to("in", "stranger")))
	check(RuleReceive, w.pay("payer", to("wpkh-d")))
	check(RuleSend, w.pay("payer in", to("in")))
	check(RuleSend, w.pay("stranger", to("in")))
	data := w.pay("payer", [][]byte{{0x6a, 1, 2}})
	check(RuleReceive, data) // with an amount
	data.tx.Msg.TxOut[0].Value = 0
	check("", data)
	for _, script := range [][]byte{{}, {0x51}, append([]byte{0x52, 0x20}, make([]byte, 32)...), append([]byte{0x51, 2}, 1, 2)} {
		odd := w.pay("payer", [][]byte{script})
		odd.tx.Msg.TxOut[0].Value = 0
		check(RuleReceive, odd)
	}

	// Those who have a say in a record need no permission to move their coins
	// on to the same script. delta may neither send nor receive.
	own := func() record.Record { return w.addKey("delta", "d3", "mine", 0, forever) }
	check("", w.pay("delta", to("delta"), own()))
	check("", w.pay("delta payer", to("delta", "in", "payer"), own()))
	check(RuleSend, w.pay("delta d2", to("delta"), own()))             // speaks, but has no say
	check(RuleSend, w.pay("delta stranger", to("delta"), own()))       // nor is it a member
	check(RuleReceive, w.pay("delta", to("delta", "stranger"), own())) // another script
	check(RuleSend, w.pay("delta", to("delta")))                       // no record
	check(RuleReceive, w.pay("payer delta", to("d2"), own()))
	check("", w.pay("delta", nil, w.addKey("delta", "d4", "manage", 0, forever))) // its authority output
	gift := w.pay("delta", to("d3"), own())
	gift.tx.Msg.TxOut[1].Value = 0
	check(RuleReceive, gift) // nor is an output to a key that does not govern
	governs := w.pay("delta", to("d4"), w.addKey("delta", "d4", "manage", 0, forever))
	check(RuleReceive, governs) // an amount to the new key is no authority output
}

func TestReadyExemption(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta - delta=manage d2=mine"), member(t, "payer send payer=send"),
		member(t, "gov admin gov=admin,activate"))...)
	w := newWorld(t, p)
	w.do("alpha beta gov", w.grant("delta", "mine", 0, forever), w.addKey("delta", "late", "mine", 50, 60))
	r := w.ready("delta", "d2", 2)
	for speakers, rule := range map[string]consensus.Rule{"delta": "", "d2": "", "payer": "", "stranger": RuleSend, "delta stranger": RuleSend, "alpha": "", "gov": RuleSend, "late": RuleSend} {
		pay := w.spend(speakers, r)
		if err := w.s.CheckTx(pay.tx, pay.coins, w.h); rule == "" && err != nil {
			t.Errorf("%s: %v", speakers, err)
		} else if rule != "" {
			wantRule(t, err, rule)
		}
	}
}

func TestCoinbase(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=receive"))...))
	base := func(scripts ...[]byte) payment { return w.pay("", scripts) }
	if err := w.s.CheckCoinbase(base(identity("alpha")).tx, 1); err != nil {
		t.Error(err)
	}
	wantRule(t, w.s.CheckCoinbase(base(identity("alpha"), identity("delta")).tx, 1), RuleReceive)
	wantRule(t, w.s.CheckCoinbase(base([]byte{0x6a, 1, 1}).tx, 1), RuleReceive)
	commitment := base([]byte{0x6a, 1, 1})
	commitment.tx.Msg.TxOut[0].Value = 0
	if err := w.s.CheckCoinbase(commitment.tx, 1); err != nil {
		t.Error(err)
	}
	r := w.spend("", w.rename("delta", "d"))
	wantRule(t, w.s.CheckCoinbase(r.tx, 1), RuleRecordInCoinbase)

	// What is open is everybody's, records or not.
	p := chainParams(three(t)...)
	p.Permissions.Restricted = toParams(record.Mine)
	w = newWorld(t, p)
	pay := w.pay("stranger", [][]byte{{0x51}, identity("stranger")})
	if err := w.s.CheckTx(pay.tx, pay.coins, 1); err != nil {
		t.Error(err)
	}
	if err := w.s.CheckCoinbase(pay.tx, 1); err != nil {
		t.Error(err)
	}
	w.refuse(RuleNoAuthority, "stranger", w.grant("alpha", "send", 0, forever))
}
