package message

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

// InvKind says what an inventory hash names.
type InvKind byte

// The kinds. A node that meets another kind treats the message as broken;
// later kinds come with a feature bit.
const (
	InvTx           InvKind = 1 // transaction by txid (GetData only: parents of orphans)
	InvWTx          InvKind = 2 // transaction by wtxid
	InvBlock        InvKind = 3 // block by header hash
	InvCompactBlock InvKind = 4 // GetData only: block by header hash, as CompactBlock
	InvHintedBlock  InvKind = 5 // GetData only: block by header hash, as HintedBlock or as Block

	lastInv = InvHintedBlock
)

func (k InvKind) String() string {
	switch k {
	case InvTx:
		return "tx"
	case InvWTx:
		return "wtx"
	case InvBlock:
		return "block"
	case InvCompactBlock:
		return "compact-block"
	case InvHintedBlock:
		return "hinted-block"
	}
	return "unknown"
}

// InvItem names a transaction or block.
//
//	| field | type | bytes |
//	| kind  | u8   | 1     |
//	| hash  | hash | 32    |
type InvItem struct {
	Kind InvKind
	Hash chainhash.Hash
}

const invItemSize = 33

// Inv announces what the sender has: varint count, then items (at most
// MaxInventory).
type Inv struct{ Items []InvItem }

// Type returns TypeInv.
func (*Inv) Type() Type { return TypeInv }

func (m *Inv) encode(w *writer)   { encodeItems(w, m.Items) }
func decodeInv(r *reader) Message { return &Inv{decodeItems(r)} }

// GetData asks for what Inv announced or a header named. Each item is
// answered by Tx, Block, CompactBlock or HintedBlock, or is listed in a NotFound. Encoded as Inv.
type GetData struct{ Items []InvItem }

// Type returns TypeGetData.
func (*GetData) Type() Type { return TypeGetData }

func (m *GetData) encode(w *writer)   { encodeItems(w, m.Items) }
func decodeGetData(r *reader) Message { return &GetData{decodeItems(r)} }

// NotFound lists the items of a GetData that the sender cannot serve.
// Encoded as Inv.
type NotFound struct{ Items []InvItem }

// Type returns TypeNotFound.
func (*NotFound) Type() Type { return TypeNotFound }

func (m *NotFound) encode(w *writer)   { encodeItems(w, m.Items) }
func decodeNotFound(r *reader) Message { return &NotFound{decodeItems(r)} }

func encodeItems(w *writer, items []InvItem) {
	w.count("items", len(items), MaxInventory)
	for _, it := range items {
		if it.Kind < InvTx || it.Kind > lastInv {
			w.fail("kind", "%d is not a kind", byte(it.Kind))
		}
		w.u8(byte(it.Kind))
		w.hash(it.Hash)
	}
}

func decodeItems(r *reader) []InvItem {
	n := r.count("items", MaxInventory, invItemSize)
	if n == 0 {
		return nil
	}
	items := make([]InvItem, n)
	for i := range items {
		items[i] = InvItem{Kind: InvKind(r.u8("kind")), Hash: r.hash("hash")}
		if k := items[i].Kind; k < InvTx || k > lastInv {
			r.fail("kind", "%d is not a kind of this version", byte(k))
		}
	}
	return items
}
