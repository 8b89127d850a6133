package fastpath

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"golang.org/x/crypto/ripemd160" //lint:ignore SA1019 the scripts of all coins need it
)

// longTemplate is the size from which the state of the hash is kept between
// inputs: below, it costs more than it saves.
const longTemplate = 2048

// legacyHasher hashes a transaction for each of its inputs in turn. Spends
// outside of witnesses sign all of it, so that n inputs are n hashes of n
// inputs; for inputs that come in order, half of that is spared.
type legacyHasher struct {
	// template is the transaction without the scripts of its inputs, each of
	// which has 41 bytes: outpoint, empty script, sequence. Empty: not built.
	template []byte

	sha   sha256State // nil until it is needed
	upTo  int         // state is that after so many bytes of the template
	state []byte
	short [16]byte // what is written to sha, which would escape
	sum   [32]byte // what is read from it
}

// sha256State is what the standard library's SHA-256 has.
type sha256State interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func (h *legacyHasher) reset() {
	h.template, h.upTo = shrink(h.template), 0
}

// legacy is the hash that spends outside of witnesses sign; ok only for ALL.
// code has no OP_CODESEPARATOR and not the signature.
func (t *Tx) legacy(i int, hashType byte, code []byte) (hash [32]byte, ok bool) {
	if hashType != byte(txscript.SigHashAll) {
		return hash, false
	}
	h := &t.legacyHasher
	if len(h.template) == 0 {
		h.template = appendTemplate(h.template, t.tx.Msg)
	}
	at := 4 + wire.VarIntSerializeSize(uint64(len(t.coins))) + 41*i + 36
	h.begin(at)
	h.sha.Write(appendCompact(h.short[:0], len(code)))
	h.sha.Write(code)
	h.sha.Write(h.template[at+1:])
	h.sha.Write(binary.LittleEndian.AppendUint32(h.short[:0], uint32(hashType)))
	h.sha.Sum(h.sum[:0])
	return sha256.Sum256(h.sum[:]), true
}

// begin makes sha one that has read the template up to a place.
func (h *legacyHasher) begin(at int) {
	if h.sha == nil {
		h.sha = sha256.New().(sha256State)
	}
	if h.upTo == 0 || at < h.upTo {
		h.sha.Reset()
		h.sha.Write(h.template[:at])
	} else {
		if err := h.sha.UnmarshalBinary(h.state); err != nil {
			panic(fmt.Sprintf("fastpath: SHA-256 refuses its own state: %v", err))
		}
		h.sha.Write(h.template[h.upTo:at])
	}
	if len(h.template) < longTemplate {
		return
	}
	state, err := h.sha.AppendBinary(h.state[:0])
	if err != nil {
		panic(fmt.Sprintf("fastpath: SHA-256 does not give its state: %v", err))
	}
	h.state, h.upTo = state, at
}

// appendTemplate appends the transaction without the scripts of its inputs.
func appendTemplate(b []byte, msg *wire.MsgTx) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(msg.Version))
	b = appendCompact(b, len(msg.TxIn))
	for _, in := range msg.TxIn {
		b = appendOutPoint(b, &in.PreviousOutPoint)
		b = append(b, 0)
		b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	}
	b = appendCompact(b, len(msg.TxOut))
	for _, out := range msg.TxOut {
		b = appendOutput(b, out.Value, out.PkScript)
	}
	return binary.LittleEndian.AppendUint32(b, msg.LockTime)
}

// hash160 computes RIPEMD-160 over SHA-256.
type hash160 struct {
	ripemd hash.Hash
	sum    [32]byte // arguments and results of ripemd, which would escape
}

// is reports whether hash is that of data.
func (h *hash160) is(data, hash []byte) bool {
	if h.ripemd == nil {
		h.ripemd = ripemd160.New()
	}
	h.ripemd.Reset()
	h.sum = sha256.Sum256(data)
	h.ripemd.Write(h.sum[:])
	return bytes.Equal(h.ripemd.Sum(h.sum[:0]), hash)
}
