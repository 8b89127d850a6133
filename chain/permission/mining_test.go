package permission

import (
	"fmt"
	"slices"
	"testing"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

func (w *world) sealer(key string, h int32, rule consensus.Rule) {
	w.t.Helper()
	id, err := w.s.CheckSealer(xonly(key), h)
	if rule != "" {
		wantRule(w.t, err, rule)
		return
	}
	if m, _, _ := w.s.ByIdentity(identity(key)); err != nil || id != m.ID {
		w.t.Fatalf("sealer %s at %d: %v", key, h, err)
	}
}

// A member that gets mine after the set-up seals w blocks after it was
// declared ready.
func TestReady(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=mine,manage d2=send d3=mine"))...))
	w.h = 10
	w.sealer("alpha", 10, "")
	w.sealer("stranger", 10, RuleSealNoMember)
	w.sealer("delta", 10, RuleSealNotMining)
	early := w.ready("delta", "delta", 11)
	w.refuse(RuleNotReady, "delta", early)
	w.do("alpha beta", w.grant("delta", "mine", 0, forever)) // block 10
	w.sealer("delta", 11, RuleSealNotActive)
	w.sealer("d2", 11, RuleSealNotMining)
	if since, ok := w.s.ReadySince(w.id("delta"), 11); !ok || since != 11 {
		t.Fatalf("since %d %v", since, ok)
	}
	if len(w.s.Miners(11)) != 3 || w.s.Required(11) != 2 {
		t.Error("who was not declared ready counts")
	}
	w.refuse(RuleNotReady, "delta", w.ready("delta", "delta", 10))
	w.refuse(RuleNotReady, "delta", w.ready("delta", "d2", 11))
	w.refuse(RuleNotReady, "delta", w.ready("delta", "stranger", 11))
	w.refuse(RuleUnknownMember, "delta", w.ready("nobody", "delta", 11))
	w.refuse(RuleReadyAgain, "alpha", w.ready("alpha", "alpha", 0))
	bad := early
	bad.Sig[0] ^= 1
	w.refuse(record.RuleSignature, "delta", bad)
	w.refuseBlock(RuleReadyAgain, w.spend("delta", early), w.spend("delta", w.ready("delta", "d3", 11)))
	w.h = 20
	w.do("alpha", early) // block 20: active from 20 + 2 + 1
	w.refuse(RuleReadyAgain, "delta", early)
	w.sealer("delta", 22, RuleSealNotActive)
	w.sealer("d3", 23, "")
	if len(w.s.Miners(22)) != 3 || len(w.s.Miners(23)) != 4 || w.s.Required(22) != 2 || w.s.Required(23) != 3 || !w.s.ChangesAt(23) || w.s.ChangesAt(22) {
		t.Error("the member is not active from 23 on")
	}
	if _, ok := w.s.ReadySince(w.id("delta"), 23); ok {
		t.Error("ready is to be declared twice")
	}
	if _, ok := w.s.ReadySince(record.MemberID{}, 23); ok {
		t.Error("nobody is to be declared ready")
	}

	// A longer range leaves it active; a revocation does not, and the old
	// declaration does not come back.
	w.h = 30
	w.do("alpha beta", w.grant("delta", "mine", 0, 100)) // 2 of 3: delta does not administer
	w.sealer("delta", 31, "")
	w.do("alpha beta", w.grant("delta", "mine", 0, forever))
	w.sealer("delta", 32, "")
	w.do("alpha beta", w.revoke("delta", "mine"))
	w.sealer("delta", 33, RuleSealNotMining)
	w.do("alpha beta", w.grant("delta", "mine", 0, forever))
	w.sealer("delta", 34, RuleSealNotActive)
	w.refuse(RuleNotReady, "delta", early)
	w.do("delta", w.ready("delta", "d3", 34))
	w.sealer("delta", 37, "")
	// Revoked and granted in one block is lost and got again too.
	w.h = 40
	w.do("alpha beta", w.revoke("delta", "mine"), w.grant("delta", "mine", 0, forever))
	w.sealer("delta", 41, RuleSealNotActive)
}

// The time of the permission to mine, from the ranges of mine and admin.
func TestMiningPeriods(t *testing.T) {
	begin := func(line string) *world {
		w := newWorld(t, chainParams(append(three(t), member(t, line))...))
		w.h = 10
		return w
	}
	all := "alpha beta gamma"
	// A gap between two ranges ends the period.
	w := begin("delta mine delta=mine")
	w.do(all, w.grant("delta", "mine", 0, 20), w.grant("delta", "admin", 30, forever))
	w.sealer("delta", 19, "")
	w.sealer("delta", 25, RuleSealNotMining)
	w.sealer("delta", 30, RuleSealNotActive)
	w.h = 30
	w.do("alpha", w.ready("delta", "delta", 30))
	w.sealer("delta", 33, "")
	if len(w.s.Miners(33)) != 4 {
		t.Error("does not count")
	}
	// Ranges that touch are one period.
	w = begin("delta mine delta=mine")
	w.do(all, w.grant("delta", "mine", 0, 20), w.grant("delta", "admin", 20, forever))
	w.sealer("delta", 20, "")
	// Admin includes mine, whoever revokes mine.
	w = begin("delta admin delta=mine")
	w.do(all, w.revoke("delta", "mine"))
	w.sealer("delta", 11, "")
	w.do(all, w.grant("delta", "mine", 0, forever), w.revoke("delta", "admin"))
	w.sealer("delta", 12, "")
	w.do(all, w.revoke("delta", "mine"))
	w.sealer("delta", 13, RuleSealNotMining)
	// A range to come is a period to come.
	w = begin("delta mine delta=mine")
	w.do(all, w.grant("delta", "mine", 20, 40))
	w.sealer("delta", 11, RuleSealNotMining)
	w.sealer("delta", 20, RuleSealNotActive)
	w.h = 19
	w.refuse(RuleNotReady, "alpha", w.ready("delta", "delta", 20))
	w.h = 20
	w.do("alpha", w.ready("delta", "delta", 20))
	w.sealer("delta", 23, "")
	w.sealer("delta", 40, RuleSealNotMining)
	// An admin grant lets mine too, and has to be declared.
	w = begin("delta - delta=mine")
	w.do(all, w.grant("delta", "admin", 0, forever))
	w.sealer("delta", 11, RuleSealNotActive)
}

// Whoever got mine in the set-up is active at once, also where the range
// begins later.
func TestActiveFromSetup(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta - delta=mine"), member(t, "echo - echo=mine"))...)
	p.Permissions.SetupBlocks = 5
	w := newWorld(t, p)
	w.h = 5
	w.do("alpha", w.grant("delta", "mine", 0, forever), w.grant("echo", "mine", 9, forever))
	w.sealer("delta", 6, "")
	w.sealer("echo", 8, RuleSealNotMining)
	w.sealer("echo", 9, "")
	w = newWorld(t, p)
	w.h = 6
	w.do("alpha beta", w.grant("delta", "mine", 0, forever))
	w.sealer("delta", 7, RuleSealNotActive)
}

func TestLookBack(t *testing.T) {
	p := chainParams(three(t)...)
	p.Permissions.SetupBlocks = 10
	s := Genesis(p) // w = 2
	for h, want := range map[int32]int32{5: 11, 11: 11, 12: 11, 13: 12, 50: 49} {
		if got := s.LookBack(h); got != want {
			t.Errorf("block %d looks back to %d, want %d", h, got, want)
		}
	}
	p.Permissions.MiningDiversity = 1_000_000
	if got := Genesis(p).LookBack(50); got != 48 {
		t.Errorf("w = 3 looks back to %d", got)
	}
	p.Permissions.MiningDiversity = 0
	if got := Genesis(p).LookBack(50); got != 50 {
		t.Errorf("w = 1 looks back to %d", got)
	}
}

// One member at least administers and one mines, now and without end.
func TestGuards(t *testing.T) {
	two := []params.Member{member(t, "alpha admin alpha=admin,manage a2=mine"), member(t, "beta mine beta=mine,manage")}
	one := func(w *world) *world { // alpha alone administers, beta alone mines
		w.do("alpha", w.removeKey("alpha", "a2"))
		return w
	}
	for name, tt := range map[string]struct {
		rule   consensus.Rule
		by     string
		record func(w *world) record.Record
	}{
		"revoke admin":           {RuleLastAdmin, "alpha", func(w *world) record.Record { return w.revoke("alpha", "admin") }},
		"end admin":              {RuleLastAdmin, "alpha", func(w *world) record.Record { return w.grant("alpha", "admin", 0, 1_000_000) }},
		"admin later":            {RuleLastAdmin, "alpha", func(w *world) record.Record { return w.grant("alpha", "admin", uint32(w.h)+2, forever) }},
		"admin from next":        {"", "alpha", func(w *world) record.Record { return w.grant("alpha", "admin", uint32(w.h)+1, forever) }},
		"remove admin key":       {RuleLastAdmin, "alpha", func(w *world) record.Record { return w.removeKey("alpha", "alpha") }},
		"end admin key":          {RuleLastAdmin, "alpha", func(w *world) record.Record { return w.changeKey("alpha", "alpha", "admin", 0, 1_000_000) }},
		"admin key without role": {RuleLastAdmin, "alpha", func(w *world) record.Record { return w.changeKey("alpha", "alpha", "manage", 0, forever) }},
		"revoke mine":            {RuleLastMiner, "alpha", func(w *world) record.Record { return w.revoke("beta", "mine") }},
		"end mine":               {RuleLastMiner, "alpha", func(w *world) record.Record { return w.grant("beta", "mine", 0, 1_000_000) }},
		"remove mine key":        {RuleLastMiner, "beta", func(w *world) record.Record { return w.removeKey("beta", "beta") }},
		"mine key later":         {RuleLastMiner, "beta", func(w *world) record.Record { return w.changeKey("beta", "beta", "mine", uint32(w.h)+2, forever) }},
		"mine key anew":          {"", "beta", func(w *world) record.Record { return w.changeKey("beta", "beta", "mine", 0, forever) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := one(newWorld(t, chainParams(two...)))
			if r := tt.record(w); tt.rule == "" {
				w.do(tt.by, r)
			} else {
				w.refuse(tt.rule, tt.by, r)
			}
		})
	}
	// Another member makes it possible, if it is active; within a block the
	// order decides.
	w := newWorld(t, chainParams(append(two, member(t, "gamma - gamma=admin,mine"))...))
	w = one(w)
	w.refuse(RuleLastAdmin, "alpha", w.revoke("alpha", "admin"), w.grant("gamma", "admin", 0, forever))
	w.refuse(RuleLastMiner, "alpha", w.grant("gamma", "mine", 0, forever), w.revoke("beta", "mine")) // not active
	w.do("alpha", w.grant("gamma", "mine", 0, forever))
	ready := w.ready("gamma", "gamma", uint32(w.h))
	w.refuse(RuleLastMiner, "alpha gamma", ready, w.revoke("beta", "mine")) // active two blocks later
	w.do("gamma", ready)
	w.do("alpha", w.revoke("beta", "mine"))
	w.do("alpha", w.grant("gamma", "admin", 0, forever), w.revoke("alpha", "admin"))
	// Where mine is everybody's, nobody has to hold it.
	p := chainParams(two...)
	p.Permissions.Restricted = nil
	w = one(newWorld(t, p))
	w.do("alpha", w.revoke("beta", "mine"))
}

// 256 members may mine, and as many administer, now or later; and there may
// be 10,000.
func TestManyMembers(t *testing.T) {
	var members []params.Member
	for i := range MaxMining {
		members = append(members, member(t, fmt.Sprintf("m%d mine,admin m%d=mine,admin", i, i)))
	}
	members = append(members, member(t, "x - x=mine"), member(t, "y - y=admin,manage"), member(t, "z - z=send"))
	p := chainParams(members...)
	p.Permissions.SetupBlocks = 1000
	w := newWorld(t, p)
	w.refuse(RuleTooManyMining, "m0", w.grant("x", "mine", 500, 600)) // to come counts
	w.refuse(RuleTooManyAdmins, "m0", w.grant("y", "admin", 0, forever))
	w.do("m0", w.grant("z", "mine,admin", 0, forever)) // has no keys for it
	w.refuse(RuleTooManyMining, "m0", w.addKey("z", "z2", "mine", 0, forever))
	w.refuse(RuleTooManyAdmins, "m0", w.addKey("z", "z2", "admin", 0, forever))
	w.do("m0", w.grant("y", "send", 0, forever))

	members = members[:1]
	for i := range MaxMembers - 2 {
		members = append(members, member(t, fmt.Sprintf("n%d - wpkh-n%d=send", i, i)))
	}
	w = &world{t: t, p: chainParams(members...), h: 1}
	w.s = Genesis(w.p)
	next, _, err := w.try(w.spend("m0", w.create("one", "send")))
	if err != nil || next.Count() != MaxMembers {
		t.Fatalf("%v, %d members", err, next.Count())
	}
	w.s = next
	_, _, err = w.try(w.spend("m0", w.create("two", "send")))
	wantRule(t, err, RuleTooManyMembers)
}

func TestUpgrade(t *testing.T) {
	w := newWorld(t, chainParams(three(t)...))
	w.h = 10
	w.refuse(RuleUpgradeSoon, "alpha", w.upgrade("x", 1009))
	u := w.upgrade("x", 1010)
	w.do("alpha", u)
	w.refuse(RuleUpgradeSoon, "beta", u) // too late by one
	w.do("alpha beta", w.upgrade("x", 2000), w.upgrade("a", 1500))
	if got := w.s.Upgrades(); !slices.Equal(got, []Scheduled{{"a", 1500}, {"x", 2000}}) {
		t.Errorf("%v", got)
	}
	w.h = 1999
	w.do("alpha beta", w.upgrade("x", 3000)) // postponed
	w.refuse(RuleUpgradeInForce, "alpha beta", w.upgrade("a", 9000))
	w.h = 3000
	w.refuse(RuleUpgradeInForce, "alpha beta", w.upgrade("x", 9000))
	w.do("alpha", w.upgrade("x", 9000)) // judged when it is decided
}
