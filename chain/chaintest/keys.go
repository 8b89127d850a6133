package chaintest

import (
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/btcsuite/btcd/address/v2"
)

// Kind is a type of output that a Key can be paid with.
type Kind string

// The kinds of outputs. Only the first needs no signature.
const (
	Anyone Kind = "anyone"
	P2TR   Kind = "p2tr"
	P2WPKH Kind = "p2wpkh"
	P2PKH  Kind = "p2pkh"
)

// Key makes outputs and spends them. It is deterministic.
type Key struct {
	priv   *btcec.PrivateKey
	kind   Kind
	script []byte
}

// NewKey returns the key with that number.
func NewKey(kind Kind, number int) *Key {
	seed := sha256.Sum256(fmt.Appendf(nil, "chaintest key %d", number))
	priv, _ := btcec.PrivKeyFromBytes(seed[:])
	k := &Key{priv: priv, kind: kind}
	k.script = k.makeScript()
	return k
}

// Script is the output script that pays to the key. It is shared.
func (k *Key) Script() []byte { return k.script }

func (k *Key) makeScript() []byte {
	switch k.kind {
	case P2TR:
		out := txscript.ComputeTaprootKeyNoScript(k.priv.PubKey())
		return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, schnorr.SerializePubKey(out)...)
	case P2WPKH:
		return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, k.hash160()...)
	case P2PKH:
		script := append([]byte{txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20}, k.hash160()...)
		return append(script, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	}
	return AnyoneCanSpend()
}

func (k *Key) hash160() []byte {
	return address.Hash160(k.priv.PubKey().SerializeCompressed())
}

// Pay returns a transaction that spends from, outputs of key by, into n
// equal outputs of key to, less fee, and signs it.
func Pay(by *Key, from []Output, to *Key, n int, fee int64) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	prev := txscript.NewMultiPrevOutFetcher(nil)
	total := -fee
	for _, o := range from {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: o.OutPoint, Sequence: wire.MaxTxInSequenceNum})
		prev.AddPrevOut(o.OutPoint, wire.NewTxOut(o.Amount, by.Script()))
		total += o.Amount
	}
	for range n {
		tx.AddTxOut(wire.NewTxOut(total/int64(n), to.Script()))
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i, o := range from {
		if err := by.sign(tx, i, o.Amount, hashes); err != nil {
			panic(fmt.Sprintf("chaintest: sign: %v", err))
		}
	}
	return tx
}

func (k *Key) sign(tx *wire.MsgTx, i int, amount int64, hashes *txscript.TxSigHashes) (err error) {
	in := tx.TxIn[i]
	switch k.kind {
	case P2TR:
		in.Witness, err = txscript.TaprootWitnessSignature(tx, hashes, i, amount, k.Script(), txscript.SigHashDefault, k.priv)
	case P2WPKH:
		in.Witness, err = txscript.WitnessSignature(tx, hashes, i, amount, k.Script(), txscript.SigHashAll, k.priv, true)
	case P2PKH:
		in.SignatureScript, err = txscript.SignatureScript(tx, i, k.Script(), txscript.SigHashAll, k.priv, true)
	default:
		in.Witness = wire.TxWitness{anyoneScript}
	}
	return err
}

// Resign signs tx, which spends one output of key, again after a change.
func Resign(tx *wire.MsgTx, key *Key, from Output) *wire.MsgTx {
	tx = tx.Copy()
	prev := txscript.NewCannedPrevOutputFetcher(key.Script(), from.Amount)
	if err := key.sign(tx, 0, from.Amount, txscript.NewTxSigHashes(tx, prev)); err != nil {
		panic(fmt.Sprintf("chaintest: sign: %v", err))
	}
	return tx
}
