package mempool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// The coinbase pays who may receive, and nobody else.
func TestTemplateClaims(t *testing.T) {
	s := alone(t)
	s.Params.Subsidy.Initial = 50e8
	tests := []struct {
		name   string
		script []byte
		pays   bool
	}{
		{"a member", s.member("mute").Key.Script(), true},
		{"a stranger", chaintest.NewMember("stranger").Key.Script(), false},
		{"nobody", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tpl := s.template(TemplateOptions{CoinbaseScript: test.script})
			var paid int64
			for _, out := range tpl.Block.Transactions[0].TxOut {
				paid += out.Value
			}
			if tpl.Unclaimed == test.pays || tpl.CoinbaseValue != 50e8 || (paid > 0) != test.pays {
				t.Errorf("unclaimed %t, value %d, paid %d", tpl.Unclaimed, tpl.CoinbaseValue, paid)
			}
			if !tpl.Sealed || tpl.Permissions != s.Chain.Permissions() {
				t.Errorf("sealed %t", tpl.Sealed)
			}
			s.mine(s.member("alpha"), TemplateOptions{CoinbaseScript: append([]byte{}, test.script...)})
		})
	}
}

// Where members alone may send, coins lie on scripts of the standard kinds: no
// other one is paid, though receiving is everybody's.
func TestTemplateClaimsStandard(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{Restricted: []string{"mine", "connect", "send"}})
	s.Params.Subsidy.Initial = 50e8
	for _, test := range []struct {
		script []byte
		pays   bool
	}{{[]byte{txscript.OP_TRUE}, false}, {chaintest.NewMember("stranger").Key.Script(), true}} {
		opts := TemplateOptions{CoinbaseScript: test.script}
		if tpl := s.template(opts); tpl.Unclaimed == test.pays {
			t.Errorf("script %x: unclaimed %t", test.script, tpl.Unclaimed)
		}
		s.mine(s.member([]string{"alpha", "beta"}[s.Chain.Best().Height]), opts)
	}
}

// A coinbase has an output, whatever is left out of it.
func TestCoinbaseOfNothing(t *testing.T) {
	w := newWorld(t)
	if n := len(w.pool.coinbase(coinbaseParts{}).Msg.TxOut); n != 1 {
		t.Errorf("%d outputs", n)
	}
}

func TestTemplateCoinbaseSize(t *testing.T) {
	s := alone(t)
	opts := TemplateOptions{CoinbaseScript: make([]byte, 20_000)}
	if _, err := s.pool.Template(t.Context(), opts); err != nil {
		t.Errorf("a script that may not receive is left out: %v", err)
	}
	s = newSenate(t, chaintest.ConsortiumOptions{Restricted: []string{"mine", "connect"}})
	room := seal.MaxCoinbaseSize - s.template(TemplateOptions{CoinbaseScript: make([]byte, 300)}).Block.Transactions[0].SerializeSizeStripped() + 300
	opts.CoinbaseScript = make([]byte, room)
	opts.CoinbaseScript[0] = txscript.OP_RETURN
	s.mine(s.member("alpha"), opts)
	opts.CoinbaseScript = append(opts.CoinbaseScript, 0)
	if _, err := s.pool.Template(t.Context(), opts); !errors.Is(err, errTemplate) {
		t.Errorf("Template with a coinbase that is too large: %v", err)
	}
}

// The seal depends on the time and on nothing that is found afterwards.
func TestTemplateSeal(t *testing.T) {
	s := alone(t)
	s.accept(s.pay(s.member("rich"), s.member("mute"), 1000))
	tpl := s.template(TemplateOptions{CoinbaseScript: s.member("alpha").Key.Script()})
	before := tpl.Block.Header
	variants := make(map[seal.VariantID]bool)
	for _, test := range []struct {
		time uint32
		aux  [32]byte
	}{{tpl.MinTime, [32]byte{}}, {tpl.MinTime, [32]byte{1}}, {tpl.MinTime + 1, [32]byte{}}} {
		b, err := tpl.Seal(s.member("alpha").Signer(), test.time, test.aux)
		if err != nil {
			t.Fatal(err)
		}
		proof := seal.ProofOf(consensus.NewBlock(b))
		got, _, variant, err := proof.Check(s.Params.GenesisHash, &b.Header, tpl.Height)
		if err != nil || got.Key != s.member("alpha").SealKey() || uint32(b.Header.Timestamp.Unix()) != test.time {
			t.Errorf("seal of %+v: %v", b.Header, err)
		}
		variants[variant] = true
	}
	if len(variants) != 2 {
		t.Errorf("%d different blocks, want 2: the same time makes variants of one", len(variants))
	}
	if tpl.Block.Header != before {
		t.Error("the template changed")
	}
}

