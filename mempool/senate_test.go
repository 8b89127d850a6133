package mempool

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/sigcheck"
)

// senate is a pool on a real chain with members, and a clock of its own.
type senate struct {
	*chaintest.Harness
	t     *testing.T
	net   *chaintest.Consortium
	pool  *Pool
	clock time.Time
	left  map[chainhash.Hash]Reason // transactions that were removed
	salt  byte
	mined []*consensus.Tx
}

func newSenate(t *testing.T, options chaintest.ConsortiumOptions) *senate {
	t.Helper()
	s := &senate{t: t, net: chaintest.NewConsortium(options), left: make(map[chainhash.Hash]Reason)}
	s.clock = s.net.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	now := func() time.Time { return s.clock }
	s.Harness = chaintest.New(t, chaintest.Options{Consortium: s.net, Now: now})
	s.pool = New(Config{Chain: s.Chain, Params: s.Params, Checker: sigcheck.New(sigcheck.Config{Workers: 1, CacheEntries: 1000, Recheck: 256}), Now: now})
	t.Cleanup(s.Chain.Subscribe(s.pool.HandleEvent))
	s.pool.Subscribe(func(ev TxEvent) {
		if ev.Kind == Removed {
			s.left[ev.Tx.TxID] = ev.Reason
		}
	})
	return s
}

// alone is a chain with one administering member, alpha, and others that hold
// what they need to pay each other.
func alone(t *testing.T) *senate {
	return newSenate(t, chaintest.ConsortiumOptions{Members: []chaintest.Genesis{
		{Name: "alpha", Permissions: "admin"}, {Name: "rich", Permissions: "send receive"}, {Name: "mute", Permissions: "receive"},
	}})
}

func (s *senate) member(name string) *chaintest.Member { return s.net.Member(name) }

// pay moves what the genesis block gave to a member.
func (s *senate) pay(from, to *chaintest.Member, fee int64) *consensus.Tx {
	return consensus.NewTx(chaintest.Pay(from.Key, []chaintest.Output{s.net.Funds(from)}, to.Key, 1, fee))
}

// propose makes a transaction in which members speak by their authority
// outputs in the chain.
func (s *senate) propose(by []*chaintest.Member, records ...record.Record) *consensus.Tx {
	var from []wire.OutPoint
	for _, m := range by {
		from = append(from, s.Authority(m))
	}
	return consensus.NewTx(chaintest.RecordTx(by, from, records...))
}

// follow makes another transaction, in which the first speaker of tx speaks
// by the output that tx made for it.
func (s *senate) follow(tx *consensus.Tx, by *chaintest.Member, records ...record.Record) *consensus.Tx {
	return consensus.NewTx(chaintest.RecordTx([]*chaintest.Member{by}, []wire.OutPoint{{Hash: tx.TxID}}, records...))
}

// rename is a vote on the name of a member, each another one.
func (s *senate) rename(m *chaintest.Member, name string) record.Record {
	s.salt++
	return record.RenameMember{Lapse: chaintest.Lapse, Salt: [4]byte{s.salt}, Member: m.ID, Name: name}
}

func (s *senate) accept(txs ...*consensus.Tx) {
	s.t.Helper()
	for _, tx := range txs {
		if err := s.pool.Accept(context.Background(), tx); err != nil {
			s.t.Fatalf("Accept(%v): %v", tx.TxID, err)
		}
	}
}

// refuse expects a refusal that names want, and that it is lasting, held
// against the sender, or not.
func (s *senate) refuse(tx *consensus.Tx, want error, lasting bool) {
	s.t.Helper()
	err := s.pool.Accept(context.Background(), tx)
	if !errors.Is(err, want) || (consensus.AsRule(err) != nil) != lasting {
		s.t.Fatalf("Accept: error %v, want %v, lasting %t", err, want, lasting)
	}
}

func (s *senate) expectPool(txs ...*consensus.Tx) {
	s.t.Helper()
	got := s.pool.TxIDs()
	for _, tx := range txs {
		if !slices.Contains(got, tx.TxID) {
			s.t.Errorf("%v is not in the pool", tx.TxID)
		}
	}
	if len(got) != len(txs) {
		s.t.Errorf("%d transactions in the pool, want %d", len(got), len(txs))
	}
}

func (s *senate) template(opts TemplateOptions) *Template {
	s.t.Helper()
	checkChoice(s.t, s.pool, room{weight: 4_000_000, sigOps: 80_000, txs: 1 << 20})
	t, err := s.pool.Template(context.Background(), opts)
	if err != nil {
		s.t.Fatalf("Template: %v", err)
	}
	return t
}

// mine makes a block of the pool, which a member seals and the chain must
// take.
func (s *senate) mine(by *chaintest.Member, opts TemplateOptions) *consensus.Block {
	s.t.Helper()
	if opts.CoinbaseScript == nil {
		opts.CoinbaseScript = by.Key.Script()
	}
	t := s.template(opts)
	s.clock = s.clock.Add(time.Minute)
	if at := unixTime(t.MinTime); s.clock.Before(at) {
		s.clock = at
	}
	if err := s.Chain.CheckProposal(context.Background(), consensus.NewBlock(t.Block)); err != nil {
		s.t.Fatalf("the chain refuses the template: %v", err)
	}
	msg, err := t.Seal(by.Signer(), uint32(s.clock.Unix()), [32]byte{1})
	if err != nil {
		s.t.Fatalf("Seal: %v", err)
	}
	chaintest.Solve(&msg.Header)
	b := consensus.NewBlock(msg)
	if res, err := s.Chain.AcceptBlock(context.Background(), b); err != nil || res != chain.ResultConnected {
		s.t.Fatalf("the chain refuses the block: %d, %v", res, err)
	}
	s.mined = append(s.mined, b.Txs...)
	if got := b.Weight(); got != t.Weight {
		s.t.Errorf("the block weighs %d, its template says %d", got, t.Weight)
	}
	return b
}

// newest returns the latest unspent output of a member, in what mine made or
// in the pool: one with an amount, or one by which it speaks.
func (s *senate) newest(m *chaintest.Member, amount bool) (op chaintest.Output, ok bool) {
	spent := make(map[wire.OutPoint]bool)
	txs := append([]*consensus.Tx{consensus.NewTx(s.Params.GenesisBlock.Transactions[0])}, s.mined...)
	for _, e := range s.pool.Entries() {
		txs = append(txs, e.Tx)
	}
	for _, tx := range slices.Backward(txs) {
		for i, out := range tx.Msg.TxOut {
			at := wire.OutPoint{Hash: tx.TxID, Index: uint32(i)}
			if (out.Value > 0) == amount && string(out.PkScript) == string(m.Key.Script()) && !spent[at] {
				return chaintest.Output{OutPoint: at, Amount: out.Value}, true
			}
		}
		for _, in := range tx.Msg.TxIn {
			spent[in.PreviousOutPoint] = true
		}
	}
	return op, false
}

// certificate is one for a restart on the best block.
func (s *senate) certificate(miners, signers []*chaintest.Member) *seal.Certificate {
	s.t.Helper()
	parent := s.Chain.Best().Hash
	var ids []record.MemberID
	for _, m := range miners {
		ids = append(ids, m.ID)
	}
	var sigs []seal.Signature
	for _, m := range signers {
		sig, err := seal.SignRestart(s.Params.GenesisHash, parent, ids, m.ID, m.Signer(), [32]byte{})
		if err != nil {
			s.t.Fatal(err)
		}
		sigs = append(sigs, sig)
	}
	c, err := seal.NewCertificate(parent, ids, sigs)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}
