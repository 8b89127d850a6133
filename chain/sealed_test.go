package chain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/store"
)

type members = []*chaintest.Member

// consortium opens a chain of four members, all of which hold admin: w is 3.
func consortium(t *testing.T, o chaintest.ConsortiumOptions) (*chaintest.Consortium, *chaintest.Harness) {
	t.Helper()
	if o.Members == nil {
		o.Members = []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"},
			{Name: "gamma", Permissions: "admin"}, {Name: "delta", Permissions: "admin"}}
	}
	net := chaintest.NewConsortium(o)
	return net, chaintest.New(t, chaintest.Options{Consortium: net})
}

func TestSealedBlocks(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	for _, name := range []string{"b1", "b2", "b3", "b4", "b5"} {
		h.Next(name).Accept()
	}
	var got []string
	for _, s := range h.Chain.Sealers(10) {
		m, _ := h.Chain.Permissions().Member(s.Member)
		got = append(got, m.Name)
	}
	if want := []string{"alpha", "delta", "gamma", "beta", "alpha"}; !equal(got, want) {
		t.Errorf("sealed by %v, want %v", got, want)
	}
	if info := h.Chain.Best(); !info.Sealed || info.Sealer != net.Member("alpha").ID || info.Restart || info.Undecided {
		t.Errorf("best block %+v", info)
	}
	// alpha sealed the last, delta the one before: two others are free.
	for name, want := range map[string]error{"alpha": seal.RuleDiversity, "delta": seal.RuleDiversity, "gamma": nil, "beta": nil} {
		if _, err := h.Chain.MaySeal(net.Member(name).SealKey()); !errors.Is(err, want) {
			t.Errorf("%s may seal: %v, want %v", name, err, want)
		}
	}
	if _, err := h.Chain.MaySeal(chaintest.NewMember("nobody").SealKey()); !errors.Is(err, permission.RuleSealNoMember) {
		t.Errorf("a stranger may seal: %v", err)
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestBlockRules breaks each rule of a block's seal and permissions at its
// boundary: after blocks by alpha, beta and gamma. A good block follows.
func TestBlockRules(t *testing.T) {
	const hour = 3600
	strange := chaintest.NewMember("strange")
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{
		Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"},
			{Name: "gamma", Permissions: "admin"}, {Name: "delta", Permissions: "mine receive"}, {Name: "eps", Permissions: "send"}},
		Permissions: "restart_delay = 3600", Subsidy: 5000})
	m := net.Member
	alpha, beta, gamma, delta, eps := m("alpha"), m("beta"), m("gamma"), m("delta"), m("eps")
	pay := func(by, to *chaintest.Member) chaintest.Option {
		return chaintest.Tx(chaintest.Pay(by.Key, []chaintest.Output{net.Funds(by)}, to.Key, 1, 0), 0)
	}
	change := func(fn func(*chaintest.Draft)) chaintest.Option { return chaintest.Change(fn) }
	addSeal := change(func(d *chaintest.Draft) { seal.AppendPlaceholder(d.Coinbase()) })
	after := func(s int) chaintest.Option {
		return change(func(d *chaintest.Draft) {
			d.Block.Header.Timestamp = d.Block.Header.Timestamp.Add(time.Duration(s-60) * time.Second)
		})
	}
	late := func(s int) chaintest.Option {
		return change(func(d *chaintest.Draft) {
			d.Block.Header.Timestamp = d.Block.Header.Timestamp.Add(time.Duration(s) * time.Second)
		})
	}
	output := func(amount int64, script []byte) chaintest.Option {
		return change(func(d *chaintest.Draft) { d.Coinbase().AddTxOut(wire.NewTxOut(amount, script)) })
	}
	fillTo := func(size int) chaintest.Option { // coinbase bytes with the seal
		return change(func(d *chaintest.Draft) {
			d.Coinbase().AddTxOut(wire.NewTxOut(0, nil))
			missing := size - d.Coinbase().SerializeSizeStripped() - seal.OutputSize - 2 // a longer length
			d.Coinbase().TxOut[len(d.Coinbase().TxOut)-1].PkScript = append([]byte{0x6a}, make([]byte, missing-1)...)
		})
	}
	by := chaintest.By
	for _, test := range []struct {
		name string
		opts []chaintest.Option
		want consensus.Rule // empty: good
	}{
		{"by delta, who never sealed", []chaintest.Option{by(delta)}, ""},
		{"by alpha, two blocks after", []chaintest.Option{by(alpha)}, ""},
		{"by beta, one block after", []chaintest.Option{by(beta)}, seal.RuleDiversity},
		{"by gamma, at once", []chaintest.Option{by(gamma)}, seal.RuleDiversity},
		{"by eps, who may not mine", []chaintest.Option{by(eps), chaintest.Claim(alpha.Key.Script())}, permission.RuleSealNotMining},
		{"by nobody", []chaintest.Option{by(strange), chaintest.Claim(alpha.Key.Script())}, permission.RuleSealNoMember},
		{"without a seal", []chaintest.Option{chaintest.Unsealed()}, seal.RuleMissing},
		{"with two seals", []chaintest.Option{addSeal, chaintest.Unchecked()}, seal.RuleMultiple},
		{"with an unknown kind of seal", []chaintest.Option{output(0, append([]byte{0x6a, 4}, "CHS\x09"...)), chaintest.Unchecked()}, seal.RuleMalformed},
		{"with a seal of another block", []chaintest.Option{chaintest.Final(func(b *wire.MsgBlock) {
			b.Header.Timestamp = b.Header.Timestamp.Add(time.Second)
		})}, seal.RuleSignature},
		{"coinbase of 16 KiB", []chaintest.Option{fillTo(seal.MaxCoinbaseSize)}, ""},
		{"coinbase of 16 KiB and a byte", []chaintest.Option{fillTo(seal.MaxCoinbaseSize + 1), chaintest.Unchecked()}, seal.RuleCoinbaseSize},
		{"a second too early", []chaintest.Option{after(59)}, consensus.RuleTimeTooEarly},
		{"payout to who may not receive", []chaintest.Option{chaintest.Claim(eps.Key.Script())}, permission.RuleReceive},
		{"payout to who may", []chaintest.Option{chaintest.Claim(delta.Key.Script())}, ""},
		{"payment by who may send", []chaintest.Option{pay(eps, delta)}, ""},
		{"payment by who may not send", []chaintest.Option{pay(delta, alpha)}, permission.RuleSend},
		{"payment to who may not receive", []chaintest.Option{pay(alpha, eps)}, permission.RuleReceive},
		{"a record in the coinbase", []chaintest.Option{output(0, script(net.Revoke(delta, record.Mine)))}, permission.RuleRecordInCoinbase},
		{"a record by who may not decide", []chaintest.Option{change(func(d *chaintest.Draft) {
			tx := chaintest.Pay(eps.Key, []chaintest.Output{net.Funds(eps)}, delta.Key, 1, 0)
			tx.AddTxOut(wire.NewTxOut(0, script(net.Revoke(delta, record.Mine))))
			d.Block.Transactions = append(d.Block.Transactions, chaintest.Resign(tx, eps.Key, net.Funds(eps)))
		})}, permission.RuleNoAuthority},
		{"a malformed record", []chaintest.Option{change(func(d *chaintest.Draft) {
			tx := chaintest.Pay(alpha.Key, []chaintest.Output{net.Funds(alpha)}, delta.Key, 1, 0)
			tx.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 4}, "CHR\x01"...)))
			d.Block.Transactions = append(d.Block.Transactions, chaintest.Resign(tx, alpha.Key, net.Funds(alpha)))
		})}, record.RuleMalformed},
		{"two of three take mine from the last but one", []chaintest.Option{net.Vote(members{alpha, beta}, net.Revoke(delta, record.Mine))}, ""},
		{"restart by two of three", []chaintest.Option{chaintest.Restart(members{gamma}, members{alpha, beta})}, ""},
		{"restart by one of three", []chaintest.Option{chaintest.Restart(members{alpha}, members{alpha})}, permission.RuleRestartSigners},
		{"restart a second early", []chaintest.Option{chaintest.Restart(members{alpha}, members{alpha, beta}), late(-1)}, seal.RuleRestartTime},
		{"restart a second late", []chaintest.Option{chaintest.Restart(members{alpha}, members{alpha, beta}), late(1)}, ""},
		{"restart sealed by who is not listed", []chaintest.Option{by(beta), chaintest.Restart(members{alpha}, members{alpha, beta})}, permission.RuleSealNotMining},
		{"restart signed by who does not administer", []chaintest.Option{chaintest.Restart(members{alpha}, members{alpha, beta, delta})}, permission.RuleRestartSigner},
		{"restart for a stranger", []chaintest.Option{by(alpha), chaintest.Restart(members{alpha, strange}, members{alpha, beta})}, permission.RuleRestartMember},
		{"restart with a payment", []chaintest.Option{chaintest.Restart(members{alpha}, members{alpha, beta}), pay(eps, delta), chaintest.Unchecked()}, seal.RuleRestartBody},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := net.Params.GenesisBlock.Header.Timestamp.Add(6 * hour * time.Second)
			h := chaintest.New(t, chaintest.Options{Consortium: net, Now: func() time.Time { return now }})
			h.Next("b1", by(alpha)).Accept()
			h.Next("b2", by(beta)).Accept()
			h.Next("b3", by(gamma)).Accept()
			state := h.Chain.Permissions()
			if test.want == "" {
				h.Next("b4", test.opts...).Accept()
				return
			}
			h.Next("bad", test.opts...).Reject(test.want)
			if h.Chain.Permissions() != state {
				t.Error("a refused block changed the permissions")
			}
			h.Next("b4", by(delta)).Accept()
		})
	}
}

