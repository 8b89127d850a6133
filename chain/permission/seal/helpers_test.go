package seal

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

const testHeight = 1_000_000

func testGenesis() chainhash.Hash { return chainhash.HashH([]byte("genesis")) }

func testKey(n byte) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{n}, 32))
	return key
}

func member(n byte) record.MemberID { return record.MemberID{n} }

func members(ns ...byte) []record.MemberID {
	out := make([]record.MemberID, len(ns))
	for i, n := range ns {
		out[i] = member(n)
	}
	return out
}

// draft returns an unsealed block of n transactions whose coinbase has a
// payout and the placeholder, and a witness.
func draft(n int) *wire.MsgBlock {
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: math.MaxUint32},
		SignatureScript:  []byte{3, 0x40, 0x42, 0x0f, 0},
		Witness:          wire.TxWitness{make([]byte, 32)},
	})
	coinbase.AddTxOut(wire.NewTxOut(50, append([]byte{txscript.OP_1, txscript.OP_DATA_32}, make([]byte, 32)...)))
	AppendPlaceholder(coinbase)
	block := &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: 4, PrevBlock: chainhash.HashH([]byte("prev")), Bits: 0x207fffff,
			Timestamp: time.Unix(1_800_000_123, 0), Nonce: 7,
		},
		Transactions: []*wire.MsgTx{coinbase},
	}
	for i := 1; i < n; i++ {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(i)}, Witness: wire.TxWitness{{1}}})
		tx.AddTxOut(wire.NewTxOut(int64(i), []byte{txscript.OP_TRUE}))
		block.Transactions = append(block.Transactions, tx)
	}
	return block
}

// sealed returns a block of n transactions that key 1 sealed.
func sealed(t testing.TB, n int) *wire.MsgBlock {
	t.Helper()
	block := draft(n)
	if err := SealBlock(testGenesis(), block, testHeight, testKey(1)); err != nil {
		t.Fatal(err)
	}
	return block
}

// commit sets the merkle root of a block.
func commit(block *wire.MsgBlock) {
	block.Header.MerkleRoot = consensus.MerkleRoot(consensus.TxIDs(consensus.NewBlock(block).Txs))
}

func proofOf(block *wire.MsgBlock) *Proof {
	p := ProofOf(consensus.NewBlock(block))
	return &p
}

// check is Proof.Check of a block in its place.
func check(block *wire.MsgBlock) (VariantID, error) {
	_, _, id, err := proofOf(block).Check(testGenesis(), &block.Header, testHeight)
	return id, err
}

func wantRule(t *testing.T, err error, rule consensus.Rule) {
	t.Helper()
	if rule == "" {
		if err != nil {
			t.Fatalf("got %v, want no error", err)
		}
		return
	}
	if !errors.Is(err, rule) {
		t.Fatalf("got %v, want rule %s", err, rule)
	}
	if consensus.AsRule(err) == nil {
		t.Fatalf("%v is no RuleError", err)
	}
}

func containsText(err error, text string) bool { return strings.Contains(err.Error(), text) }
