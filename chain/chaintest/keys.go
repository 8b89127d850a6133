package chaintest

import (
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Kind is a type of output that a Key can be paid with.
type Kind string

// The kinds of outputs. Only the first needs no signature.
const (
	Anyone     Kind = "anyone"
	P2PK       Kind = "p2pk"
	P2PKH      Kind = "p2pkh"
	Multisig   Kind = "multisig"    // bare, 2 of 2
	P2SH       Kind = "p2sh"        // of the key and OP_CHECKSIG, as the next two
	P2WSH      Kind = "p2wsh"       //
	P2TRScript Kind = "p2tr-script" // the only leaf of a tree
	P2SHP2WPKH Kind = "p2sh-p2wpkh"
	P2WPKH     Kind = "p2wpkh"
	P2TR       Kind = "p2tr" // by its key
)

// Kinds returns all kinds of outputs.
func Kinds() []Kind {
	return []Kind{Anyone, P2PK, P2PKH, Multisig, P2SH, P2WSH, P2TRScript, P2SHP2WPKH, P2WPKH, P2TR}
}

// Key makes outputs and spends them. It is deterministic.
type Key struct {
	priv   *btcec.PrivateKey
	second *btcec.PrivateKey // of Multisig
	kind   Kind
	inner  []byte // the script that the output is a hash of, if it is one
	script []byte
}

// NewKey returns the key with that number.
func NewKey(kind Kind, number int) *Key {
	k := &Key{kind: kind, priv: private("key", number), second: private("second key", number)}
	k.inner = k.makeInner()
	k.script = k.makeScript()
	return k
}

func private(name string, number int) *btcec.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "chaintest %s %d", name, number))
	priv, _ := btcec.PrivKeyFromBytes(seed[:])
	return priv
}

// Script is the output script that pays to the key. It is shared.
func (k *Key) Script() []byte { return k.script }

func (k *Key) makeInner() []byte {
	pub := k.priv.PubKey()
	switch k.kind {
	case P2SH, P2WSH:
		return build(pub.SerializeCompressed(), txscript.OP_CHECKSIG)
	case P2TRScript:
		return build(schnorr.SerializePubKey(pub), txscript.OP_CHECKSIG)
	case P2SHP2WPKH:
		return build(txscript.OP_0, address.Hash160(pub.SerializeCompressed()))
	}
	return nil
}

func (k *Key) makeScript() []byte {
	pub := k.priv.PubKey()
	compressed := pub.SerializeCompressed()
	switch k.kind {
	case P2PK:
		return build(compressed, txscript.OP_CHECKSIG)
	case P2PKH:
		return build(txscript.OP_DUP, txscript.OP_HASH160, address.Hash160(compressed), txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	case Multisig:
		return build(txscript.OP_2, compressed, k.second.PubKey().SerializeCompressed(), txscript.OP_2, txscript.OP_CHECKMULTISIG)
	case P2SH, P2SHP2WPKH:
		return build(txscript.OP_HASH160, address.Hash160(k.inner), txscript.OP_EQUAL)
	case P2WPKH:
		return build(txscript.OP_0, address.Hash160(compressed))
	case P2WSH:
		hash := sha256.Sum256(k.inner)
		return build(txscript.OP_0, hash[:])
	case P2TR:
		return build(txscript.OP_1, schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(pub)))
	case P2TRScript:
		root := txscript.NewBaseTapLeaf(k.inner).TapHash()
		return build(txscript.OP_1, schnorr.SerializePubKey(txscript.ComputeTaprootOutputKey(pub, root[:])))
	}
	return AnyoneCanSpend()
}

// build makes a script of opcodes and pushed bytes.
func build(parts ...any) []byte {
	b := txscript.NewScriptBuilder()
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b.AddOp(byte(part))
		case []byte:
			b.AddData(part)
		}
	}
	script, err := b.Script()
	if err != nil {
		panic(fmt.Sprintf("chaintest: script: %v", err))
	}
	return script
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

