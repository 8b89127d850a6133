package scan

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/internal/form"
)

// Decoder hands out the transactions of a block, or a single transaction, in
// order. Their inputs, outputs and witnesses lie in a few slabs, whatever
// their number, and their scripts and witness items are parts of the decoded
// bytes: these must not change as long as anything decoded is in use, and
// stay in memory as long as any of it does. No part has room behind it, so
// appending to one never writes into another.
//
// What comes out is what wire decodes, down to which empty slices are nil. A
// Decoder is for one goroutine.
type Decoder struct {
	raw  []byte
	pos  int
	left int // transactions to come

	// What is left of each slab.
	ins    []wire.TxIn
	toIns  []*wire.TxIn
	outs   []wire.TxOut
	toOuts []*wire.TxOut
	items  [][]byte
}

// Span says where in the decoded bytes a transaction lies.
type Span struct {
	Start int // of the version
	End   int // after the lock time

	// Witness is where the witnesses start. 0: there are none, nor a marker.
	Witness int
}

// OpenTx checks raw as Tx does and makes its transaction ready for Next.
func OpenTx(raw []byte) (Decoder, error) {
	seen, err := form.Tx(raw)
	if err != nil {
		return Decoder{}, fmt.Errorf("transaction: %w", err)
	}
	return newDecoder(raw, 0, seen), nil
}

// OpenBlock checks raw as Block does and makes its transactions ready for
// Next. The header is the first HeaderSize bytes.
func OpenBlock(raw []byte, l *params.Limits) (Decoder, error) {
	seen, err := form.Block(raw, blockLimit(l))
	if err != nil {
		return Decoder{}, fmt.Errorf("block: %w", err)
	}
	_, n, err := form.VarInt(raw[HeaderSize:])
	if err != nil {
		return Decoder{}, fmt.Errorf("block: %w", err)
	}
	return newDecoder(raw, HeaderSize+n, seen), nil
}

func newDecoder(raw []byte, pos int, seen form.Counts) Decoder {
	return Decoder{
		raw: raw, pos: pos, left: seen.Txs,
		ins: make([]wire.TxIn, seen.Inputs), toIns: make([]*wire.TxIn, seen.Inputs),
		outs: make([]wire.TxOut, seen.Outputs), toOuts: make([]*wire.TxOut, seen.Outputs),
		items: make([][]byte, seen.Items),
	}
}

// Left is the number of transactions still to come.
func (d *Decoder) Left() int { return d.left }

// Next decodes the next transaction into tx. There must be one (Left).
func (d *Decoder) Next(tx *wire.MsgTx) Span {
	d.left--
	span := Span{Start: d.pos}
	tx.Version = int32(d.uint32())
	witness := d.raw[d.pos] == 0 // the marker: there are inputs
	if witness {
		d.pos += 2
	}
	tx.TxIn = d.inputs()
	tx.TxOut = d.outputs()
	if witness {
		span.Witness = d.pos
		for _, in := range tx.TxIn {
			in.Witness = d.witness()
		}
	}
	tx.LockTime = d.uint32()
	span.End = d.pos
	return span
}

func (d *Decoder) inputs() []*wire.TxIn {
	n := d.varInt()
	ins, list := d.ins[:n:n], d.toIns[:n:n]
	d.ins, d.toIns = d.ins[n:], d.toIns[n:]
	for i := range ins {
		in := &ins[i]
		list[i] = in
		in.PreviousOutPoint.Hash = [32]byte(d.raw[d.pos:])
		d.pos += 32
		in.PreviousOutPoint.Index = d.uint32()
		in.SignatureScript = d.bytes()
		in.Sequence = d.uint32()
	}
	return list
}

func (d *Decoder) outputs() []*wire.TxOut {
	n := d.varInt()
	outs, list := d.outs[:n:n], d.toOuts[:n:n]
	d.outs, d.toOuts = d.outs[n:], d.toOuts[n:]
	for i := range outs {
		out := &outs[i]
		list[i] = out
		out.Value = int64(binary.LittleEndian.Uint64(d.raw[d.pos:]))
		d.pos += 8
		out.PkScript = d.bytes()
	}
	return list
}

func (d *Decoder) witness() wire.TxWitness {
	n := d.varInt()
	items := d.items[:n:n]
	d.items = d.items[n:]
	for i := range items {
		items[i] = d.bytes()
	}
	return items
}

// bytes returns a length and as many bytes.
func (d *Decoder) bytes() []byte {
	n := d.varInt()
	end := d.pos + n
	b := d.raw[d.pos:end:end]
	d.pos = end
	return b
}

func (d *Decoder) uint32() uint32 {
	v := binary.LittleEndian.Uint32(d.raw[d.pos:])
	d.pos += 4
	return v
}

// varInt reads an integer that the walk over all bytes has found good, so
// that it is a number of things within them.
func (d *Decoder) varInt() int {
	if first := d.raw[d.pos]; first < 0xfd {
		d.pos++
		return int(first)
	}
	return d.longVarInt()
}

func (d *Decoder) longVarInt() int {
	b := d.raw[d.pos+1:]
	switch d.raw[d.pos] {
	case 0xfd:
		d.pos += 3
		return int(binary.LittleEndian.Uint16(b))
	case 0xfe:
		d.pos += 5
		return int(binary.LittleEndian.Uint32(b))
	}
	panic("scan: a count beyond 32 bits passed the walk")
}
