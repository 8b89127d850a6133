package permission

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

func TestVotesAddUp(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=mine,send"))...))
	g := w.grant("delta", "mine", 0, forever)
	w.do("alpha", g)
	w.may("delta", "mine", false)
	if v := w.s.Pending(w.h); len(v) != 1 || v[0].Have != 1 || v[0].Need != 2 || v[0].Done || v[0].Opener != w.id("alpha") || v[0].ID != record.ID(g) {
		t.Fatalf("%+v", v)
	}
	other := g
	other.Salt[3]++
	w.do("beta", other) // another record
	w.may("delta", "mine", false)
	w.do("alpha", g) // the same voter
	w.may("delta", "mine", false)
	w.do("gamma", g)
	w.may("delta", "mine", true)
	if w.s.May(identity("delta"), record.Mine, w.h-1) {
		t.Error("a change holds in the block that made it")
	}
	if v := w.s.Pending(w.h); len(v) != 1 || !v[0].Done || len(v[0].Voters) != 2 || v[0].Need != 0 {
		t.Fatalf("the vote on the same subject is there, or the done one is not: %+v", v)
	}
	w.do("alpha beta", w.revoke("delta", "mine"))
	w.may("delta", "mine", false)
	state := w.s
	w.do("beta", g) // votes on a done record do nothing
	w.may("delta", "mine", false)
	if w.s != state {
		t.Error("a vote on a done record made another state")
	}
}

// Members are counted, not their keys or inputs.
func TestMembersAreCounted(t *testing.T) {
	m := three(t)
	m[0] = member(t, "alpha admin alpha=admin,mine a2=admin a3=admin")
	w := newWorld(t, chainParams(m...))
	g := w.grant("beta", "mine", 5, forever)
	w.do("alpha a2 a3 alpha", g)
	if v := w.s.Pending(w.h); v[0].Have != 1 || len(v[0].Voters) != 3 {
		t.Fatalf("%+v", v)
	}
	w.do("gamma", g)
	if v := w.s.Pending(w.h); !v[0].Done {
		t.Fatal("two of three did not decide")
	}
}

// Votes in one transaction, or in several of one block, count together.
func TestVotesOfOneBlock(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=mine,admin"))...))
	w.do("alpha beta", w.grant("delta", "admin", 0, forever))
	w.may("delta", "admin", true)
	g := w.revoke("delta", "admin")
	w.block(w.spend("alpha", g), w.spend("beta", g), w.spend("gamma", g)) // 3 of 4, the third is decisive
	w.may("delta", "admin", false)
}

// Counted are voters that still administer with that key, and only when
// another vote arrives.
func TestVotersThatLeft(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta admin delta=admin,manage"), member(t, "echo - echo=send"))...))
	g := w.grant("echo", "activate", 0, forever) // 3 of 4
	w.do("alpha delta", g)
	w.do("alpha beta gamma", w.revoke("delta", "admin"))
	if v := find(t, w, g); v.Have != 1 || v.Need != 2 || v.Done {
		t.Fatalf("%+v", v)
	}
	w.do("beta", g)
	if !find(t, w, g).Done {
		t.Fatal("two of three did not decide")
	}

	// Need sinks below the votes that are there: they count when one comes.
	w = newWorld(t, chainParams(append(three(t), member(t, "delta admin delta=admin"), member(t, "echo - echo=send"))...))
	g = w.grant("echo", "activate", 0, forever)
	w.do("alpha beta", g)
	w.do("alpha beta gamma", w.revoke("delta", "admin"))
	if v := find(t, w, g); v.Done || v.Have != 2 || v.Need != 2 {
		t.Fatalf("%+v", v)
	}
	w.do("alpha", g)
	if !find(t, w, g).Done {
		t.Fatal("a repeated vote did not bring the count about")
	}

	// A vote by a key that was removed since does not count.
	m := three(t)
	m[0] = member(t, "alpha admin alpha=admin,mine,manage a2=admin")
	w = newWorld(t, chainParams(m...))
	g = w.grant("beta", "activate", 9, forever)
	w.do("a2", g)
	w.do("alpha", w.removeKey("alpha", "a2"))
	w.do("beta", g)
	if v := find(t, w, g); v.Done || v.Have != 1 {
		t.Fatalf("%+v", v)
	}
}

func find(t *testing.T, w *world, r record.Record) Vote {
	t.Helper()
	for _, v := range w.s.Pending(w.h) {
		if v.ID == record.ID(r) {
			return v
		}
	}
	t.Fatalf("no row for %+v", r)
	return Vote{}
}

