package fastpath

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
)

// FuzzAgainstInterpreter makes a valid spend of some kind, changes it before
// and after it is signed, and asks both by any set of flags. If the fast path
// takes it, both must agree; and it has to take what was not changed.
//
// shape is the kind: its bytes are read by shaped. edits has four bytes for
// each change: what, how, where, and with which value.
func FuzzAgainstInterpreter(f *testing.F) {
	for kind := range 9 * 4 {
		shape := []byte{byte(kind % 9), byte(kind / 9), byte(kind / 2), 3, 5, 1, 3, 2, 1}
		flags := flagSets()[kind%len(flagSets())]
		f.Add(shape, []byte{}, uint32(flags))
		for target := range byte(numTargets) {
			f.Add(shape, []byte{target, byte(kind), byte(kind * 5), byte(kind * 7)}, uint32(flags))
		}
	}
	f.Add([]byte{0, 1, 0, 0, 0, 0x83, 2, 1, 1}, []byte{}, uint32(allPolicy))
	f.Add([]byte{3, 2, 0, 15, 0xff, 3, 2, 2, 0}, []byte{targetSig, 6, 0, 0}, uint32(allConsensus))
	f.Fuzz(func(t *testing.T, shape, edits []byte, flagBits uint32) {
		// Any set of flags, or with the highest bit one of those in use.
		flags := txscript.ScriptFlags(flagBits)
		if flagBits>>31 != 0 {
			flags = flagSets()[flagBits%uint32(len(flagSets()))]
		}
		forge := shaped(shape)
		edits = edits[:min(len(edits), 32)&^3]
		m := forge.edited(edits).make(t)
		m.edit(edits)

		ok, accepted := agree(t, m, flags)
		if len(edits) == 0 && forge.standard() && usable(flags) && flags&forge.form.needs() == forge.form.needs() && !(ok && accepted) {
			t.Fatalf("flags %s: taken %v, accepted %v: %+v", flagNames(flags), ok, accepted, forge)
		}
	})
}

// shaped makes a forge of any bytes.
func shaped(shape []byte) forge {
	var b [16]byte
	copy(b[:], shape)
	fields := sha256.Sum256(shape)
	f := forge{
		form:     form(b[0] % byte(numForms)),
		asks:     asks(b[1] % byte(numAsks)),
		n:        int(b[3] % (maxKeys + 2)),
		hashType: b[5],
		inputs:   int(b[6]%5) + 1,
		outputs:  int(b[7] % 5),
		fields:   binary.LittleEndian.Uint64(fields[:]),
	}
	if b[2] >= 0xf0 {
		f.keys = keyForm(b[2] % byte(numKeyForms))
	}
	f.at = int(b[8]) % f.inputs
	signers := uint32(b[4]) | uint32(b[9])<<8 | uint32(b[10])<<16
	for i := range f.n {
		if signers>>i&1 != 0 {
			f.signers = append(f.signers, i)
		}
	}
	if f.form != p2tr && b[12] >= 0xc0 {
		f.types = b[13:16]
	}
	if b[11] >= 0xf0 {
		slices.Reverse(f.signers)
	}
	return f
}

// standard reports whether the fast path has to take the spend.
func (f forge) standard() bool {
	asksMulti := f.asks == multi && f.form < p2wpkh
	switch {
	case f.types != nil, f.keys != compressed || f.form.segwit() && f.form < p2wpkh && !asksMulti || f.form == p2sh && !asksMulti:
		return false
	case f.form == p2tr:
		return f.hashType == 0 || definedHashType(f.hashType) && (f.hashType&3 != 3 || f.at < f.outputs)
	case asksMulti && (len(f.signers) == 0 || f.n > maxKeys || f.form == p2sh && f.n > 15 || !slices.IsSorted(f.signers)):
		return false
	case f.form.segwit():
		return f.hashType == 0 || definedHashType(f.hashType)
	}
	return f.hashType <= 1
}

// What an edit changes. The first three are changed before the signature is
// made, or before the scripts are.
const (
	targetCode = iota
	targetSig
	targetPush
	targetCoin
	targetItem // of the witness
	targetStack
	targetTx
	numTargets
)

