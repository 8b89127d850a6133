package consensus

import (
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/scan"
)

// decoded is a transaction and its fields in one piece of memory.
type decoded struct {
	tx  Tx
	msg wire.MsgTx
}

// DecodeTx decodes exactly one transaction (scan.Tx names its form) and
// derives its hashes and sizes from its bytes. The transaction keeps raw, of
// which its scripts and witness items are parts: the caller must not change
// it afterwards. Errors about the form are *scan.Error.
func DecodeTx(raw []byte) (*Tx, error) {
	d, err := scan.OpenTx(raw)
	if err != nil {
		return nil, err
	}
	tx := new(decoded)
	tx.next(&d, raw)
	return &tx.tx, nil
}

// DecodeBlock decodes exactly one block within the limits of its chain
// (scan.Block names its form) and derives its hashes and sizes from its
// bytes. Errors about the form are *scan.Error.
//
// The block keeps raw, of which all scripts and witness items are parts: the
// caller must not change it afterwards. Its transactions share a few pieces
// of memory, so whoever keeps one of them, or a script, for longer than the
// block keeps all of it (see Tx.Clone).
func DecodeBlock(raw []byte, l *params.Limits) (*Block, error) {
	d, err := scan.OpenBlock(raw, l)
	if err != nil {
		return nil, err
	}
	header, err := scan.DecodeHeader(raw[:scan.HeaderSize])
	if err != nil {
		return nil, fmt.Errorf("block: %w", err)
	}
	txs := make([]decoded, d.Left())
	b := &Block{
		Header: header,
		Hash:   chainhash.DoubleHashH(raw[:scan.HeaderSize]),
		Txs:    make([]*Tx, len(txs)),
		raw:    raw,
	}
	for i := range txs {
		txs[i].next(&d, raw)
		b.Txs[i] = &txs[i].tx
	}
	return b, nil
}

// next fills in the next transaction of raw.
func (t *decoded) next(d *scan.Decoder, raw []byte) {
	span := d.Next(&t.msg)
	tx := &t.tx
	tx.Msg = &t.msg
	tx.Size = span.End - span.Start
	whole := raw[span.Start:span.End]
	if span.Witness == 0 {
		tx.Weight = int64(tx.Size) * WitnessScale
		tx.TxID = chainhash.DoubleHashH(whole)
		tx.WTxID = tx.TxID
		return
	}
	// Version, what comes after marker and flag, lock time.
	body, lock := raw[span.Start+6:span.Witness], raw[span.End-4:span.End]
	tx.Weight = int64(4+len(body)+4)*(WitnessScale-1) + int64(tx.Size)
	tx.TxID = doubleParts(whole[:4], body, lock)
	tx.WTxID = chainhash.DoubleHashH(whole)
}

// Raw returns the bytes that the block was decoded from, nil for a block that
// was built in another way. They must not be changed.
func (b *Block) Raw() []byte { return b.raw }

// Clone returns a copy of the transaction that shares no memory with it, for
// those who keep it for longer than its block (see DecodeBlock).
func (tx *Tx) Clone() *Tx {
	clone := new(Tx)
	*clone = *tx
	clone.Msg = tx.Msg.Copy()
	return clone
}

// doubleParts is the double SHA-256 of the parts, one behind the other.
func doubleParts(parts ...[]byte) chainhash.Hash {
	var short [512]byte // holds most transactions without their witnesses
	n := 0
	for _, p := range parts {
		if n+len(p) > len(short) {
			return doubleLong(parts)
		}
		n += copy(short[n:], p)
	}
	return chainhash.DoubleHashH(short[:n])
}

func doubleLong(parts [][]byte) chainhash.Hash {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	var first [sha256.Size]byte
	return sha256.Sum256(h.Sum(first[:0]))
}