func TestLapse(t *testing.T) {
	w := newWorld(t, chainParams(three(t)...))
	w.h = 100
	g := w.grant("beta", "mine", 200, forever)
	for at, rule := range map[uint32]consensus.Rule{99: RuleLapse, 100: "", 100 + MaxLapse: "", 101 + MaxLapse: RuleLapse} {
		g.Lapse = at
		if p := w.spend("alpha", g); rule == "" {
			if err := w.s.CheckTx(p.tx, p.coins, w.h); err != nil {
				t.Errorf("lapse %d: %v", at, err)
			}
			continue
		}
		w.refuse(rule, "alpha", g)
	}
	g.Lapse = 110
	w.do("alpha", g)
	w.h = 110
	if len(w.s.Pending(110)) != 1 || len(w.s.Pending(111)) != 0 {
		t.Error("a vote is there up to its lapse, and no longer")
	}
	other := w.grant("gamma", "mine", 200, forever)
	w.do("beta", other) // block 110: nothing lapses before
	if len(w.s.Pending(110)) != 2 {
		t.Error("a vote was dropped before its lapse")
	}
	w.block(w.pay("alpha", nil)) // block 111, without records
	if w.s.pending.len() != 2 {
		t.Error("a block without records swept")
	}
	w.do("beta", other)
	if v := w.s.Pending(0); len(v) != 1 || v[0].ID != record.ID(other) {
		t.Errorf("a lapsed vote stays: %+v", v)
	}
	// Done rows lapse too.
	other.Lapse = 120
	w.do("alpha beta", other)
	w.h = 121
	w.do("alpha", w.grant("alpha", "create", 500, forever))
	for _, v := range w.s.Pending(0) {
		if v.Done {
			t.Errorf("a done vote stays: %+v", v)
		}
	}

	// A sweep takes what lapsed before its block, not in it.
	w = newWorld(t, chainParams(three(t)...))
	a, b := w.grant("beta", "mine", 200, forever), w.grant("gamma", "mine", 200, forever)
	a.Lapse, b.Lapse = 20, 21
	w.do("alpha", a, b)
	w.h = 21
	w.do("alpha", w.grant("alpha", "mine", 200, forever))
	if v := w.s.Pending(0); len(v) != 2 || v[0].ID != record.ID(b) {
		t.Errorf("%+v", v)
	}
}

// What takes effect drops the pending votes about the same, and no others.
func TestSubjects(t *testing.T) {
	members := append(three(t), member(t, "delta - delta=send d2=send"), member(t, "echo - echo=send"))
	for name, tt := range map[string]struct {
		done func(w *world) record.Record
		drop func(w *world) []record.Record
		keep func(w *world) []record.Record
	}{
		"grant": {
			func(w *world) record.Record { return w.grant("delta", "mine,activate", 0, forever) },
			func(w *world) []record.Record {
				return []record.Record{w.grant("delta", "mine", 9, forever), w.grant("delta", "issue,activate", 0, forever)}
			},
			func(w *world) []record.Record {
				return []record.Record{w.grant("echo", "mine", 0, forever), w.grant("delta", "issue", 0, forever), w.rename("delta", "d"), w.removeKey("delta", "d2")}
			},
		},
		"key": {
			func(w *world) record.Record { return w.removeKey("delta", "d2") },
			func(w *world) []record.Record {
				return []record.Record{w.changeKey("delta", "d2", "receive", 0, forever), w.addKey("echo", "d2", "send", 0, forever)}
			},
			func(w *world) []record.Record {
				return []record.Record{w.removeKey("delta", "delta"), w.grant("delta", "mine", 0, forever), w.removeKey("echo", "echo")}
			},
		},
		"rename": {
			func(w *world) record.Record { return w.rename("delta", "new") },
			func(w *world) []record.Record {
				return []record.Record{w.rename("delta", "other"), w.rename("echo", "new")}
			},
			func(w *world) []record.Record {
				return []record.Record{w.rename("echo", "third"), w.grant("delta", "mine", 0, forever)}
			},
		},
		"upgrade": {
			func(w *world) record.Record { return w.upgrade("x", 5000) },
			func(w *world) []record.Record { return []record.Record{w.upgrade("x", 6000)} },
			func(w *world) []record.Record { return []record.Record{w.upgrade("y", 5000)} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, chainParams(members...))
			drop, keep := tt.drop(w), tt.keep(w)
			w.do("alpha", drop...)
			w.do("beta", keep...)
			w.do("alpha beta", tt.done(w))
			if got := w.s.pending.len(); got != len(keep) || w.s.done.len() != 1 {
				t.Fatalf("%d pending, want %d; %d done", got, len(keep), w.s.done.len())
			}
			for _, r := range keep {
				find(t, w, r)
			}
		})
	}

	// Creating: the same name, also as a new name, or the same id.
	p := chainParams(append(members, member(t, "foxtrot admin foxtrot=admin"))...)
	p.Permissions.Consensus["connect"] = majority
	w := newWorld(t, p)
	other := w.create("new", "send")
	other.Identity = identity("wpkh-x")
	keep := w.create("new2", "send")
	w.do("alpha", other, w.rename("delta", "new"), keep)
	w.do("alpha beta gamma", w.create("new", "send"))
	if w.s.pending.len() != 1 || w.s.done.len() != 1 {
		t.Fatalf("%+v", w.s.Pending(w.h))
	}
	find(t, w, keep)
}

