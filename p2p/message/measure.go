package message

import (
	"errors"

	"github.com/charterchain/charter/chain/params/scan"
)

// What the decoded form of a transaction's parts takes in memory: the
// struct of package wire, its pointer or slice header, and rounding up by
// the allocator. Bytes of scripts and witnesses come on top.
const (
	memTx      = 192
	memInput   = 128
	memOutput  = 56
	memWitness = 24 // slice header of one witness item
)

// minTx is the least bytes of a transaction: version, counts, locktime.
const minTx = 10

var errTxEnds = errors.New("transaction ends early")

// walker steps over the parts of a transaction without allocating. After
// the first fault it stays at the end.
type walker struct {
	b   []byte
	pos int
	err error
}

func (w *walker) skip(n uint64) {
	if w.err != nil {
		return
	}
	if n > uint64(len(w.b)-w.pos) {
		w.err = errTxEnds
		return
	}
	w.pos += int(n)
}

func (w *walker) varint() uint64 {
	if w.err != nil {
		return 0
	}
	v, n, err := scan.VarInt(w.b[w.pos:])
	if err != nil {
		w.err = err
		return 0
	}
	w.pos += n
	return v
}

// measureTx returns how many bytes the transaction at the front of b takes
// and about how much memory its decoded form needs. It allocates nothing
// and looks at lengths only: scan has the last word on what is between.
func measureTx(b []byte) (size int, mem int64, err error) {
	size, mem, _, err = measureInputs(b)
	return size, mem, err
}

// measureInputs is measureTx with the number of inputs.
func measureInputs(b []byte) (size int, mem int64, inputs uint64, err error) {
	w := walker{b: b}
	w.skip(4)
	witness := w.err == nil && len(b) >= w.pos+2 && b[w.pos] == 0 && b[w.pos+1] == 1
	if witness {
		w.skip(2)
	}
	inputs = w.varint()
	for i := uint64(0); i < inputs && w.err == nil; i++ {
		w.skip(36)
		w.skip(w.varint())
		w.skip(4)
	}
	outputs := w.varint()
	for i := uint64(0); i < outputs && w.err == nil; i++ {
		w.skip(8)
		w.skip(w.varint())
	}
	var items uint64
	if witness {
		for i := uint64(0); i < inputs && w.err == nil; i++ {
			n := w.varint()
			for j := uint64(0); j < n && w.err == nil; j++ {
				w.skip(w.varint())
			}
			items += n
		}
	}
	w.skip(4)
	if w.err != nil {
		return 0, 0, 0, w.err
	}
	// The loops ended without a fault, so every count is below len(b).
	mem = memTx + int64(inputs)*memInput + int64(outputs)*memOutput + int64(items)*memWitness + int64(w.pos)
	return w.pos, mem, inputs, nil
}

// measureBlock returns about how much memory the decoded form of a block
// needs, and how many inputs its transactions have after the first.
func measureBlock(b []byte) (mem int64, inputs int, err error) {
	w := walker{b: b}
	w.skip(80)
	n := w.varint()
	for i := uint64(0); i < n && w.err == nil; i++ {
		size, m, ins, err := measureInputs(b[w.pos:])
		if err != nil {
			return 0, 0, err
		}
		w.skip(uint64(size))
		mem += m
		if i > 0 {
			inputs += int(ins)
		}
	}
	return mem, inputs, w.err
}
