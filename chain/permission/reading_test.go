package permission

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// Where sending or receiving is restricted, coins lie on standard scripts
// only, on the side that is everybody's too.
func TestScriptForms(t *testing.T) {
	odd := []byte{0x51}
	for restricted, rules := range map[record.Set][2]consensus.Rule{
		0:                            {"", ""},
		record.Send:                  {RuleSend, RuleReceive},
		record.Receive:               {RuleSend, RuleReceive},
		record.Send | record.Receive: {RuleSend, RuleReceive},
	} {
		p := chainParams(append(three(t), member(t, "payer send,receive payer=send,receive"))...)
		p.Permissions.Restricted = toParams(record.Permissions&^(record.Send|record.Receive) | restricted)
		w := newWorld(t, p)
		from := w.pay("payer", [][]byte{identity("payer")})
		from.coins[0].Script = odd
		for i, pay := range []payment{from, w.pay("payer", [][]byte{odd})} {
			err := w.s.CheckTx(pay.tx, pay.coins, 1)
			if rules[i] != "" {
				wantRule(t, err, rules[i])
			} else if err != nil {
				t.Errorf("restricted %s: %v", restricted, err)
			}
		}
		if pay := w.pay("payer", [][]byte{identity("payer")}); w.s.CheckTx(pay.tx, pay.coins, 1) != nil {
			t.Errorf("restricted %s: a payment is refused", restricted)
		}
		data := wire.NewMsgTx(2)
		data.AddTxOut(wire.NewTxOut(1, []byte{0x6a})) // nobody's money
		err := w.s.CheckCoinbase(consensus.NewTx(data), 1)
		if (err == nil) != (restricted == 0) {
			t.Errorf("restricted %s: data with an amount: %v", restricted, err)
		}
	}
}

// An activator does not count votes that have become enough: it decides, and
// that is counted as its decision.
func TestOldVotesAreNotCounted(t *testing.T) {
	p := chainParams(append(three(t), member(t, "delta activate delta=activate"))...)
	p.Permissions.Consensus[params.PermSend] = 666_667
	w := newWorld(t, p)
	vote := w.grant("delta", "send", 0, forever)
	w.do("alpha beta", vote) // 3 members: it takes 3
	w.do("alpha beta gamma", w.revoke("gamma", "admin"))
	if v := find(t, w, vote); v.Have != 2 || v.Need != 2 || v.Done {
		t.Fatalf("%+v", v)
	}
	w.do("delta", vote)
	if left := w.s.LoneLeft(w.id("delta"), w.h); left != LoneDecisions-1 {
		t.Errorf("the activator has %d decisions left", left)
	}
}

// In the set-up a member decides about its own key alone, whoever else
// speaks before it.
func TestSetupOwnKey(t *testing.T) {
	for _, speakers := range []string{"beta", "beta alpha", "alpha beta"} {
		p := chainParams(member(t, "alpha admin alpha=admin,mine"), member(t, "beta admin beta=admin,mine b2=mine"),
			member(t, "gamma admin gamma=admin"), member(t, "delta admin delta=admin"))
		p.Permissions.SetupBlocks = 5
		w := newWorld(t, p)
		w.do(speakers, w.removeKey("beta", "b2"))
		if _, _, there := w.s.ByIdentity(identity("b2")); there {
			t.Errorf("%s: the key is still there", speakers)
		}
	}
}

// Of two keys that manage, the first in the order of inputs is noted in a vote
// that they decide.
func TestFirstManagerIsNoted(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta send delta=manage d2=manage"))...))
	r := w.addKey("delta", "wpkh-1", "send", 0, forever)
	w.do("alpha", r)
	w.do("d2 delta", r)
	key := xonly("d2")
	if v := find(t, w, r); !v.Done || len(v.Voters) != 2 || (v.Voters[0].Key != key && v.Voters[1].Key != key) {
		t.Errorf("%+v", v)
	}
}

// A time of mining that is granted in the set-up and still to come stays
// active when other grants leave or move it, and ends with a gap.
func TestPeriodToCome(t *testing.T) {
	begin := func() *world {
		p := chainParams(append(three(t), member(t, "delta - delta=mine"))...)
		p.Permissions.SetupBlocks = 5
		w := newWorld(t, p)
		w.do("alpha", w.grant("delta", "mine", 60, 100))
		w.h = 10
		return w
	}
	const all = "alpha beta gamma"
	w := begin()
	w.do(all, w.revoke("delta", "admin"), w.grant("delta", "admin", 70, 80))
	w.sealer("delta", 59, RuleSealNotMining)
	w.sealer("delta", 60, "")
	w = begin() // longer on both sides: what comes before was granted after the set-up
	w.do(all, w.grant("delta", "mine", 58, 200))
	w.sealer("delta", 58, RuleSealNotActive)
	w.sealer("delta", 60, "")
	w.sealer("delta", 199, "")
	w = begin() // shorter
	w.do(all, w.grant("delta", "mine", 70, 80))
	w.sealer("delta", 69, RuleSealNotMining)
	w.sealer("delta", 70, "")
	w = begin() // it begins with the next block, and has begun
	w.h = 60
	w.do(all, w.grant("delta", "mine", 0, 90))
	w.sealer("delta", 61, "")
	w = begin() // another time
	w.do(all, w.grant("delta", "mine", 100, 200))
	w.sealer("delta", 100, RuleSealNotActive)
	w = begin() // taken away and given back
	w.do(all, w.revoke("delta", "mine"), w.grant("delta", "mine", 60, 100))
	w.sealer("delta", 60, RuleSealNotActive)
}

// What is taken away and given back in the last block of a range begins anew:
// nothing of what was declared before can be used again.
func TestRevokedInLastBlock(t *testing.T) {
	for _, toCome := range []bool{false, true} {
		w := newWorld(t, chainParams(append(three(t), member(t, "delta mine delta=mine"))...))
		w.h = 10
		const all = "alpha beta gamma"
		w.do(all, w.grant("delta", "admin", 0, 20))
		w.h = 19
		if !toCome {
			w.do(all, w.revoke("delta", "mine"), w.grant("delta", "mine", 0, forever))
		} else {
			w.do(all, w.grant("delta", "mine", 100, 200), w.grant("delta", "mine", 0, forever))
		}
		if since, ok := w.s.ReadySince(w.id("delta"), 20); since != 20 || !ok {
			t.Errorf("the permission counts from %d, %t", since, ok)
		}
		w.refuse(RuleNotReady, "alpha", w.ready("delta", "delta", 11))
	}
}
