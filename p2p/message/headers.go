package message

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// GetHeaders asks for the headers behind the first locator hash that is on
// the receiver's best branch (genesis if none is), up to stop or the limit.
//
//	| field   | type | bytes |
//	| locator | varint count (at most 101), hashes, newest first | |
//	| stop    | hash | 32    | zeros: as many as possible
type GetHeaders struct {
	Locator []chainhash.Hash
	Stop    chainhash.Hash
}

// Type returns TypeGetHeaders.
func (*GetHeaders) Type() Type { return TypeGetHeaders }

func (m *GetHeaders) encode(w *writer) {
	w.hashes("locator", m.Locator, MaxLocator)
	w.hash(m.Stop)
}

func decodeGetHeaders(r *reader) Message {
	return &GetHeaders{Locator: r.hashes("locator", MaxLocator), Stop: r.hash("stop")}
}

// Headers answers GetHeaders or announces new blocks: headers in chain
// order, each the child of the one before.
//
//	| field   | type | bytes |
//	| more    | u8   | 1     | 1: the sender has more behind the last one
//	| entries | varint count (at most 2,000), HeaderEntry | |
//
// A sender stops before MaxHeadersBytes; one entry always fits.
type Headers struct {
	More    bool
	Entries []HeaderEntry
}

// HeaderEntry is a header and, where the chain restricts mining, the proof
// of its seal.
//
//	| field  | type      | bytes |
//	| header | header    | 80    |
//	| proof  | u8        | 1     | 1: a SealProof follows
//	| seal proof | SealProof | |
type HeaderEntry struct {
	Header wire.BlockHeader
	Proof  *SealProof // nil: none
}

// SealProof shows that a header commits to a coinbase, and with it to the
// seal in one of the coinbase's outputs.
//
//	| field    | type | bytes |
//	| coinbase | varint length (1 to 16,384), transaction without witness | |
//	| branch   | varint count (at most 24), hashes from the leaf up | |
type SealProof struct {
	Coinbase []byte
	Branch   []chainhash.Hash
}

const minHeaderEntry = wire.MaxBlockHeaderPayload + 1

// Type returns TypeHeaders.
func (*Headers) Type() Type { return TypeHeaders }

func (m *Headers) encode(w *writer) {
	w.flag(m.More)
	w.count("entries", len(m.Entries), MaxHeaders)
	for i := range m.Entries {
		e := &m.Entries[i]
		encodeHeader(w, &e.Header)
		w.flag(e.Proof != nil)
		if e.Proof != nil {
			e.Proof.encode(w)
		}
	}
}

func decodeHeaders(r *reader) Message {
	m := &Headers{More: r.flag("more")}
	n := r.count("entries", MaxHeaders, minHeaderEntry)
	if n == 0 {
		return m
	}
	m.Entries = make([]HeaderEntry, n)
	for i := range m.Entries {
		e := &m.Entries[i]
		e.Header = decodeHeader(r)
		if r.flag("proof") {
			e.Proof = decodeSealProof(r)
		}
		if r.err != nil {
			break
		}
	}
	return m
}

// EncodedSize returns the bytes that e adds to a Headers payload.
func (e *HeaderEntry) EncodedSize() int {
	if e.Proof == nil {
		return minHeaderEntry
	}
	return minHeaderEntry +
		wire.VarIntSerializeSize(uint64(len(e.Proof.Coinbase))) + len(e.Proof.Coinbase) +
		1 + chainhash.HashSize*len(e.Proof.Branch)
}

func (p *SealProof) encode(w *writer) {
	if len(p.Coinbase) == 0 {
		w.fail("coinbase", "is empty")
	}
	w.blob("coinbase", p.Coinbase, MaxProofCoinbase)
	w.hashes("branch", p.Branch, MaxProofBranch)
}

func decodeSealProof(r *reader) *SealProof {
	p := &SealProof{Coinbase: r.blob("coinbase", MaxProofCoinbase)}
	if r.err == nil {
		tx, err := scan.DecodeTx(p.Coinbase)
		if err != nil {
			r.fail("coinbase", "%v", err)
		} else if tx.HasWitness() {
			r.fail("coinbase", "carries a witness")
		}
	}
	p.Branch = r.hashes("branch", MaxProofBranch)
	return p
}

// MerkleRoot returns the root to which the coinbase, as leaf 0, and the
// branch lead. The proof holds iff the header's merkle root is equal.
func (p *SealProof) MerkleRoot() chainhash.Hash {
	node := chainhash.DoubleHashH(p.Coinbase)
	var pair [2 * chainhash.HashSize]byte
	for i := range p.Branch {
		copy(pair[:], node[:])
		copy(pair[chainhash.HashSize:], p.Branch[i][:])
		node = chainhash.DoubleHashH(pair[:])
	}
	return node
}

func encodeHeader(w *writer, h *wire.BlockHeader) {
	if err := h.Serialize(w); err != nil {
		w.fail("header", "%v", err)
	}
}

func decodeHeader(r *reader) wire.BlockHeader {
	p := r.take("header", wire.MaxBlockHeaderPayload)
	if p == nil {
		return wire.BlockHeader{}
	}
	h, err := scan.DecodeHeader(p)
	if err != nil {
		r.fail("header", "%v", err)
	}
	return h
}