func script(r record.Record) []byte {
	s, err := record.Script(r)
	if err != nil {
		panic(err)
	}
	return s
}

func TestBlockTimes(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	now := net.Params.GenesisBlock.Header.Timestamp.Add(30 * time.Second)
	h := chaintest.New(t, chaintest.Options{Consortium: net, Now: func() time.Time { return now }})
	h.Next("b1").Accept() // 60 s after genesis, and so 30 s ahead
	b2 := h.Next("b2")
	now = now.Add(59 * time.Second)
	if _, err := h.Chain.AcceptBlock(context.Background(), b2.Block); !errors.Is(err, consensus.ErrNotYet) {
		t.Errorf("31 s ahead: %v", err)
	}
	now = now.Add(time.Second)
	b2.Accept()
}

// TestReady lets a member mine that joins after the set-up: only once its
// declaration is buried under w blocks.
func TestReady(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	alpha, beta, gamma := net.Member("alpha"), net.Member("beta"), net.Member("gamma")
	eps := chaintest.NewMember("eps")
	h.Next("b1", net.Vote(members{alpha}, net.Create(eps, record.Mine|record.Receive))).Accept()
	h.Next("b2", net.Vote(members{alpha, beta, gamma}, net.Grant(eps, record.Mine), net.Grant(eps, record.Receive))).Accept()
	h.Next("not ready", chaintest.By(eps)).Reject(permission.RuleSealNotActive)
	m, _ := h.Chain.Permissions().Member(eps.ID)
	h.Next("b3", net.Vote(members{alpha}, net.Ready(eps, m.MineSince))).Accept()
	for _, name := range []string{"b4", "b5", "b6"} {
		h.Next("not "+name, chaintest.By(eps)).Reject(permission.RuleSealNotActive)
		h.Next(name).Accept()
	}
	h.Next("b7", chaintest.By(eps)).Accept()
	if w := h.Chain.Permissions().Required(8); w != 3 {
		t.Errorf("w is %d with five miners, want 3", w)
	}
}

