package permission

import (
	"fmt"
	"slices"
	"testing"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

func TestMay(t *testing.T) {
	p := chainParams(
		member(t, "alpha admin alpha=admin,mine a2=send a3=connect a4=manage,activate"),
		member(t, "beta mine,send beta=mine,connect,send,receive wpkh-b=send,receive"),
		member(t, "delta connect,issue delta=connect,issue,mine"))
	s := Genesis(p)
	for _, tt := range []struct {
		key, perms string
		want       bool
	}{
		{"alpha", "admin", true}, {"alpha", "mine", true}, {"alpha", "admin,mine", true}, {"alpha", "send", false},
		{"a2", "send", true}, {"a2", "receive", false}, {"a2", "admin", false}, {"a3", "connect", true}, {"a4", "activate", true},
		{"a4", "manage", true}, {"alpha", "manage", false}, {"a4", "admin", false}, // admin is all permissions, and no roles
		{"beta", "mine", true}, {"beta", "send", true}, {"beta", "receive", false}, {"wpkh-b", "send", true}, {"wpkh-b", "receive", false},
		{"beta", "connect", true}, // who mines may connect, with a key for it
		{"delta", "connect", true}, {"delta", "issue", true}, {"delta", "mine", false}, {"delta", "connect,mine", false},
		{"stranger", "connect", false}, {"stranger", "", true},
	} {
		if got := s.May(identity(tt.key), set(t, tt.perms), 1); got != tt.want {
			t.Errorf("%s may %s: %v", tt.key, tt.perms, got)
		}
	}
	p.Permissions.Restricted = []params.Permission{params.PermMine}
	s = Genesis(p)
	for perms, want := range map[string]bool{"send,receive,connect": true, "mine": false, "admin": false, "activate": false, "manage": false, "send,mine": false} {
		if got := s.May(identity("stranger"), set(t, perms), 1); got != want {
			t.Errorf("with mine restricted, a stranger may %s: %v", perms, got)
		}
		if s.Restricts(set(t, perms)) == (perms == "send,receive,connect") {
			t.Errorf("restricts %s", perms)
		}
	}
	for _, script := range [][]byte{nil, {}, make([]byte, 34), make([]byte, 35), make([]byte, 5000)} {
		if s.May(script, record.Mine, 1) || !s.May(script, record.Send, 1) {
			t.Errorf("script of %d bytes", len(script))
		}
	}
}

// Ranges count from the next block, whatever they say; one that is over
// before it begins revokes.
func TestGrantRanges(t *testing.T) {
	for _, tt := range []struct {
		from, until uint32
		want        string // of heights 11 to 16
	}{
		{0, forever, "yyyyyy"}, {10, forever, "yyyyyy"}, {11, forever, "yyyyyy"}, {12, forever, "nyyyyy"},
		{12, 14, "nyynnn"}, {5, 12, "ynnnnn"}, {5, 11, "nnnnnn"}, {5, 10, "nnnnnn"}, {0, 0, "nnnnnn"}, {15, 16, "nnnnyn"},
	} {
		for _, before := range []string{"-", "send"} {
			w := newWorld(t, chainParams(append(three(t), member(t, "delta "+before+" delta=send"))...))
			w.h = 10
			w.do("alpha", w.grant("delta", "send", tt.from, tt.until))
			got := ""
			for h := int32(11); h <= 16; h++ {
				if w.s.May(identity("delta"), record.Send, h) {
					got += "y"
				} else {
					got += "n"
				}
			}
			if got != tt.want {
				t.Errorf("range %d until %d on %s: %s, want %s", tt.from, tt.until, before, got, tt.want)
			}
			for h := int32(10); h <= 17; h++ {
				r := w.s.member(w.id("delta")).Range(record.Send)
				edge := !r.Empty() && (uint32(h) == r.From || uint32(h) == r.Until)
				if w.s.ChangesAt(h) != edge {
					t.Errorf("range %d until %d: changes at %d: %v", tt.from, tt.until, h, !edge)
				}
			}
		}
	}
}

func TestNeed(t *testing.T) {
	for n, want := range map[int][3]int{1: {1, 1, 1}, 2: {2, 1, 1}, 3: {2, 1, 1}, 4: {3, 2, 2}, 5: {3, 2, 2}, 6: {4, 2, 2}, 9: {5, 3, 3}} {
		var members []params.Member
		for i := range n {
			members = append(members, member(t, fmt.Sprintf("m%d admin m%d=admin,mine", i, i)))
		}
		members = append(members, member(t, "idle admin idle=mine"), member(t, "x - x=admin")) // do not administer
		p := chainParams(members...)
		p.Permissions.Consensus["issue"], p.Permissions.Consensus["create"], p.Permissions.Consensus["connect"] = 333_333, 250_001, 250_000
		p.Permissions.Consensus["admin"] = 1 // the file cannot say so; the majority holds anyway
		s := Genesis(p)
		if got := [3]int{s.Need(record.Admin, 1), s.Need(record.Issue, 1), s.Need(record.Create, 1)}; got != want {
			t.Errorf("%d administer: need %v, want %v", n, got, want)
		}
		if s.Need(record.Issue|record.Mine, 1) != want[0] || s.Need(record.Manage, 1) != want[0] || s.Need(record.Send, 1) != 1 {
			t.Errorf("%d administer: %d of a set, %d for keys, %d to send", n, s.Need(record.Issue|record.Mine, 1), s.Need(record.Manage, 1), s.Need(record.Send, 1))
		}
		if len(s.Administrators(1)) != n || len(s.Miners(1)) != n+1 || len(s.Activators(1)) != 0 || s.Count() != n+2 {
			t.Errorf("%d administer: %v", n, s.Administrators(1))
		}
		if s.NeedRestart(1) != want[0] {
			t.Errorf("%d administer: %d restart", n, s.NeedRestart(1))
		}
	}
	// Shares above one half.
	p := chainParams(three(t)...)
	p.Permissions.Consensus["mine"], p.Permissions.Consensus["key"] = 1_000_000, 700_000
	s := Genesis(p)
	if s.Need(record.Mine, 1) != 3 || s.Need(record.Manage, 1) != 3 || s.Need(record.Admin, 1) != 2 || s.NeedRestart(1) != 3 {
		t.Error("shares above one half are not asked for")
	}
	w := newWorld(t, p)
	for _, tt := range []struct {
		r    record.Record
		want int
	}{
		{record.CreateMember{}, 1}, {record.RenameMember{}, 2}, {record.Upgrade{}, 2}, {record.Grant{Permissions: record.Send}, 1},
		{record.Grant{Permissions: record.Send | record.Mine}, 3}, {record.AddKey{}, 3}, {record.ChangeKey{}, 3}, {record.RemoveKey{}, 3},
	} {
		if got := w.s.NeedFor(tt.r, 1); got != tt.want {
			t.Errorf("%T takes %d, want %d", tt.r, got, tt.want)
		}
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(t, chainParams(three(t)...))
	var last record.MemberID
	n := 0
	for m := range w.s.Members() {
		if n++; n > 1 && compareIDs(last, m.ID) >= 0 {
			t.Error("members are not in the order of ids")
		}
		last = m.ID
	}
	for range w.s.Members() {
		break
	}
	if n != 3 {
		t.Errorf("%d members", n)
	}
	w.do("alpha", w.create("delta", "send,connect"))
	m, ok := w.s.ByName("delta")
	id := record.NewMemberID("delta", identity("delta"))
	if !ok || m.ID != id || m.Perms != [8]record.Range{} || len(m.Keys) != 1 || m.Keys[0].Range != (record.Range{From: 2, Until: forever}) {
		t.Fatalf("%+v", m)
	}
	if k, ok := m.Key(identity("delta")); !ok || k.Roles != set(t, "send,connect") {
		t.Errorf("%+v", k)
	}
	if _, ok := m.Key(identity("alpha")); ok {
		t.Error("delta has a key of alpha's")
	}
	w.refuse(RuleMemberExists, "alpha", w.create("delta", "receive")) // another record, the same name and id: the id comes first
	w.may("delta", "send", false)
	w.do("alpha beta", w.rename("delta", "d"))
	if _, ok := w.s.ByName("delta"); ok {
		t.Error("the old name still leads somewhere")
	}
	if m, ok := w.s.ByName("d"); !ok || m.ID != id {
		t.Error("the id changed with the name")
	}
	if _, ok := w.s.ByName("a name that is far too long for any member"); ok {
		t.Error("there is a member with a long name")
	}
	w.refuse(RuleMemberExists, "alpha", w.create("delta", "send"))
	taken := w.create("other", "send")
	taken.Identity, taken.Roles = identity("alpha"), record.Send
	w.refuse(RuleIdentityTaken, "alpha", taken)
	w.refuse(RuleNameTaken, "alpha beta", w.rename("beta", "d"))
	w.refuse(RuleNameTaken, "alpha beta", w.rename("beta", "beta"))
	nobody := w.rename("nobody", "n")
	w.refuse(RuleUnknownMember, "alpha beta", nobody)
	w.do("alpha", nobody) // judged when it takes effect
	w.refuse(RuleUnknownMember, "beta", nobody)
	w.refuse(RuleUnknownMember, "alpha", w.grant("nobody", "send", 0, forever))
	w.refuse(RuleUnknownMember, "alpha beta", w.removeKey("nobody", "alpha"))

	// A member and what it may do, in one transaction; and its name is free
	// for another.
	w.do("alpha", w.create("echo", "send"), w.grant("echo", "send", 0, forever))
	w.may("echo", "send", true)
	x := w.create("delta", "send")
	x.Identity = identity("wpkh-d")
	w.do("alpha", x)
	if m, k, ok := w.s.ByIdentity(identity("wpkh-d")); !ok || m.Name != "delta" || k.Roles != record.Send {
		t.Errorf("%+v %+v", m, k)
	}
	if _, _, ok := w.s.ByIdentity(identity("stranger")); ok {
		t.Error("a stranger is a member")
	}
	if _, ok := w.s.Member(record.MemberID{1}); ok {
		t.Error("there is a member without a name")
	}
	if m, ok := w.s.Member(id); !ok || m.Name != "d" {
		t.Error("no member by id")
	}
}

// Names and identities that change hands within a block go back to whom they
// were, whatever the order of rows.
func TestHandedOver(t *testing.T) {
	w := newWorld(t, chainParams(three(t)...))
	alpha, beta := w.id("alpha"), w.id("beta")
	hand := func(from, to record.MemberID) {
		away := record.RenameMember{Lapse: lapse, Salt: w.nextSalt(), Member: from, Name: fmt.Sprint("was-", w.h)}
		m, _ := w.s.Member(from)
		w.do("alpha beta gamma", away, record.RenameMember{Lapse: lapse, Salt: w.nextSalt(), Member: to, Name: m.Name})
	}
	hand(alpha, beta)
	hand(beta, alpha)
	key := func(from, to string) {
		w.do("alpha beta", w.removeKey(from, "x"), w.addKey(to, "x", "send", 0, forever))
	}
	w.do("alpha beta", w.addKey("gamma", "x", "send", 0, forever))
	other := w.s.member(beta).Name
	key("gamma", other)
	key(other, "gamma")
}

// An order other than that of the block is another history; within one
// transaction records go by their outputs.
func TestOrder(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=send"))...))
	on, off := w.spend("alpha", w.grant("delta", "send", 0, forever)), w.spend("alpha", w.revoke("delta", "send"))
	one, _, err1 := w.try(on, off)
	other, _, err2 := w.try(off, on)
	if err1 != nil || err2 != nil || one.May(identity("delta"), record.Send, 2) || !other.May(identity("delta"), record.Send, 2) {
		t.Error("the last record of the block does not win")
	}
	w.block(w.spend("alpha", w.revoke("delta", "send"), w.grant("delta", "send", 0, forever)))
	w.may("delta", "send", true)
}

// A draft takes a transaction in whole or not at all.
func TestDraft(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "delta - delta=send"))...))
	d := w.s.Draft(w.h)
	if next, delta := d.Finish(); next != w.s || delta != nil {
		t.Error("an empty draft made a state")
	}
	d = w.s.Draft(w.h)
	bad := w.spend("alpha beta", w.grant("delta", "send", 0, forever), w.rename("delta", "alpha"))
	wantRule(t, d.Add(bad.tx, bad.coins), RuleNameTaken)
	if next, delta := d.Finish(); next != w.s || delta != nil {
		t.Error("half of a transaction stayed")
	}
	d = w.s.Draft(w.h)
	wantRule(t, d.Add(bad.tx, bad.coins), RuleNameTaken)
	good := w.spend("alpha", w.grant("delta", "send", 0, forever))
	plain := w.pay("alpha", nil)
	for _, p := range []payment{good, plain} {
		if err := d.Add(p.tx, p.coins); err != nil {
			t.Fatal(err)
		}
	}
	next, delta := d.Finish()
	want, _, err := w.try(good)
	if err != nil || next.Hash() != want.Hash() || !slices.Equal(delta.Encode(), mustDelta(t, w, good).Encode()) {
		t.Error("a draft differs from Apply")
	}
}

func mustDelta(t *testing.T, w *world, txs ...payment) *Delta {
	t.Helper()
	_, d, err := w.try(txs...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