// edited has the edits that come before the spend is complete as hooks.
func (f forge) edited(edits []byte) forge {
	for e := range slices.Chunk(edits, 4) {
		how := func(b []byte) []byte { return editBytes(b, e[1], e[2], e[3]) }
		switch e[0] % numTargets {
		case targetCode:
			f.code = chain(f.code, how)
		case targetPush:
			f.push = chain(f.push, how)
		case targetSig:
			before := f.sig
			f.sig = func(i int, sig []byte) []byte {
				if before != nil {
					sig = before(i, sig)
				}
				if i%4 == int(e[2]>>6) {
					sig = editSig(sig, e[1], e[2]&0x3f, e[3])
				}
				return sig
			}
		}
	}
	return f
}

func chain(first, then func([]byte) []byte) func([]byte) []byte {
	if first == nil {
		return then
	}
	return func(b []byte) []byte { return then(first(b)) }
}

// edit makes the edits of the finished spend.
func (m *made) edit(edits []byte) {
	for e := range slices.Chunk(edits, 4) {
		in := m.in()
		items := in.Witness
		switch e[0] % numTargets {
		case targetCoin:
			m.coins[m.at].Script = editBytes(m.coins[m.at].Script, e[1], e[2], e[3])
		case targetItem:
			if len(items) > 0 {
				i := int(e[1]>>4) % len(items)
				items[i] = editBytes(items[i], e[1]&15, e[2], e[3])
			}
		case targetStack:
			if len(items) > 0 {
				m.editStack(int(e[2])%len(items), int(e[3])%len(items), e[1])
			}
		case targetTx:
			m.editTx(e[1], e[2], e[3])
		}
	}
}

// editStack drops, doubles or swaps items of the witness, or adds one.
func (m *made) editStack(i, j int, how byte) {
	in := m.in()
	items := in.Witness
	switch how % 5 {
	case 0:
		in.Witness = slices.Delete(items, i, i+1)
	case 1:
		in.Witness = slices.Insert(items, j, items[i])
	case 2:
		items[i], items[j] = items[j], items[i]
	case 3:
		in.Witness = append(items, []byte{txscript.TaprootAnnexTag, byte(i)})
	case 4:
		in.Witness = nil
	}
}

func (m *made) editTx(how, where, value byte) {
	switch msg, in := m.msg, m.in(); how % 8 {
	case 0:
		msg.Version ^= int32(value) << (where % 25)
	case 1:
		msg.LockTime ^= uint32(value) << (where % 25)
	case 2:
		in.Sequence ^= uint32(value) << (where % 25)
	case 3:
		m.coins[int(where)%len(m.coins)].Amount ^= int64(value)
	case 4:
		msg.TxOut = msg.TxOut[:int(where)%(len(msg.TxOut)+1)]
	case 5:
		if len(msg.TxOut) > 0 {
			msg.TxOut[int(where)%len(msg.TxOut)].Value ^= int64(value)
		}
	case 6:
		in.Witness = append(in.Witness, make([]byte, value))
	case 7: // a script and a witness change places
		if len(in.Witness) > 0 {
			in.SignatureScript, in.Witness[0] = in.Witness[0], in.SignatureScript
		}
	}
}

// editBytes returns changed bytes.
func editBytes(b []byte, how, where, value byte) []byte {
	b = slices.Clone(b)
	at := int(where) % (len(b) + 1)
	switch how % 7 {
	case 0:
		if at < len(b) {
			b[at] ^= value
		}
	case 1:
		b = slices.Insert(b, at, value)
	case 2:
		if at < len(b) {
			b = slices.Delete(b, at, at+1)
		}
	case 3:
		b = b[:at]
	case 4:
		b = append(b, value)
	case 5:
		b = slices.Insert(b, 0, value)
	case 6: // a push in one form of several, when the value is small
		if len(b) > 0 {
			b = slices.Insert(b, 0, [][]byte{{txscript.OP_PUSHDATA1}, {txscript.OP_PUSHDATA2, b[0]}, {0}, {txscript.OP_NOP}}[value%4]...)
		}
	}
	return b
}

// editSig changes a signature so that it can still be valid, or any how.
func editSig(sig []byte, how, where, value byte) []byte {
	if how%8 < 4 || len(sig) == 0 {
		return editBytes(sig, how, where, value)
	}
	asAll := append(slices.Clone(sig[:len(sig)-1]), byte(txscript.SigHashAll))
	if _, _, ok := parseECDSA(asAll, false); !ok {
		return editBytes(sig, how, where, value)
	}
	switch how % 8 {
	case 4:
		return highS(0, sig)
	case 5:
		return rewrite(sig, nil, make([]byte, 1+value%3), nil)
	case 6:
		return rewrite(sig, nil, nil, make([]byte, 1+value%3))
	}
	return append(sig[:len(sig)-1], value) // another hash type
}
