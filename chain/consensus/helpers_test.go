package consensus

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// mainnet has Bitcoin's numbers, with every deployment in force from genesis.
func mainnet() *params.Params {
	return &params.Params{
		PoW: params.PoW{
			Limit: 0x1d00ffff, LimitTarget: target(0x1d00ffff),
			Algorithm: params.AlgorithmBitcoin, Spacing: 10 * time.Minute, Timespan: 14 * 24 * time.Hour,
			MaxFuture: 2 * time.Hour,
		},
		Subsidy: params.Subsidy{Initial: 50_0000_0000, HalvingInterval: 210_000, Maturity: 100},
		Limits: params.Limits{
			BlockWeight: 4_000_000, BlockSigOpCost: 80_000, MaxMoney: 21_000_000_0000_0000, TxWeight: 4_000_000,
		},
		Deployments: params.Deployments{BIP54: params.Never},
	}
}

// regtest is mainnet with a target that every second hash meets.
func regtest() *params.Params {
	p := mainnet()
	p.PoW.Algorithm, p.PoW.Limit, p.PoW.LimitTarget = params.AlgorithmFixed, 0x207fffff, target(0x207fffff)
	return p
}

func target(bits uint32) *big.Int {
	t, _, _ := CompactToTarget(bits)
	return t
}

// branch is an Ancestry from genesis on.
type branch []HeaderFields

func (b branch) Height() int32                { return int32(len(b)) - 1 }
func (b branch) At(height int32) HeaderFields { return b[height] }

// sparse is a long branch of which only some blocks differ from the rest.
type sparse struct {
	height int32
	rest   HeaderFields
	blocks map[int32]HeaderFields
}

func (s sparse) Height() int32 { return s.height }
func (s sparse) At(height int32) HeaderFields {
	if f, ok := s.blocks[height]; ok {
		return f
	}
	return s.rest
}

// spaced is a branch of n blocks, each spacing seconds after the one before.
func spaced(n int, start, spacing, bits uint32) branch {
	b := make(branch, n)
	for i := range b {
		b[i] = HeaderFields{Time: start + uint32(i)*spacing, Bits: bits}
	}
	return b
}

// coinbaseAt is a coinbase for the given height that pays amount.
func coinbaseAt(height int32, amount int64) *wire.MsgTx {
	return &wire.MsgTx{
		Version: 1,
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
			SignatureScript:  append(CoinbaseHeightScript(height), 0, 0),
			Sequence:         wire.MaxTxInSequenceNum,
		}},
		TxOut: []*wire.TxOut{{Value: amount, PkScript: []byte{0x51}}},
	}
}

// payment spends output n of some transaction.
func payment(n uint32) *wire.MsgTx {
	return &wire.MsgTx{
		Version: 1,
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{1}, Index: n},
			Sequence:         wire.MaxTxInSequenceNum,
		}},
		TxOut: []*wire.TxOut{{Value: 1, PkScript: []byte{0x51}}},
	}
}

// block builds a block with a merkle root that fits.
func block(txs ...*wire.MsgTx) *Block {
	b := NewBlock(&wire.MsgBlock{
		Header:       wire.BlockHeader{Version: 4, Timestamp: time.Unix(1_300_000_000, 0), Bits: 0x207fffff},
		Transactions: txs,
	})
	return reroot(b)
}

func reroot(b *Block) *Block {
	b.Header.MerkleRoot = MerkleRoot(TxIDs(b.Txs))
	b.Hash = b.Header.BlockHash()
	return b
}

// wantRule checks that err is nil where rule is empty and else a RuleError
// of that rule.
func wantRule(t *testing.T, err error, rule Rule, mutated bool) {
	t.Helper()
	if rule == "" {
		if err != nil {
			t.Errorf("got %v, want no error", err)
		}
		return
	}
	broken := AsRule(err)
	if broken == nil || !errors.Is(err, rule) {
		t.Errorf("got %v, want %s", err, rule)
		return
	}
	if broken.Mutated != mutated {
		t.Errorf("%s: mutated is %v, want %v", rule, broken.Mutated, mutated)
	}
	if broken.Detail == "" {
		t.Errorf("%s: no detail for people", rule)
	}
}