// Resign signs tx, which spends one output of key, again after a change.
func Resign(tx *wire.MsgTx, key *Key, from Output) *wire.MsgTx {
	tx = tx.Copy()
	prev := txscript.NewCannedPrevOutputFetcher(key.Script(), from.Amount)
	if err := key.sign(tx, 0, from.Amount, txscript.NewTxSigHashes(tx, prev)); err != nil {
		panic(fmt.Sprintf("chaintest: sign: %v", err))
	}
	return tx
}

// sign makes input i of tx, which spends an output of k, valid.
func (k *Key) sign(tx *wire.MsgTx, i int, amount int64, hashes *txscript.TxSigHashes) (err error) {
	in := tx.TxIn[i]
	switch k.kind {
	case P2PK, P2PKH, P2SH, Multisig:
		in.SignatureScript, err = k.signLegacy(tx, i)
	case P2SHP2WPKH:
		in.SignatureScript = build(k.inner)
		in.Witness, err = txscript.WitnessSignature(tx, hashes, i, amount, k.inner, txscript.SigHashAll, k.priv, true)
	case P2WPKH:
		in.Witness, err = txscript.WitnessSignature(tx, hashes, i, amount, k.script, txscript.SigHashAll, k.priv, true)
	case P2WSH:
		var sig []byte
		sig, err = txscript.RawTxInWitnessSignature(tx, hashes, i, amount, k.inner, txscript.SigHashAll, k.priv)
		in.Witness = wire.TxWitness{sig, k.inner}
	case P2TR:
		in.Witness, err = txscript.TaprootWitnessSignature(tx, hashes, i, amount, k.script, txscript.SigHashDefault, k.priv)
	case P2TRScript:
		in.Witness, err = k.signLeaf(tx, i, amount, hashes)
	default:
		in.Witness = wire.TxWitness{anyoneScript}
	}
	return err
}

// signLegacy signs where no witness is involved.
func (k *Key) signLegacy(tx *wire.MsgTx, i int) ([]byte, error) {
	code := k.script
	if k.kind == P2SH {
		code = k.inner
	}
	sig, err := txscript.RawTxInSignature(tx, i, code, txscript.SigHashAll, k.priv)
	if err != nil {
		return nil, err
	}
	switch k.kind {
	case P2PKH:
		return build(sig, k.priv.PubKey().SerializeCompressed()), nil
	case P2SH:
		return build(sig, k.inner), nil
	case Multisig:
		second, err := txscript.RawTxInSignature(tx, i, code, txscript.SigHashAll, k.second)
		return build(txscript.OP_0, sig, second), err
	}
	return build(sig), nil
}

func (k *Key) signLeaf(tx *wire.MsgTx, i int, amount int64, hashes *txscript.TxSigHashes) (wire.TxWitness, error) {
	leaf := txscript.NewBaseTapLeaf(k.inner)
	sig, err := txscript.RawTxInTapscriptSignature(tx, hashes, i, amount, k.script, leaf, txscript.SigHashDefault, k.priv)
	if err != nil {
		return nil, err
	}
	tree := txscript.AssembleTaprootScriptTree(leaf)
	control := tree.LeafMerkleProofs[0].ToControlBlock(k.priv.PubKey())
	path, err := control.ToBytes()
	return wire.TxWitness{sig, k.inner, path}, err
}

// PayAndKeep returns a transaction that spends from, an output of key by, into
// n outputs of key to of that amount each; by keeps the rest in one more.
func PayAndKeep(by *Key, from Output, to *Key, n int, amount int64) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: from.OutPoint, Sequence: wire.MaxTxInSequenceNum})
	for range n {
		tx.AddTxOut(wire.NewTxOut(amount, to.Script()))
	}
	tx.AddTxOut(wire.NewTxOut(from.Amount-int64(n)*amount, by.Script()))
	return Resign(tx, by, from)
}
