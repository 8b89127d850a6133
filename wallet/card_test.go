package wallet

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// A card says the same after it was written and read, and fits the record that
// carries its signature.
func TestCard(t *testing.T) {
	x := newWorld(t)
	genesis, a := chainhash.Hash{5}, x.cfg.Chain.Address
	key, coin := other(t)
	forever := record.Range{Until: record.Forever}
	own := x.pay(0, 2).PkScript
	for name, c := range map[string]struct {
		founder string
		terms   record.KeyTerms
		wallet  bool
	}{
		"of a file":         {"", record.KeyTerms{Member: record.MemberID{1, 2}, Roles: record.Mine | record.Connect, Range: record.Range{From: 5, Until: 9}}, false},
		"of a new member":   {"delta-2.corp", record.KeyTerms{Roles: record.Manage | record.Send, Range: forever}, false},
		"of the wallet":     {"", record.KeyTerms{Member: record.MemberID{3}, Identity: own, Roles: record.Admin, Range: forever}, true},
		"without signature": {"", record.KeyTerms{Member: record.MemberID{3}, Roles: record.Send, Range: forever}, false},
	} {
		card, err := MakeCard(genesis, key, c.founder, c.terms)
		if c.wallet {
			card, err = x.w.Card(x.keys(), genesis, c.founder, c.terms)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, err := ParseCard(card.Text(a)+"\n", a, genesis)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back.Text(a) != card.Text(a) || back.New != c.founder || back.Terms.Member != card.Terms.Member {
			t.Errorf("%s: read %+v, written %+v", name, back, card)
		}
		r := record.AddKey{Lapse: 1, Member: back.Terms.Member, Identity: back.Terms.Identity, Roles: back.Terms.Roles, Range: back.Terms.Range, Sig: back.RecordSig()}
		if err := record.CheckSig(genesis, r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := record.Script(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ParseCard(card.Text(a), a, chainhash.Hash{6}); err == nil {
			t.Errorf("%s: taken on another chain", name)
		}
	}
	if _, err := MakeCard(genesis, key, "", record.KeyTerms{Identity: own, Roles: record.Send, Range: forever}); err == nil {
		t.Error("a key signed for another identity")
	}
	if _, err := MakeCard(genesis, key, "x", record.KeyTerms{Roles: record.Send, Range: record.Range{From: 1, Until: 2}}); err == nil {
		t.Error("the first key of a new member does not go from the start")
	}
	if _, err := x.w.Card(x.keys(), genesis, "", record.KeyTerms{Identity: coin.Script, Roles: record.Send, Range: forever}); err == nil {
		t.Error("the wallet signed for a key that is not its own")
	}
}

func TestCardFaults(t *testing.T) {
	x := newWorld(t)
	genesis, a := chainhash.Hash{5}, x.cfg.Chain.Address
	key, _ := other(t)
	card, err := MakeCard(genesis, key, "", record.KeyTerms{Member: record.MemberID{1}, Roles: record.Mine, Range: record.Range{From: 5, Until: 9}})
	if err != nil {
		t.Fatal(err)
	}
	text := card.Text(a)
	for name, c := range map[string]struct{ old, new, want string }{
		"roles":        {":mine:", ":admin:", "signature does not fit"},
		"from":         {":5:", ":4:", "signature does not fit"},
		"until":        {":9:", ":forever:", "signature does not fit"},
		"member":       {":01", ":02", "signature does not fit"},
		"empty range":  {":9:", ":5:", "no range"},
		"no height":    {":9:", ":never:", "no height"},
		"high":         {":9:", ":2147483648:", "no height"},
		"unknown role": {":mine:", ":dig:", "no permission or role"},
		"no role":      {":mine:", "::", "no permission or role"},
		"short id":     {":01", ":1", "member id"},
		"a part more":  {":5:", ":5:6:", "of the form"},
		"no name":      {":0100000000000000000000000000000000000000:", ":new=:", "first key"},
		"address":      {":bc1p", ":bc1q", "address"},
		"no card":      {"charter-key:", "key:", "of the form"},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if changed == text {
			t.Fatalf("%s: nothing to change in %s", name, text)
		}
		if _, err := ParseCard(changed, a, genesis); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseCard: what is read is what is written.
func FuzzParseCard(f *testing.F) {
	a := params.Address{Bech32HRP: "bc"}
	f.Add("charter-key:new=delta:bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr:admin,manage:0:forever:" + strings.Repeat("00", 64))
	f.Add("charter-key:" + strings.Repeat("0a", 20) + ":bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr:send:7:9:" + strings.Repeat("ab", 64))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCard(text, a)
		if err != nil {
			return
		}
		back, err := parseCard(c.Text(a), a)
		if err != nil || back.Text(a) != c.Text(a) {
			t.Errorf("%q is written as %q: %v", text, c.Text(a), err)
		}
	})
}

func TestNameFor(t *testing.T) {
	for address, want := range map[string]string{"acme1p0q2scahwwv": "2scahwwv", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT": "3lettpyt", "x_": "x"} {
		if got := NameFor(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
