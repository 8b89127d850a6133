package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// keyring holds the keys of a chain: the n-th secret is base + n.
type keyring struct {
	base btcec.ModNScalar
	one  btcec.JacobianPoint // the generator
}

func newKeyring(seed uint64) *keyring {
	k := new(keyring)
	digest := sha256.Sum256(fmt.Appendf(nil, "charterd bench %d", seed))
	k.base.SetByteSlice(digest[:])
	btcec.ScalarBaseMultNonConst(new(btcec.ModNScalar).SetInt(1), &k.one)
	return k
}

func (k *keyring) scalar(n uint64) *btcec.ModNScalar {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	s := new(btcec.ModNScalar)
	s.SetByteSlice(b[:])
	return s.Add(&k.base)
}

func (k *keyring) secret(n uint64) *btcec.PrivateKey {
	return btcec.PrivKeyFromScalar(k.scalar(n))
}

// publicKeys hands out the public keys from number n on, one by one.
type publicKeys struct {
	k  *keyring
	at btcec.JacobianPoint
}

func (k *keyring) from(n uint64) *publicKeys {
	p := &publicKeys{k: k}
	btcec.ScalarBaseMultNonConst(k.scalar(n), &p.at)
	return p
}

func (p *publicKeys) next() *btcec.PublicKey {
	affine := p.at
	affine.ToAffine()
	var sum btcec.JacobianPoint
	btcec.AddNonConst(&affine, &p.k.one, &sum)
	p.at = sum
	return btcec.NewPublicKey(&affine.X, &affine.Y)
}

// output is a kind of output.
type output uint8

const (
	toTaproot output = iota
	toWitnessKey
	toKeyHash
	toAnyone
)

// outputOf is the kind of output that key n has.
func (k Kind) outputOf(n uint64) output {
	switch k {
	case P2WPKH:
		return toWitnessKey
	case Anyone:
		return toAnyone
	case Mixed:
		return [...]output{toWitnessKey, toTaproot, toWitnessKey, toTaproot, toKeyHash}[n%5]
	}
	return toTaproot
}

// anyoneScript is a witness script that everybody satisfies, another for
// every n.
func anyoneScript(n uint64) []byte {
	script := append(make([]byte, 0, 11), txscript.OP_DATA_8)
	script = binary.LittleEndian.AppendUint64(script, n)
	return append(script, txscript.OP_DROP, txscript.OP_TRUE)
}

// script pays to key n, whose public key is pub (of no meaning for toAnyone).
func (o output) script(n uint64, pub *btcec.PublicKey) []byte {
	switch o {
	case toTaproot:
		return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, schnorr.SerializePubKey(pub)...)
	case toWitnessKey:
		return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, address.Hash160(pub.SerializeCompressed())...)
	case toKeyHash:
		script := append([]byte{txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20}, address.Hash160(pub.SerializeCompressed())...)
		return append(script, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	}
	digest := sha256.Sum256(anyoneScript(n))
	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, digest[:]...)
}

// sign makes the inputs of tx, which spend coins, valid.
func (m *maker) sign(tx *wire.MsgTx, coins []coin) error {
	if m.spec.Kind == Anyone {
		for i, c := range coins {
			tx.TxIn[i].Witness = wire.TxWitness{anyoneScript(c.key)}
		}
		return nil
	}
	secrets := make([]*btcec.PrivateKey, len(coins))
	scripts := make([][]byte, len(coins))
	fetcher := txscript.NewMultiPrevOutFetcher(nil)
	for i, c := range coins {
		secrets[i] = m.keys.secret(c.key)
		scripts[i] = m.spec.Kind.outputOf(c.key).script(c.key, secrets[i].PubKey())
		fetcher.AddPrevOut(c.at, wire.NewTxOut(c.amount, scripts[i]))
	}
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, c := range coins {
		if err := signInput(tx, i, c, scripts[i], secrets[i], hashes, fetcher); err != nil {
			return fmt.Errorf("sign input %d: %w", i, err)
		}
	}
	return nil
}

func signInput(tx *wire.MsgTx, i int, c coin, script []byte, secret *btcec.PrivateKey, hashes *txscript.TxSigHashes, fetcher txscript.PrevOutputFetcher) error {
	in := tx.TxIn[i]
	switch {
	case txscript.IsPayToTaproot(script):
		digest, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, tx, i, fetcher)
		if err != nil {
			return err
		}
		sig, err := schnorr.Sign(secret, digest, schnorr.FastSign())
		if err != nil {
			return err
		}
		in.Witness = wire.TxWitness{sig.Serialize()}
		return nil
	case txscript.IsPayToWitnessPubKeyHash(script):
		digest, err := txscript.CalcWitnessSigHash(script, hashes, txscript.SigHashAll, tx, i, c.amount)
		if err != nil {
			return err
		}
		sig := append(ecdsa.Sign(secret, digest).Serialize(), byte(txscript.SigHashAll))
		in.Witness = wire.TxWitness{sig, secret.PubKey().SerializeCompressed()}
		return nil
	}
	digest, err := txscript.CalcSignatureHash(script, txscript.SigHashAll, tx, i)
	if err != nil {
		return err
	}
	sig := append(ecdsa.Sign(secret, digest).Serialize(), byte(txscript.SigHashAll))
	in.SignatureScript, err = txscript.NewScriptBuilder().AddData(sig).AddData(secret.PubKey().SerializeCompressed()).Script()
	return err
}
