package consensus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// The benchmarks of this file take a block of nearly 4,000,000 weight: p2tr,
// 1 input and 2 outputs each, with a commitment to the witnesses.
//
//	go test -run '^$' -bench Full ./chain/consensus

// fullBlock returns such a block, as its bytes, and the coins it spends.
func fullBlock(tb testing.TB) (raw []byte, coins [][]Coin) {
	tb.Helper()
	var seed [8]byte
	script := func(n int) []byte {
		binary.LittleEndian.PutUint64(seed[:], uint64(n))
		key := sha256.Sum256(seed[:])
		return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, key[:]...)
	}
	coinbase := coinbaseAt(1, 1)
	coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
	txs := []*Tx{NewTx(coinbase)}
	var weight int64
	for i := 0; weight < 3_998_000; i++ {
		binary.LittleEndian.PutUint64(seed[:], uint64(i))
		msg := &wire.MsgTx{
			Version: 2,
			TxIn: []*wire.TxIn{{
				PreviousOutPoint: wire.OutPoint{Hash: sha256.Sum256(seed[:]), Index: 1},
				Sequence:         0xfffffffd,
				Witness:          wire.TxWitness{bytes.Repeat(seed[:], 8)},
			}},
			TxOut: []*wire.TxOut{{Value: 5000, PkScript: script(2 * i)}, {Value: 4000, PkScript: script(2*i + 1)}},
		}
		tx := NewTx(msg)
		txs, weight = append(txs, tx), weight+tx.Weight
		coins = append(coins, []Coin{{Amount: 10_000, Script: script(-i - 1)}})
	}
	coinbase.TxOut = append(coinbase.TxOut, WitnessCommitmentOutput(txs, [32]byte{}))
	msg := &wire.MsgBlock{Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(1_300_000_000, 0), Bits: 0x207fffff}}
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	msg.Header.MerkleRoot = MerkleRoot(TxIDs(NewBlock(msg).Txs))
	return rawBlock(tb, msg), coins
}

// perTx reports the time in nanoseconds per transaction.
func perTx(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/tx")
}

// BenchmarkFullDecode: from bytes to a block with its hashes, "wire" the way
// of the wire package, "scan" only the walk that comes first.
func BenchmarkFullDecode(b *testing.B) {
	raw, coins := fullBlock(b)
	limits := fourMillion()
	for name, decode := range map[string]func() error{
		"wire": func() error {
			msg, err := scan.DecodeBlock(raw, limits)
			if err == nil {
				NewBlock(msg)
			}
			return err
		},
		"slab": func() error { _, err := DecodeBlock(raw, limits); return err },
		"scan": func() error { return scan.Block(raw, limits) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(); err != nil {
					b.Fatal(err)
				}
			}
			perTx(b, len(coins))
		})
	}
}

// BenchmarkFullCheck: what is asked of a decoded block, rule by rule.
func BenchmarkFullCheck(b *testing.B) {
	raw, coins := fullBlock(b)
	p, clean := mainnet(), cleanFrom(0)
	parent := Ancestry(spaced(1, 1_200_000_000, 1, 0x207fffff))
	full, err := DecodeBlock(raw, fourMillion())
	if err != nil {
		b.Fatal(err)
	}
	fresh := func() *Block { return &Block{Header: full.Header, Hash: full.Hash, Txs: full.Txs} }
	flags := ScriptFlags(1, full.Hash, p)
	prepared := fresh()
	Prepare(prepared, p)
	each := func(check func(tx *Tx, coins []Coin) error) func() error {
		return func() error {
			for i, tx := range full.Txs[1:] {
				if err := check(tx, coins[i]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, bench := range []struct {
		name  string
		check func() error
	}{
		{"txidtree", func() error { fresh().merkle(); return nil }},
		{"wtxidtree", func() error { fresh().witnessRoot(); return nil }},
		{"CheckBlock", func() error { return CheckBlock(fresh(), p) }},
		{"CheckBlockContext", func() error { return CheckBlockContext(fresh(), parent, p) }},
		{"prepared", func() error {
			if err := CheckBlock(prepared, p); err != nil {
				return err
			}
			return CheckBlockContext(prepared, parent, p)
		}},
		{"CheckTxInputs", each(func(tx *Tx, coins []Coin) error { _, err := CheckTxInputs(tx, coins, 1, p); return err })},
		{"CheckTxInputs54", each(func(tx *Tx, coins []Coin) error { _, err := CheckTxInputs(tx, coins, 1, clean); return err })},
		{"CheckSequenceLocks", each(func(tx *Tx, coins []Coin) error { return CheckSequenceLocks(tx, coins, parent, p) })},
		{"SigOpCost", each(func(tx *Tx, coins []Coin) error { SigOpCost(tx, coins, flags); return nil })},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.check(); err != nil {
					b.Fatal(err)
				}
			}
			perTx(b, len(coins))
		})
	}
}
