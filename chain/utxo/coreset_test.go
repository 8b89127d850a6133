package utxo_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

// The set of Bitcoin Core's feature_utxo_set_hash.py: 101 blocks on regtest,
// of which the last spends the coinbase of the first, with a fee that nobody
// takes. Everything in it is deterministic.
const (
	corePayScript    = "51202913b252fe537830f843bfdc5fa7d20ba48639a87c86ff837b92d083c55ad7c1" // taproot of OP_TRUE
	coreOtherScript  = "76a9142b4569203694fc997e13f2c0a1383b9e16c77a0d88ac"
	coreControlBlock = "c00000000000000000000000000000000000000000000000000000000000000001"
	coreReward       = 50_0000_0000
	coreFee          = 31_200

	coreSerialized = "396058cfd7f3b4c05dcdfaf360be9986d859d2c8315082d3aadda6d2d16add25"
	coreMuHash     = "97f341d4226cb4451dd9da2856759fb97659cfc238a0b8d5452e64af6032bd3d"
)

// coreCoinbase is the coinbase of a block whose other transactions' witness
// ids hash to witnessRoot, as Core's miner makes it.
func coreCoinbase(t *testing.T, height int32, script []byte, witnessRoot chainhash.Hash) *wire.MsgTx {
	t.Helper()
	sig := consensus.CoinbaseHeightScript(height)
	if height <= 16 {
		sig = append(sig, 0) // a script of one byte is too short
	}
	tx := wire.NewMsgTx(2)
	tx.LockTime = uint32(height) - 1
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: sig, Sequence: wire.MaxTxInSequenceNum - 1})
	tx.AddTxOut(wire.NewTxOut(coreReward, script))
	commitment := chainhash.DoubleHashB(append(witnessRoot[:], make([]byte, 32)...))
	tx.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}, commitment...)))
	return tx
}

// coreSet returns that set, in order.
func coreSet(t *testing.T) []setCoin {
	t.Helper()
	pay, other := unhex(t, corePayScript), unhex(t, coreOtherScript)
	var set []setCoin
	add := func(tx *wire.MsgTx, height int32, coinbase bool) {
		for i, out := range tx.TxOut {
			if !utxo.Unspendable(out.PkScript) {
				set = append(set, setCoin{
					op:   wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)},
					coin: consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height, Coinbase: coinbase},
				})
			}
		}
	}
	spend := wire.NewMsgTx(2)
	spend.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Hash: coreCoinbase(t, 1, pay, chainhash.Hash{}).TxHash()},
		Witness:          wire.TxWitness{{0x51}, unhex(t, coreControlBlock)},
	})
	spend.AddTxOut(wire.NewTxOut(coreReward-coreFee, pay))
	for height := int32(2); height <= 100; height++ {
		add(coreCoinbase(t, height, other, chainhash.Hash{}), height, true)
	}
	wtxid := spend.WitnessHash()
	root := chainhash.DoubleHashH(append(make([]byte, 32), wtxid[:]...))
	add(coreCoinbase(t, 101, pay, root), 101, true)
	add(spend, 101, false)
	slices.SortFunc(set, func(a, b setCoin) int { return bytes.Compare(a.op.Hash[:], b.op.Hash[:]) })
	return set
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCoreSet(t *testing.T) {
	set := coreSet(t)
	got, err := utxo.Summarise(utxo.WithMuHash|utxo.WithSerialized, 2, eachOf(set, nil))
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Serialized.String(); s != coreSerialized {
		t.Errorf("hash_serialized_3 %s, Bitcoin Core publishes %s", s, coreSerialized)
	}
	if s := got.MuHash.String(); s != coreMuHash {
		t.Errorf("muhash %s, Bitcoin Core publishes %s", s, coreMuHash)
	}
	if got.Coins != 101 || got.Txs != 101 {
		t.Errorf("%+v, want 101 coins of 101 transactions", got)
	}
}