// Who opened too many records that are pending cannot open another, but can
// vote on those of others and decide.
func TestOpenRecords(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=send"))...))
	var first record.Record
	for i := range MaxOpen {
		r := w.rename("delta", "n"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		if first == nil {
			first = r
		}
		w.do("alpha", r)
	}
	w.refuse(RuleTooManyOpen, "alpha", w.rename("delta", "x"))
	w.refuse(RuleTooManyOpen, "alpha", w.grant("delta", "mine", 7, forever))
	w.do("alpha", first)                                     // a vote that is there
	w.do("alpha", w.grant("delta", "connect", 0, forever))   // decided at once
	w.do("alpha beta", w.grant("delta", "mine", 0, forever)) // decided at once
	byBeta := w.rename("gamma", "g")
	w.do("beta", byBeta)
	w.do("alpha", byBeta)                     // a vote on another's record
	w.do("beta alpha", w.rename("beta", "b")) // 34th record of its name, decided
	w.do("beta", first)                       // drops the others about delta's name
	if n := w.s.pending.len(); n > 1 {
		t.Fatalf("%d pending", n)
	}
	w.do("alpha", w.rename("delta", "y"))

	// Who lapsed has room again.
	w = newWorld(t, chainParams(three(t)...))
	for i := range MaxOpen {
		g := w.grant("alpha", "issue", uint32(1000+i), forever)
		g.Lapse = 40
		w.do("beta", g)
	}
	w.h = 40
	w.refuse(RuleTooManyOpen, "beta", w.grant("alpha", "issue", 2000, forever))
	w.h = 41
	w.do("beta", w.grant("alpha", "issue", 2000, forever))
}

// The form of inputs that speak, and whose keys have a say.
func TestAuthority(t *testing.T) {
	members := append(three(t),
		member(t, "delta send,receive delta=send,receive,admin,manage,activate"),
		member(t, "echo admin echo=mine,send,connect e2=activate"))
	w := newWorld(t, chainParams(members...))
	g := func() record.Record { return w.grant("delta", "mine", 9, forever) }
	w.refuse(RuleNoAuthority, "delta", g())         // role without permission
	w.refuse(RuleNoAuthority, "echo", g())          // permission without role
	w.refuse(RuleNoAuthority, "stranger", g())      // no member
	w.refuse(RuleNoAuthority, "e2 delta echo", g()) // activators may not grant mine
	forms := map[string]func(in *wire.TxIn){
		"script":     func(in *wire.TxIn) { in.SignatureScript = []byte{0} },
		"annex":      func(in *wire.TxIn) { in.Witness = append(in.Witness, []byte{0x50}) },
		"no witness": func(in *wire.TxIn) { in.Witness = nil },
		"63":         func(in *wire.TxIn) { in.Witness[0] = make([]byte, 63) },
		"66":         func(in *wire.TxIn) { in.Witness[0] = make([]byte, 66) },
		"none":       func(in *wire.TxIn) { in.Witness[0] = append(make([]byte, 64), 0x02) },
		"anyone":     func(in *wire.TxIn) { in.Witness[0] = append(make([]byte, 64), 0x81) },
	}
	for name, change := range forms {
		p := w.spend("alpha", g())
		change(p.tx.Msg.TxIn[0])
		_, _, err := w.try(p)
		if consensus.AsRule(err) == nil || consensus.AsRule(err).Rule != RuleNoAuthority {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := w.spend("alpha", g())
	p.tx.Msg.TxIn[0].Witness[0] = append(make([]byte, 64), 0x01)
	w.block(p)
	if w.s.pending.len() != 1 {
		t.Error("SIGHASH_ALL does not speak")
	}
	// Each record of a transaction needs someone.
	w.refuse(RuleNoAuthority, "e2", w.grant("delta", "connect", 0, forever), g())
	// A key speaks while it is in force.
	w.do("delta", w.changeKey("delta", "delta", "manage", uint32(w.h)+3, uint32(w.h)+5))
	for _, ok := range []bool{false, false, true, true, false} {
		r := w.addKey("delta", "d2", "send", 0, forever)
		r.Salt = [4]byte{9}
		tx := w.spend("delta", r)
		if err := w.s.CheckTx(tx.tx, tx.coins, w.h); (err == nil) != ok {
			t.Errorf("block %d: %v", w.h, err)
		}
		w.h++
	}
}