// TestSetup: during the set-up one member makes all blocks, and its diversity
// begins to count after it.
func TestSetup(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{SetupBlocks: 2})
	alpha := net.Member("alpha")
	eps := chaintest.NewMember("eps")
	h.Next("b1", chaintest.By(alpha), net.Vote(members{alpha}, net.Create(eps, record.Mine))).Accept()
	h.Next("b2", chaintest.By(alpha), net.Vote(members{alpha}, net.Grant(eps, record.Mine|record.Receive))).Accept()
	h.Next("b3", chaintest.By(alpha)).Accept()
	h.Next("b4 again", chaintest.By(alpha)).Reject(seal.RuleDiversity)
	h.Next("b4", chaintest.By(eps), chaintest.Claim(alpha.Key.Script())).Accept() // active at once
}

func TestLastMiner(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "mine receive"}}})
	alpha := net.Member("alpha")
	h.Next("all", net.Vote(members{alpha}, net.Revoke(alpha, record.Admin))).Reject(permission.RuleLastAdmin)
	h.Next("b1").Accept()
}

func TestUnknownUpgrade(t *testing.T) {
	// Mining is everybody's, so that a thousand blocks take no seals.
	net, h := consortium(t, chaintest.ConsortiumOptions{Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}}, Spacing: 1, Restricted: []string{"send"}})
	h.Next("b1", net.Vote(members{net.Member("alpha")}, net.Upgrade("future", 1001))).Accept()
	if err := h.Chain.UpgradeNeeded(); !errors.Is(err, chain.ErrUnknownUpgrade) || len(h.Chain.Warnings()) != 1 {
		t.Errorf("upgrade needed: %v, warnings %q", err, h.Chain.Warnings())
	}
	for h.Chain.Best().Height < 1000 {
		b := h.Make(h.Chain.Best().Hash)
		if _, err := h.Chain.AcceptBlock(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	b := h.Make(h.Chain.Best().Hash)
	for range 2 {
		_, err := h.Chain.AcceptBlock(context.Background(), b)
		if !errors.Is(err, chain.ErrUnknownUpgrade) || consensus.AsRule(err) != nil {
			t.Errorf("block 1001: %v", err)
		}
	}
	if got := h.Chain.Best().Height; got != 1000 {
		t.Errorf("height %d", got)
	}
	if info, ok := h.Chain.Lookup(b.Hash); !ok || info.State == chain.StateInvalid {
		t.Errorf("block 1001 is %+v", info)
	}
	h.Close()
	for _, later := range []bool{false, true} {
		if err := h.TryOpenWith(func(_ *store.Config, cc *chain.Config) { cc.CatchUpLater = later }); err != nil {
			t.Fatalf("a start below it: %v", err)
		}
		if err := h.Chain.CatchUp(t.Context()); err != nil || h.Chain.Best().Height != 1000 {
			t.Errorf("height %d after a start, %v", h.Chain.Best().Height, err)
		}
		h.Close()
	}
}
