package fastpath

import (
	"bytes"
	"crypto/sha256"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// The lengths of the standard coins' scripts.
const (
	lenP2WPKH = 22 // OP_0, push of 20
	lenP2SH   = 23 // OP_HASH160, push of 20, OP_EQUAL
	lenP2PKH  = 25 // OP_DUP, OP_HASH160, push of 20, OP_EQUALVERIFY, OP_CHECKSIG
	lenP2WSH  = 34 // OP_0, push of 32
	lenP2TR   = 34 // OP_1, push of 32
)

// spend is one input while it is looked at.
type spend struct {
	t     *Tx
	i     int
	flags txscript.ScriptFlags
	dst   []Sig
	multi *Multi

	// The latest hash: the signatures of an input sign the same script.
	hashType byte // 0: none yet
	sum      [32]byte
}

func (s *spend) has(flags txscript.ScriptFlags) bool { return s.flags&flags == flags }

func (s *spend) in() *wire.TxIn { return s.t.tx.Msg.TxIn[s.i] }

// standard adds what the input needs and reports whether that is all.
func (s *spend) standard() bool {
	script := s.t.coins[s.i].Script
	switch {
	case len(script) == lenP2TR && script[0] == txscript.OP_1 && script[1] == txscript.OP_DATA_32:
		return s.taproot(script[2:])
	case isP2WPKH(script), isP2WSH(script):
		return len(s.in().SignatureScript) == 0 && s.witness(script)
	case isP2PKH(script):
		return s.keyHash(script)
	case isP2SH(script):
		return s.scriptHash(script[2:22])
	case isKeyPush(script) && script[len(script)-1] == txscript.OP_CHECKSIG:
		return s.key(script)
	default:
		return s.bareMulti(script)
	}
}

func isP2WPKH(script []byte) bool {
	return len(script) == lenP2WPKH && script[0] == txscript.OP_0 && script[1] == txscript.OP_DATA_20
}

func isP2WSH(script []byte) bool {
	return len(script) == lenP2WSH && script[0] == txscript.OP_0 && script[1] == txscript.OP_DATA_32
}

func isP2PKH(script []byte) bool {
	return len(script) == lenP2PKH && script[0] == txscript.OP_DUP && script[1] == txscript.OP_HASH160 &&
		script[2] == txscript.OP_DATA_20 && script[23] == txscript.OP_EQUALVERIFY && script[24] == txscript.OP_CHECKSIG
}

func isP2SH(script []byte) bool {
	return len(script) == lenP2SH && script[0] == txscript.OP_HASH160 &&
		script[1] == txscript.OP_DATA_20 && script[22] == txscript.OP_EQUAL
}

// isKeyPush reports whether the script is the push of a key and one more
// operation.
func isKeyPush(script []byte) bool {
	return len(script) == 35 && script[0] == txscript.OP_DATA_33 || len(script) == 67 && script[0] == txscript.OP_DATA_65
}

// taproot is a spend by the output key of BIP341, without annex.
func (s *spend) taproot(key []byte) bool {
	in := s.in()
	if !s.has(txscript.ScriptVerifyWitness|txscript.ScriptVerifyTaproot) ||
		len(in.SignatureScript) != 0 || len(in.Witness) != 1 {
		return false
	}
	sig, hashType := in.Witness[0], byte(txscript.SigHashDefault)
	if len(sig) == 65 {
		// The implicit type may not be given as a byte.
		if hashType = sig[64]; !definedHashType(hashType) {
			return false
		}
		sig = sig[:64]
	}
	if len(sig) != 64 {
		return false
	}
	hash, ok := s.t.bip341(s.i, hashType)
	if !ok {
		return false
	}
	s.dst = append(s.dst, Sig{Kind: Schnorr, Hash: hash, KeyLen: 32, Sig: [64]byte(sig)})
	copy(s.dst[len(s.dst)-1].Key[:], key)
	return true
}

// witness is a spend of a program of version 0, by itself or in P2SH.
func (s *spend) witness(program []byte) bool {
	if !s.has(txscript.ScriptVerifyWitness) {
		return false
	}
	items := s.in().Witness
	if isP2WSH(program) {
		if len(items) == 0 {
			return false
		}
		script := items[len(items)-1]
		if !endsMulti(script) {
			return false
		}
		if hash := sha256.Sum256(script); !bytes.Equal(hash[:], program[2:]) {
			return false
		}
		return s.multisig(script, items[:len(items)-1], true)
	}
	if len(items) != 2 || !s.usableKey(items[1], true) || !s.t.hash160.is(items[1], program[2:]) {
		return false
	}
	code := &s.t.code
	code[0], code[1], code[2] = txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20
	copy(code[3:], program[2:])
	code[23], code[24] = txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG
	return s.add(items[0], items[1], code[:], true)
}

// keyHash is a spend of P2PKH.
func (s *spend) keyHash(script []byte) bool {
	sig, rest, ok := cutPush(s.in().SignatureScript)
	key, rest, ok2 := cutPush(rest)
	if !ok || !ok2 || len(rest) != 0 || len(s.in().Witness) != 0 {
		return false
	}
	// A signature that is in the script is cut out of it before hashing.
	// Nobody is known to be able to make such a key.
	if bytes.Equal(sig, script[3:23]) {
		return false
	}
	return s.usableKey(key, false) && s.t.hash160.is(key, script[3:23]) && s.add(sig, key, script, false)
}

// key is a spend of P2PK.
func (s *spend) key(script []byte) bool {
	sig, rest, ok := cutPush(s.in().SignatureScript)
	if !ok || len(rest) != 0 || len(s.in().Witness) != 0 {
		return false
	}
	key := script[1 : len(script)-1]
	return s.usableKey(key, false) && s.add(sig, key, script, false)
}

// scriptHash is a spend of P2SH: a witness program or multisig.
func (s *spend) scriptHash(hash []byte) bool {
	if !s.has(txscript.ScriptBip16) {
		return false
	}
	script := s.in().SignatureScript
	if n := len(script); n == 1+lenP2WPKH && isP2WPKH(script[1:]) || n == 1+lenP2WSH && isP2WSH(script[1:]) {
		return int(script[0]) == n-1 && s.t.hash160.is(script[1:], hash) && s.witness(script[1:])
	}
	var items [maxKeys + 2][]byte
	n, ok := cutStack(script, items[:])
	if !ok || n < 2 || len(s.in().Witness) != 0 {
		return false
	}
	redeem := items[n-1]
	return endsMulti(redeem) && s.t.hash160.is(redeem, hash) && s.multisig(redeem, items[:n-1], false)
}

// bareMulti is a spend of a coin that itself has the keys.
func (s *spend) bareMulti(script []byte) bool {
	var items [maxKeys + 1][]byte
	n, ok := cutStack(s.in().SignatureScript, items[:])
	return ok && len(s.in().Witness) == 0 && s.multisig(script, items[:n], false)
}

// add adds one signature by one key. code is the script that is hashed.
func (s *spend) add(sig, key, code []byte, segwit bool) bool {
	rs, hashType, ok := parseECDSA(sig, s.has(txscript.ScriptVerifyLowS))
	if !ok {
		return false
	}
	hash, ok := s.hash(hashType, code, segwit)
	if !ok {
		return false
	}
	s.dst = append(s.dst, Sig{Kind: ECDSA, Hash: hash, KeyLen: uint8(len(key)), Sig: rs})
	copy(s.dst[len(s.dst)-1].Key[:], key)
	return true
}

// hash is what an ECDSA signature signs. code is the same for all signatures
// of an input.
func (s *spend) hash(hashType byte, code []byte, segwit bool) (hash [32]byte, ok bool) {
	if hashType == s.hashType {
		return s.sum, true
	}
	if segwit {
		hash = s.t.bip143(s.i, hashType, code)
	} else if hash, ok = s.t.legacy(s.i, hashType, code); !ok {
		return hash, false
	}
	s.hashType, s.sum = hashType, hash
	return hash, true
}

// usableKey reports whether key has a form that every set of flags takes.
// Hybrid keys are left out, which few sets do.
func (s *spend) usableKey(key []byte, segwit bool) bool {
	switch {
	case len(key) == 33:
		return key[0] == 2 || key[0] == 3
	case len(key) == 65:
		return key[0] == 4 && !(segwit && s.has(txscript.ScriptVerifyWitnessPubKeyType))
	}
	return false
}
