package consensus

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// A witness commitment (BIP141) is an output of the coinbase whose script
// starts with these bytes and then the 32 bytes of the commitment; more may
// follow. Of several the last one counts.
//
//	offset size
//	0      1    OP_RETURN
//	1      1    push of 36 bytes
//	2      4    aa21a9ed
//	6      32   double SHA-256 of witness merkle root and reserved value
const commitmentSize = 38

func commitmentPrefix() []byte { return []byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed} }

// WitnessCommitment is the BIP141 commitment to the witnesses of txs, a
// block's transactions. txs[0] stands for the coinbase, whose own wtxid does
// not take part; it may be nil. reserved is the one item of the coinbase's
// witness.
func WitnessCommitment(txs []*Tx, reserved [32]byte) chainhash.Hash {
	return commitTo(witnessRoot(txs), reserved)
}

func commitTo(root chainhash.Hash, reserved [32]byte) chainhash.Hash {
	return hashPair(&root, (*chainhash.Hash)(&reserved))
}

// WitnessCommitmentOutput is the output that a block's coinbase must have so
// that its other transactions may carry witnesses; the coinbase's input then
// needs the witness [reserved]. Arguments as for WitnessCommitment.
func WitnessCommitmentOutput(txs []*Tx, reserved [32]byte) *wire.TxOut {
	commitment := WitnessCommitment(txs, reserved)
	return &wire.TxOut{PkScript: append(commitmentPrefix(), commitment[:]...)}
}

// FindWitnessCommitment returns the index of the coinbase output that holds
// the witness commitment, or -1.
func FindWitnessCommitment(coinbase *wire.MsgTx) int {
	prefix := commitmentPrefix()
	for i := len(coinbase.TxOut) - 1; i >= 0; i-- {
		script := coinbase.TxOut[i].PkScript
		if len(script) >= commitmentSize && bytes.HasPrefix(script, prefix) {
			return i
		}
	}
	return -1
}

// checkWitness checks that the witnesses of a block are those it commits to,
// and that there are none where it does not or where BIP141 is not yet in
// force. The header commits to no witness directly, so these faults may be
// those of a changed copy.
func checkWitness(b *Block, height int32, p *params.Params) error {
	if params.Active(p.Deployments.Segwit, height) {
		coinbase := b.Txs[0].Msg
		if out := FindWitnessCommitment(coinbase); out >= 0 {
			return checkCommitment(b, coinbase.TxIn[0].Witness, coinbase.TxOut[out].PkScript)
		}
	}
	for i, tx := range b.Txs {
		if tx.Msg.HasWitness() {
			return mutated(RuleWitnessUnasked, "transaction %d (%v) has a witness, the block commits to none", i, tx.TxID)
		}
	}
	return nil
}

func checkCommitment(b *Block, witness wire.TxWitness, script []byte) error {
	if len(witness) != 1 || len(witness[0]) != 32 {
		return mutated(RuleWitnessNonce, "coinbase witness has %d items; it must be one of 32 bytes", len(witness))
	}
	want := commitTo(b.witnessRoot(), [32]byte(witness[0]))
	if got := script[commitmentSize-32 : commitmentSize]; !bytes.Equal(got, want[:]) {
		return mutated(RuleWitnessMerkle, "coinbase commits to %x, witnesses give %x", got, want[:])
	}
	return nil
}