func TestTemplateRestart(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{})
	alpha, beta := s.member("alpha"), s.member("beta")
	s.accept(s.pay(alpha, beta, 1000))
	s.mine(beta, TemplateOptions{Fixed: []*consensus.Tx{}})
	all := []*chaintest.Member{alpha, beta}
	cert := s.certificate(all[1:], all)
	tpl := s.template(TemplateOptions{Restart: cert, CoinbaseScript: alpha.Key.Script()})
	if want := s.Chain.Best().Header.Timestamp.Add(s.Params.Permissions.RestartDelay); tpl.MinTime != uint32(want.Unix()) || !tpl.Block.Header.Timestamp.Equal(want) {
		t.Errorf("least time %d, want %v", tpl.MinTime, want)
	}
	if len(tpl.Txs) != 0 || len(tpl.Permissions.Miners(2)) != 1 {
		t.Errorf("%d transactions, members that mine: %v", len(tpl.Txs), tpl.Permissions.Miners(2))
	}
	s.mine(beta, TemplateOptions{Restart: cert})
	if info := s.Chain.Best(); !info.Restart || info.Sealer != beta.ID {
		t.Errorf("the best block: %+v", info)
	}

	few := s.certificate(all[1:], all[:1])
	if _, err := s.pool.Template(t.Context(), TemplateOptions{Restart: few}); !errors.Is(err, permission.RuleRestartSigners) {
		t.Errorf("Template with too few signers: %v", err)
	}
	w := newWorld(t)
	if _, err := w.pool.Template(t.Context(), TemplateOptions{Restart: cert}); !errors.Is(err, errTemplate) {
		t.Errorf("Template of a restart where mining is everybody's: %v", err)
	}
}

// Paying transactions cannot crowd out what members govern with, nor the
// other way round: it has a share.
func TestTemplateRecordsFirst(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{})
	alpha, beta, gamma := s.member("alpha"), s.member("beta"), s.member("gamma")
	payment := s.pay(gamma, gamma, 1_000_000)
	a1 := s.propose([]*chaintest.Member{alpha}, s.rename(alpha, "a1"))
	a2 := s.follow(a1, alpha, s.rename(alpha, "a2"))
	b1 := s.propose([]*chaintest.Member{beta}, s.rename(beta, "b1"))
	s.accept(a1, a2, payment, b1)
	all := s.template(TemplateOptions{})
	if !slices.Equal(ids(all.Txs), ids([]*consensus.Tx{a1, b1, a2, payment})) {
		t.Errorf("with room for all: %v", ids(all.Txs))
	}
	for _, test := range []struct {
		name   string
		weight int64 // of the room
		want   []*consensus.Tx
	}{
		{"a share of one and room for a payment", recordShare * a1.Weight, []*consensus.Tx{a1, payment, a2, b1}},
		{"a share of two", recordShare * (a1.Weight + b1.Weight), []*consensus.Tx{a1, b1, payment, a2}},
		{"no share, and no room beside a payment", payment.Weight, []*consensus.Tx{payment}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tpl := s.template(TemplateOptions{MaxWeight: reservedWeight + test.weight})
			if got := tpl.Txs; len(got) < len(test.want) || !slices.Equal(ids(got[:len(test.want)]), ids(test.want)) {
				t.Errorf("%v, want first %v", ids(got), ids(test.want))
			}
		})
	}
}

// Two records that can each take effect, but not both: the template has one,
// nothing that depends on the other, and is valid.
func TestTemplateRecordsInSequence(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{
		Members:     []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"}, {Name: "gamma", Permissions: "send receive"}},
		SetupBlocks: 100,
	})
	alpha, beta, gamma := s.member("alpha"), s.member("beta"), s.member("gamma")
	one := s.propose([]*chaintest.Member{alpha}, s.rename(gamma, "omega"))
	two := s.propose([]*chaintest.Member{beta}, s.rename(beta, "omega"))
	child := s.follow(two, beta, s.net.Create(chaintest.NewMember("delta"), record.Send))
	payment := s.pay(gamma, gamma, 1000)
	s.accept(one, two, child, payment)
	b := s.mine(alpha, TemplateOptions{})
	if !slices.Equal(ids(b.Txs[1:]), ids([]*consensus.Tx{one, payment})) {
		t.Errorf("the block holds %v", ids(b.Txs[1:]))
	}
	s.expectPool()
	if got := s.left[two.TxID]; got != ReasonPermission {
		t.Errorf("the other left because of %q", got)
	}
}

