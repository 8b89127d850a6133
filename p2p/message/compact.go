package message

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// ShortID names a transaction within one CompactBlock: the low 48 bits of
// SipHash-2-4 over its wtxid (BIP152, version 2).
type ShortID uint64

const shortIDSize = 6

// CompactBlock is a block with short ids in place of the transactions that
// the receiver is likely to have (BIP152, version 2).
//
//	| field     | type   | bytes |
//	| header    | header | 80    |
//	| nonce     | u64    | 8     |
//	| short ids | varint count, 6 bytes each, little-endian | |
//	| prefilled | varint count, PrefilledTx | |
//
// Both counts together are the number of transactions of the block, which
// is at least 1.
type CompactBlock struct {
	Header    wire.BlockHeader
	Nonce     uint64
	ShortIDs  []ShortID
	Prefilled []PrefilledTx // ascending by Index
}

// PrefilledTx is a transaction that a CompactBlock carries whole.
//
//	| field | type | bytes |
//	| index | varint: Index less the one before, less 1 (the first: Index) | |
//	| tx    | transaction with witness | |
type PrefilledTx struct {
	Index uint32 // position in the block
	Tx    *wire.MsgTx
}

// Type returns TypeCompactBlock.
func (*CompactBlock) Type() Type { return TypeCompactBlock }

func (m *CompactBlock) encode(w *writer) {
	encodeHeader(w, &m.Header)
	w.u64(m.Nonce)
	total := len(m.ShortIDs) + len(m.Prefilled)
	if total == 0 {
		w.fail("short ids", "block without transactions")
	}
	w.count("short ids", len(m.ShortIDs), maxBlockTxs)
	for _, id := range m.ShortIDs {
		if id >= 1<<48 {
			w.fail("short id", "%#x has more than 48 bits", uint64(id))
		}
		w.b = append(w.b, byte(id), byte(id>>8), byte(id>>16), byte(id>>24), byte(id>>32), byte(id>>40))
	}
	w.count("prefilled", len(m.Prefilled), maxBlockTxs)
	next := uint32(0)
	for i := range m.Prefilled {
		p := &m.Prefilled[i]
		next = w.index("prefilled", p.Index, next, total)
		encodeMsgTx(w, p.Tx)
	}
}

func decodeCompactBlock(r *reader) Message {
	m := &CompactBlock{Header: decodeHeader(r), Nonce: r.u64("nonce")}
	if n := r.count("short ids", r.l.maxTxs(), shortIDSize); n > 0 {
		m.ShortIDs = make([]ShortID, n)
		for i := range m.ShortIDs {
			p := r.take("short ids", shortIDSize)
			if p == nil {
				return nil
			}
			m.ShortIDs[i] = ShortID(binary.LittleEndian.Uint32(p)) | ShortID(binary.LittleEndian.Uint16(p[4:]))<<32
		}
	}
	n := r.count("prefilled", r.l.maxTxs()-len(m.ShortIDs), 1+minTx)
	total := len(m.ShortIDs) + n
	if r.err == nil && total == 0 {
		r.fail("short ids", "block without transactions")
	}
	next := uint32(0)
	for range n {
		var p PrefilledTx
		p.Index, next = r.index("prefilled", next, total)
		p.Tx = decodeMsgTx(r)
		if r.err != nil {
			return nil
		}
		m.Prefilled = append(m.Prefilled, p)
	}
	return m
}

// GetBlockTxns asks for transactions of a block that CompactBlock named by
// short id and the sender lacks (BIP152).
//
//	| field   | type | bytes |
//	| block   | hash | 32    |
//	| indexes | varint count (at least 1), varints as PrefilledTx.index | |
type GetBlockTxns struct {
	Block   chainhash.Hash
	Indexes []uint32 // ascending positions in the block
}

// Type returns TypeGetBlockTxns.
func (*GetBlockTxns) Type() Type { return TypeGetBlockTxns }

func (m *GetBlockTxns) encode(w *writer) {
	w.hash(m.Block)
	if len(m.Indexes) == 0 {
		w.fail("indexes", "none")
	}
	w.count("indexes", len(m.Indexes), maxBlockTxs)
	next := uint32(0)
	for _, i := range m.Indexes {
		next = w.index("indexes", i, next, maxBlockTxs)
	}
}

func decodeGetBlockTxns(r *reader) Message {
	m := &GetBlockTxns{Block: r.hash("block")}
	n := r.count("indexes", r.l.maxTxs(), 1)
	if n == 0 {
		r.fail("indexes", "none")
		return nil
	}
	m.Indexes = make([]uint32, n)
	next := uint32(0)
	for i := range m.Indexes {
		m.Indexes[i], next = r.index("indexes", next, r.l.maxTxs())
	}
	return m
}

// BlockTxns answers GetBlockTxns: the transactions asked for, in order.
//
//	| field | type | bytes |
//	| block | hash | 32    |
//	| txs   | varint count (at least 1), transactions with witness | |
type BlockTxns struct {
	Block chainhash.Hash
	Txs   []*wire.MsgTx
}

// Type returns TypeBlockTxns.
func (*BlockTxns) Type() Type { return TypeBlockTxns }

func (m *BlockTxns) encode(w *writer) {
	w.hash(m.Block)
	if len(m.Txs) == 0 {
		w.fail("txs", "none")
	}
	w.count("txs", len(m.Txs), maxBlockTxs)
	for _, tx := range m.Txs {
		encodeMsgTx(w, tx)
	}
}

func decodeBlockTxns(r *reader) Message {
	m := &BlockTxns{Block: r.hash("block")}
	n := r.count("txs", r.l.maxTxs(), minTx)
	if n == 0 {
		r.fail("txs", "none")
		return nil
	}
	for range n {
		tx := decodeMsgTx(r)
		if r.err != nil {
			return nil
		}
		m.Txs = append(m.Txs, tx)
	}
	return m
}

// index writes position i as its distance from next, the least position
// that may come, and returns the least that may follow.
func (w *writer) index(field string, i, next uint32, total int) uint32 {
	if i < next || int64(i) >= int64(total) {
		w.fail(field, "index %d, must be %d to %d", i, next, total-1)
		return next
	}
	w.varint(uint64(i - next))
	return i + 1
}

// index reads a position that index wrote.
func (r *reader) index(field string, next uint32, total int) (i, after uint32) {
	d := r.varint(field)
	if r.err == nil && (d > maxBlockTxs || int64(next)+int64(d) >= int64(total)) {
		r.fail(field, "index %d past %d of %d transactions", d, next, total)
	}
	if r.err != nil {
		return 0, next
	}
	return next + uint32(d), next + uint32(d) + 1
}

// ShortIDKey is the SipHash key of one CompactBlock: the first 16 bytes of
// SHA-256(header ‖ nonce), as two little-endian words.
type ShortIDKey struct{ k0, k1 uint64 }

// NewShortIDKey derives the key (BIP152).
func NewShortIDKey(header *wire.BlockHeader, nonce uint64) ShortIDKey {
	w := writer{t: TypeCompactBlock, b: make([]byte, 0, wire.MaxBlockHeaderPayload+8)}
	encodeHeader(&w, header)
	w.u64(nonce)
	sum := sha256.Sum256(w.b)
	return ShortIDKey{binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])}
}

// ID returns the short id of the transaction with this wtxid.
func (k ShortIDKey) ID(wtxid *chainhash.Hash) ShortID {
	return ShortID(sipHash(k.k0, k.k1, (*[32]byte)(wtxid)) & (1<<48 - 1))
}
