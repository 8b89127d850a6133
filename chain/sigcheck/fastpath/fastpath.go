package fastpath

import (
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Kind says how a signature is checked.
type Kind uint8

const (
	// Schnorr is BIP340.
	Schnorr Kind = iota
	// ECDSA is over SHA-256, as SEC 1 has it; a high s is taken.
	ECDSA
)

// Sig is a signature that has to hold. It shares no memory with anything.
type Sig struct {
	Kind Kind

	// Hash is what was signed: BIP341's for Schnorr, else a double SHA-256,
	// whose bytes are a number with the most significant first.
	Hash [32]byte

	// Key has KeyLen bytes: 32 (x only) for Schnorr, else 33 or 65 as
	// curve.ParsePoint takes them. Whether they are those of a point is not
	// known: if not, the signature does not hold.
	Key    [65]byte
	KeyLen uint8

	// Sig is r then s, each 32 bytes, big endian. For ECDSA both are at
	// least 1 and below the order; for Schnorr they may be any bytes.
	Sig [64]byte
}

// KeyBytes are those bytes of Key that are in use.
func (s *Sig) KeyBytes() []byte { return s.Key[:s.KeyLen] }

// Tx is a transaction and the coins it spends, with what the signatures of
// several inputs have in common. The zero value is ready for Reset. It serves
// one goroutine at a time and keeps its memory from one transaction to the
// next.
type Tx struct {
	tx    *consensus.Tx
	coins []consensus.Coin

	have  uint8 // bit p: parts[p] is computed
	parts [numParts][32]byte

	buf  []byte         // what is about to be hashed
	code [lenP2PKH]byte // the script that a spend of P2WPKH signs

	legacyHasher legacyHasher
	hash160      hash160
}

// keepBytes is the most memory that each buffer of a Tx keeps.
const keepBytes = 1 << 20

// Reset begins with another transaction, which is no coinbase and spends no
// coin twice: coins[i] is that of input i. Neither may change before the next
// Reset.
func (t *Tx) Reset(tx *consensus.Tx, coins []consensus.Coin) {
	t.tx, t.coins, t.have = tx, coins, 0
	t.buf = shrink(t.buf)
	t.legacyHasher.reset()
}

func shrink(b []byte) []byte {
	if cap(b) > keepBytes {
		return nil
	}
	return b[:0]
}

// Input finds what the scripts of input i need to succeed with flags.
//
// ok with no multi: they succeed if all signatures appended to dst hold, and
// fail otherwise. ok with multi: they succeed if multi.Check does, and fail
// otherwise; nothing is appended. Not ok: only the interpreter can tell.
//
// It never says that a script fails: what looks wrong is not ok. It allocates
// nothing but what dst may need to grow, and the multi.
func (t *Tx) Input(i int, flags txscript.ScriptFlags, dst []Sig) (sigs []Sig, multi *Multi, ok bool) {
	if len(t.coins) != len(t.tx.Msg.TxIn) || i < 0 || i >= len(t.coins) || !usable(flags) {
		return dst, nil, false
	}
	in := spend{t: t, i: i, flags: flags, dst: dst}
	if !in.standard() {
		return dst, nil, false
	}
	return in.dst, in.multi, true
}

// knownFlags are those whose effect on each kind of spend was considered.
const knownFlags = txscript.ScriptBip16 |
	txscript.ScriptStrictMultiSig |
	txscript.ScriptDiscourageUpgradableNops |
	txscript.ScriptVerifyCheckLockTimeVerify |
	txscript.ScriptVerifyCheckSequenceVerify |
	txscript.ScriptVerifyCleanStack |
	txscript.ScriptVerifyDERSignatures |
	txscript.ScriptVerifyLowS |
	txscript.ScriptVerifyMinimalData |
	txscript.ScriptVerifyNullFail |
	txscript.ScriptVerifySigPushOnly |
	txscript.ScriptVerifyStrictEncoding |
	txscript.ScriptVerifyWitness |
	txscript.ScriptVerifyDiscourageUpgradeableWitnessProgram |
	txscript.ScriptVerifyMinimalIf |
	txscript.ScriptVerifyWitnessPubKeyType |
	txscript.ScriptVerifyTaproot |
	txscript.ScriptVerifyDiscourageUpgradeableTaprootVersion |
	txscript.ScriptVerifyDiscourageOpSuccess |
	txscript.ScriptVerifyDiscourageUpgradeablePubkeyType |
	txscript.ScriptVerifyConstScriptCode

// usable reports whether the interpreter takes that set of flags, and all of
// them are known.
func usable(flags txscript.ScriptFlags) bool {
	if flags&^knownFlags != 0 {
		return false
	}
	if flags&(txscript.ScriptVerifyWitness|txscript.ScriptVerifyCleanStack) != 0 {
		return flags&txscript.ScriptBip16 != 0
	}
	return true
}