// A record that pays well and fails takes nothing else with it.
func TestLeaveOut(t *testing.T) {
	tx := func(n uint32) *consensus.Tx {
		m := wire.NewMsgTx(2)
		m.LockTime = n
		return consensus.NewTx(m)
	}
	list := make([]*entry, 5)
	ranked := &ranking{kind: rankPackage, of: new(roster)}
	for i := range list {
		list[i] = &entry{tx: tx(uint32(i)), seq: uint64(i), vsize: 100, fee: int64(i), up: totals{vsize: 100, fees: int64(i)}}
		ranked.of.add(list[i])
		ranked.put(list[i])
	}
	list[1].children, list[2].parents = list[2:3], list[1:2]
	list[2].children, list[3].parents = list[3:4], list[2:3]
	ch := &chooser{ranked: ranked.walk(), left: room{1 << 20, 1 << 20, 10}, chosen: &choice{}}
	ch.leaveOut(ch.mark(list[1]))
	ch.pay()
	if got := ids(ch.chosen.txs); !slices.Equal(got, ids([]*consensus.Tx{list[4].tx, list[0].tx})) {
		t.Errorf("picked %v", got)
	}
}

// The chain takes what templates make, whatever members do to each other, and
// what waits afterwards is what the next block allows.
func TestSealedTemplateIsValid(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			s := newSenate(t, chaintest.ConsortiumOptions{SetupBlocks: 1000})
			taken := s.play(rng, 16)
			if taken < 16 {
				t.Errorf("only %d transactions mined: the test tests little", taken)
			}
		})
	}
}

// play lets three members of the set-up act at random for some blocks.
func (s *senate) play(rng *rand.Rand, blocks int) (taken int) {
	members := slices.Clone(s.net.Members)
	names := []string{"alpha", "beta", "gamma", "delta"}
	perms := []record.Set{record.Send, record.Receive, record.Send | record.Receive, record.Connect, record.Admin, record.Mine}
	for range blocks {
		for range rng.IntN(6) {
			by, about := members[rng.IntN(3)], members[rng.IntN(len(members))]
			var r record.Record
			switch rng.IntN(6) {
			case 0:
				m := chaintest.NewMember(fmt.Sprintf("member-%d", rng.IntN(8)))
				r = s.net.Create(m, chaintest.EveryRole)
				if !slices.ContainsFunc(members, func(x *chaintest.Member) bool { return x.ID == m.ID }) {
					members = append(members, m)
				}
			case 1, 2:
				r = s.net.Grant(about, perms[rng.IntN(len(perms))])
			case 3:
				r = s.net.Revoke(about, perms[rng.IntN(4)])
			default:
				r = s.rename(about, names[rng.IntN(len(names))])
			}
			// All of these may be refused.
			if op, ok := s.newest(by, false); ok {
				_ = s.pool.Accept(context.Background(), consensus.NewTx(chaintest.RecordTx([]*chaintest.Member{by}, []wire.OutPoint{op.OutPoint}, r)))
			}
			if coin, ok := s.newest(by, true); ok {
				_ = s.pool.Accept(context.Background(), consensus.NewTx(chaintest.Pay(by.Key, []chaintest.Output{coin}, members[rng.IntN(3)].Key, 2, 1000)))
			}
		}
		state, height := s.Chain.Permissions(), s.Chain.Best().Height+1
		var miners []*chaintest.Member
		for _, m := range s.net.Members {
			if slices.Contains(state.Miners(height), m.ID) {
				miners = append(miners, m)
			}
		}
		b := s.mine(miners[rng.IntN(len(miners))], TemplateOptions{})
		taken += len(b.Txs) - 1
		s.checkPermitted()
	}
	return taken
}

// checkPermitted checks that all that waits is allowed in the next block.
func (s *senate) checkPermitted() {
	s.t.Helper()
	next := s.Chain.Next()
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	waiting := make(map[record.MemberID]int)
	for _, e := range s.pool.byTxID {
		coins, err := s.pool.coinsLocked(e.tx, next.Height, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := next.Permissions.CheckTx(e.tx, coins, next.Height); err != nil {
			s.t.Errorf("in the pool: %v", err)
		}
		if e.gov == nil {
			continue
		}
		for _, id := range e.gov.members {
			waiting[id]++
		}
	}
	for id, n := range waiting {
		if s.pool.records[id] != n {
			s.t.Errorf("%d transactions with records of %v counted, %d are there", s.pool.records[id], id, n)
		}
	}
	if len(waiting) != len(s.pool.records) {
		s.t.Errorf("records of %d members counted, %d are there", len(s.pool.records), len(waiting))
	}
}
