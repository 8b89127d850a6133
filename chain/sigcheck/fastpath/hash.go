package fastpath

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// tapSighashTag is the SHA-256 of BIP341's tag "TapSighash".
const tapSighashTag = "\xf4\x0a\x48\xdf\x4b\x2a\x70\xc8\xb4\x92\x4b\xf2\x65\x46\x61\xed" +
	"\x3d\x95\xfd\x66\xa3\x13\xeb\x87\x23\x75\x97\xc6\x28\xe4\xa0\x31"

// part is a hash over all inputs, coins or outputs of a transaction. BIP341
// signs the first five; BIP143 signs the hashes of the first three.
type part uint8

const (
	prevouts part = iota
	sequences
	outputs
	amounts
	scripts
	prevoutsTwice
	sequencesTwice
	outputsTwice
	numParts
)

// part computes a part once. It uses t.buf.
func (t *Tx) part(p part) *[32]byte {
	if t.have&(1<<p) == 0 {
		switch p {
		case prevoutsTwice, sequencesTwice, outputsTwice:
			t.parts[p] = sha256.Sum256(t.part(p - prevoutsTwice)[:])
		default:
			t.buf = t.appendPart(t.buf[:0], p)
			t.parts[p] = sha256.Sum256(t.buf)
		}
		t.have |= 1 << p
	}
	return &t.parts[p]
}

// appendPart appends what the part p is the hash of.
func (t *Tx) appendPart(b []byte, p part) []byte {
	msg := t.tx.Msg
	switch p {
	case prevouts:
		for _, in := range msg.TxIn {
			b = appendOutPoint(b, &in.PreviousOutPoint)
		}
	case sequences:
		for _, in := range msg.TxIn {
			b = binary.LittleEndian.AppendUint32(b, in.Sequence)
		}
	case outputs:
		for _, out := range msg.TxOut {
			b = appendOutput(b, out.Value, out.PkScript)
		}
	case amounts:
		for i := range t.coins {
			b = binary.LittleEndian.AppendUint64(b, uint64(t.coins[i].Amount))
		}
	case scripts:
		for i := range t.coins {
			b = appendBytes(b, t.coins[i].Script)
		}
	}
	return b
}

// bip341 is the hash that a spend by the output key signs. It is not ok for
// SINGLE without an output. hashType is 0 or defined.
//
// Source: BIP341, common signature message, with ext_flag 0 and no annex.
func (t *Tx) bip341(i int, hashType byte) (hash [32]byte, ok bool) {
	msg := t.tx.Msg
	anyone := hashType&byte(txscript.SigHashAnyOneCanPay) != 0
	base := hashType &^ byte(txscript.SigHashAnyOneCanPay)
	all := base == byte(txscript.SigHashDefault) || base == byte(txscript.SigHashAll)
	single := base == byte(txscript.SigHashSingle)
	if single && i >= len(msg.TxOut) {
		return hash, false
	}
	// The parts come first, since they use the buffer too.
	if !anyone {
		for _, p := range [...]part{prevouts, amounts, scripts, sequences} {
			t.part(p)
		}
	}
	var signed [32]byte
	if all {
		signed = *t.part(outputs)
	} else if single {
		signed = t.outputHash(i)
	}
	b := append(t.buf[:0], tapSighashTag+tapSighashTag...)
	b = append(b, 0, hashType) // epoch
	b = binary.LittleEndian.AppendUint32(b, uint32(msg.Version))
	b = binary.LittleEndian.AppendUint32(b, msg.LockTime)
	if !anyone {
		b = append(b, t.parts[prevouts][:]...)
		b = append(b, t.parts[amounts][:]...)
		b = append(b, t.parts[scripts][:]...)
		b = append(b, t.parts[sequences][:]...)
	}
	if all {
		b = append(b, signed[:]...)
	}
	b = append(b, 0) // spend_type
	if anyone {
		in, coin := msg.TxIn[i], &t.coins[i]
		b = appendOutPoint(b, &in.PreviousOutPoint)
		b = appendOutput(b, coin.Amount, coin.Script)
		b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	if single {
		b = append(b, signed[:]...)
	}
	t.buf = b
	return sha256.Sum256(b), true
}

// bip143 is the hash that spends of witness programs of version 0 sign.
// hashType is defined.
//
// Source: BIP143.
func (t *Tx) bip143(i int, hashType byte, code []byte) [32]byte {
	msg, in := t.tx.Msg, t.tx.Msg.TxIn[i]
	anyone := hashType&byte(txscript.SigHashAnyOneCanPay) != 0
	base := hashType &^ byte(txscript.SigHashAnyOneCanPay)
	all := base == byte(txscript.SigHashAll)
	var hashPrevouts, hashSequence, hashOutputs [32]byte
	if !anyone {
		hashPrevouts = *t.part(prevoutsTwice)
	}
	if !anyone && all {
		hashSequence = *t.part(sequencesTwice)
	}
	if all {
		hashOutputs = *t.part(outputsTwice)
	} else if base == byte(txscript.SigHashSingle) && i < len(msg.TxOut) {
		hashOutputs = t.outputHash(i)
		hashOutputs = sha256.Sum256(hashOutputs[:])
	}
	b := binary.LittleEndian.AppendUint32(t.buf[:0], uint32(msg.Version))
	b = append(b, hashPrevouts[:]...)
	b = append(b, hashSequence[:]...)
	b = appendOutPoint(b, &in.PreviousOutPoint)
	b = appendBytes(b, code)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.coins[i].Amount))
	b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	b = append(b, hashOutputs[:]...)
	b = binary.LittleEndian.AppendUint32(b, msg.LockTime)
	b = binary.LittleEndian.AppendUint32(b, uint32(hashType))
	t.buf = b
	return doubleHash(b)
}

// outputHash is the SHA-256 of output i. It uses t.buf.
func (t *Tx) outputHash(i int) [32]byte {
	out := t.tx.Msg.TxOut[i]
	t.buf = appendOutput(t.buf[:0], out.Value, out.PkScript)
	return sha256.Sum256(t.buf)
}

func doubleHash(b []byte) [32]byte {
	once := sha256.Sum256(b)
	return sha256.Sum256(once[:])
}

func appendOutPoint(b []byte, op *wire.OutPoint) []byte {
	return binary.LittleEndian.AppendUint32(append(b, op.Hash[:]...), op.Index)
}

func appendOutput(b []byte, amount int64, script []byte) []byte {
	return appendBytes(binary.LittleEndian.AppendUint64(b, uint64(amount)), script)
}

func appendBytes(b, data []byte) []byte {
	return append(appendCompact(b, len(data)), data...)
}

// appendCompact appends n in the variable-length form of the wire format.
func appendCompact(b []byte, n int) []byte {
	switch {
	case n < 0xfd:
		return append(b, byte(n))
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16(append(b, 0xfd), uint16(n))
	default:
		return binary.LittleEndian.AppendUint32(append(b, 0xfe), uint32(n))
	}
}
