package sigcheck

import (
	"bytes"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck/curve"
)

const (
	// knownKeys is how many keys of a script are tried with its signature.
	knownKeys = 2

	// knownEntries is enough for the inputs of a transaction, which are
	// looked at one after the other.
	knownEntries = 4
)

// known gives the interpreter a signature cache with the signature that it
// will probably ask for first, if that is easy to find and holds: by package
// curve it takes a fifth of the time. All that is in the cache holds, whatever
// was guessed about the script; what is not the interpreter checks itself.
// nil: none was found.
//
// Only spends of witness scripts, of version 0 and 1, are looked at.
func (t *txScripts) known(v *curve.Verifier, input int) *txscript.SigCache {
	witness, coin := t.tx.Msg.TxIn[input].Witness, &t.coins[input]
	switch {
	case len(coin.Script) != 34 || coin.Script[1] != 32 || len(witness) < 2:
		return nil
	case coin.Script[0] == txscript.OP_1:
		return t.knownSchnorr(v, input, witness)
	case coin.Script[0] == txscript.OP_0:
		return t.knownECDSA(v, input, coin, witness)
	}
	return nil
}

// knownSchnorr looks at a spend of a tapscript.
func (t *txScripts) knownSchnorr(v *curve.Verifier, input int, witness wire.TxWitness) *txscript.SigCache {
	var options []txscript.TaprootSigHashOption
	if last := witness[len(witness)-1]; len(last) > 0 && last[0] == txscript.TaprootAnnexTag {
		witness, options = witness[:len(witness)-1], append(options, txscript.WithAnnex(last))
	}
	if len(witness) < 3 {
		return nil
	}
	script, items := witness[len(witness)-2], witness[:len(witness)-2]
	for i := len(items) - 1; i >= 0; i-- {
		sig, hashType := items[i], txscript.SigHashDefault
		switch len(sig) {
		case 65:
			hashType = txscript.SigHashType(sig[64])
		case 64:
		default:
			continue
		}
		hash, err := txscript.CalcTapscriptSignaturehash(t.hashes, hashType, t.tx.Msg, input, t.fetcher, txscript.NewBaseTapLeaf(script), options...)
		if err != nil {
			return nil
		}
		for _, key := range signingKeys(script, 32) {
			if v.Schnorr([32]byte(hash), [32]byte(key), [64]byte(sig[:64])) {
				return knowing(hash, sig, key)
			}
		}
		return nil
	}
	return nil
}

// knownECDSA looks at a spend of a P2WSH.
func (t *txScripts) knownECDSA(v *curve.Verifier, input int, coin *consensus.Coin, witness wire.TxWitness) *txscript.SigCache {
	script, items := witness[len(witness)-1], witness[:len(witness)-1]
	for i := len(items) - 1; i >= 0; i-- {
		if len(items[i]) < 9 || len(items[i]) > 73 || items[i][0] != 0x30 {
			continue
		}
		der, hashType := items[i][:len(items[i])-1], txscript.SigHashType(items[i][len(items[i])-1])
		sig, err := ecdsa.ParseDERSignature(der)
		if err != nil {
			continue
		}
		hash, err := txscript.CalcWitnessSigHash(script, t.hashes, hashType, t.tx.Msg, input, coin.Amount)
		if err != nil {
			return nil
		}
		a, b := sig.R(), sig.S()
		aBytes, bBytes := a.Bytes(), b.Bytes()
		r, _ := curve.ParseScalar(&aBytes)
		s, _ := curve.ParseScalar(&bBytes)
		for _, key := range signingKeys(script, 33) {
			if p, ok := curve.ParsePoint(key); ok && v.ECDSA([32]byte(hash), &p, r, s) {
				return knowing(hash, der, key)
			}
		}
		return nil
	}
	return nil
}

// knowing makes a cache with a signature that holds. It keeps copies: the
// interpreter compares bytes.
func knowing(hash, sig, key []byte) *txscript.SigCache {
	cache := txscript.NewSigCache(knownEntries)
	cache.Add(chainhash.Hash(hash), bytes.Clone(sig), bytes.Clone(key))
	return cache
}

// signingKeys gives the first few keys of the length in a script that an
// operation that checks one signature follows.
func signingKeys(script []byte, length int) (keys [][]byte) {
	var before []byte
	for tokens := txscript.MakeScriptTokenizer(0, script); len(keys) < knownKeys && tokens.Next(); {
		switch tokens.Opcode() {
		case txscript.OP_CHECKSIG, txscript.OP_CHECKSIGVERIFY, txscript.OP_CHECKSIGADD:
			if len(before) == length {
				keys = append(keys, before)
			}
		}
		before = tokens.Data()
	}
	return keys
}
