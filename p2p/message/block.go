package message

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// Tx carries one transaction with its witness; the payload is the
// transaction and nothing else.
type Tx struct {
	Tx *wire.MsgTx

	// Raw, where set, is sent as it is and Tx is not looked at. Decode
	// leaves it nil.
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
	m := &Tx{Tx: decodeMsgTx(r)}
	return m
}

// Block carries one block with witnesses; the payload is the block and
// nothing else.
type Block struct {
	Block *wire.MsgBlock

	// Raw, where set, is sent as it is and Block is not looked at, so a
	// block goes from disk to a peer without being decoded. Decode leaves
	// it nil.
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
	return &Block{Block: decodeBody(r)}
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

// decodeBody reads the block that fills the rest of the payload, after
// measureBody.
func decodeBody(r *reader) *wire.MsgBlock {
	b, err := scan.DecodeBlock(r.rest(), &r.l.chain)
	if err != nil {
		r.fail("block", "%v", err)
		return nil
	}
	return b
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
	tx, err := scan.DecodeTx(r.take("tx", size))
	if err != nil {
		r.fail("tx", "%v", err)
		return nil
	}
	return tx
}

// maxTxs is the largest number of transactions in a block.
func (l *Limits) maxTxs() int { return min(l.chain.BlockTxs, maxBlockTxs) }
