package message

import (
	"bytes"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// Tx carries one transaction with its witness; the payload is the
// transaction and nothing else.
type Tx struct {
	Tx *wire.MsgTx

	// Raw, where set, is sent as it is and Tx is not looked at. Decode sets
	// it, and not Tx: the bytes of exactly one transaction as scan.Tx wants
	// it, in memory of their own.
	Raw []byte
}

// Type returns TypeTx.
func (*Tx) Type() Type { return TypeTx }

func (m *Tx) encode(w *writer) {
	switch {
	case m.Raw != nil:
		w.b = m.Raw
	case m.Tx == nil:
		w.fail("tx", "is missing")
	default:
		w.b = make([]byte, 0, m.Tx.SerializeSize())
		encodeMsgTx(w, m.Tx)
	}
}

func decodeTx(r *reader) Message {
	raw := takeTx(r)
	if r.err != nil {
		return nil
	}
	if err := scan.Tx(raw); err != nil {
		r.fail("tx", "transaction: %v", err)
		return nil
	}
	return &Tx{Raw: bytes.Clone(raw)}
}

// Block carries one block with witnesses; the payload is the block and
// nothing else.
type Block struct {
	Block *wire.MsgBlock

	// Raw, where set, is sent as it is and Block is not looked at, so a
	// block goes from disk to a peer without being decoded. Decode sets it,
	// and not Block: the bytes of exactly one block as scan.Block wants it,
	// in memory of their own, so that they are decoded where it suits.
	Raw []byte
}

// Type returns TypeBlock.
func (*Block) Type() Type { return TypeBlock }

func (m *Block) encode(w *writer) {
	switch {
	case m.Raw != nil:
		w.b = m.Raw
	case m.Block == nil:
		w.fail("block", "is missing")
	default:
		w.b = make([]byte, 0, m.Block.SerializeSize())
		if err := m.Block.Serialize(w); err != nil {
			w.fail("block", "%v", err)
		}
	}
}

func decodeBlock(r *reader) Message {
	if _, ok := measureBody(r); !ok {
		return nil
	}
	return &Block{Raw: takeBody(r)}
}

// measureBody takes memory for the block that fills the rest of the payload.
// It returns the number of its inputs after the coinbase's.
func measureBody(r *reader) (inputs int, ok bool) {
	if r.err != nil {
		return 0, false
	}
	mem, inputs, err := measureBlock(r.b)
	if err != nil {
		r.fail("block", "%v", err)
		return 0, false
	}
	return inputs, r.reserve(mem)
}

// takeBody returns a copy of the block that fills the rest of the payload,
// after measureBody.
func takeBody(r *reader) []byte {
	b := r.rest()
	if err := scan.Block(b, &r.l.chain); err != nil {
		r.fail("block", "block: %v", err)
		return nil
	}
	return bytes.Clone(b)
}

func encodeMsgTx(w *writer, tx *wire.MsgTx) {
	if tx == nil {
		w.fail("tx", "is missing")
		return
	}
	if err := tx.Serialize(w); err != nil {
		w.fail("tx", "%v", err)
	}
}

// decodeMsgTx reads a transaction that other fields may follow. It returns
// nil after a fault.
func decodeMsgTx(r *reader) *wire.MsgTx {
	raw := takeTx(r)
	if r.err != nil {
		return nil
	}
	tx, err := scan.DecodeTx(raw)
	if err != nil {
		r.fail("tx", "%v", err)
		return nil
	}
	return tx
}

// takeTx returns the part of the payload that is as long as the next
// transaction, after it took memory for its decoded form.
func takeTx(r *reader) []byte {
	if r.err != nil {
		return nil
	}
	size, mem, err := measureTx(r.b)
	if err != nil {
		r.fail("tx", "%v", err)
		return nil
	}
	if !r.reserve(mem) {
		return nil
	}
	return r.take("tx", size)
}

// maxTxs is the largest number of transactions in a block.
func (l *Limits) maxTxs() int { return min(l.chain.BlockTxs, maxBlockTxs) }
