package record

import (
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Kind is a standard kind of output script that can be an identity.
type Kind uint8

// The kinds of identities.
const (
	P2PKH Kind = 1 + iota
	P2SH
	P2WPKH
	P2WSH
	P2TR
)

// String names the kind as people write it.
func (k Kind) String() string {
	list := [...]string{"P2PKH", "P2SH", "P2WPKH", "P2WSH", "P2TR"}
	if k < P2PKH || k > P2TR {
		return "unknown"
	}
	return list[k-1]
}

// Identity returns the kind of a script that can be an identity. It looks at
// the form only: the program of a P2TR script need not be a key.
func Identity(script []byte) (Kind, bool) {
	switch {
	case txscript.IsPayToTaproot(script):
		return P2TR, true
	case txscript.IsPayToWitnessPubKeyHash(script):
		return P2WPKH, true
	case txscript.IsPayToWitnessScriptHash(script):
		return P2WSH, true
	case txscript.IsPayToPubKeyHash(script):
		return P2PKH, true
	case txscript.IsPayToScriptHash(script):
		return P2SH, true
	}
	return 0, false
}

// KeyScript returns the P2TR script of an x-only key: the identity that signs
// with it.
func KeyScript(key [32]byte) []byte {
	return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, key[:]...)
}

// ScriptKey returns the x-only key of a P2TR script.
func ScriptKey(script []byte) (key [32]byte, ok bool) {
	if !txscript.IsPayToTaproot(script) {
		return key, false
	}
	return [32]byte(script[2:]), true
}

// Speaks reports whether an input speaks for the identity of the coin it
// spends: a P2TR coin spent by key, with nothing but a signature over the
// whole transaction (no annex, SIGHASH_DEFAULT or SIGHASH_ALL). That the
// signature is good is for the script engine.
func Speaks(in *wire.TxIn, coin *consensus.Coin) bool {
	if len(in.SignatureScript) != 0 || len(in.Witness) != 1 || !txscript.IsPayToTaproot(coin.Script) {
		return false
	}
	sig := in.Witness[0]
	switch len(sig) {
	case schnorr.SignatureSize:
		return true
	case schnorr.SignatureSize + 1:
		return sig[schnorr.SignatureSize] == byte(txscript.SigHashAll)
	}
	return false
}

// paysNothingTo reports whether tx has an authority output to the script.
func paysNothingTo(tx *wire.MsgTx, script []byte) bool {
	return slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool {
		return out.Value == 0 && string(out.PkScript) == string(script)
	})
}
