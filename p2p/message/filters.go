package message

import "github.com/btcsuite/btcd/chainhash/v2"

// FilterBasic is the basic filter of BIP158, the only filter type so far.
const FilterBasic byte = 0

// GetFilters asks for the compact filters of the blocks from height start
// to the block with hash stop, both included.
//
//	| field       | type | bytes |
//	| filter type | u8   | 1     |
//	| start       | u32  | 4     | height
//	| stop        | hash | 32    |
type GetFilters struct {
	FilterType byte
	Start      uint32
	Stop       chainhash.Hash
}

// Type returns TypeGetFilters.
func (*GetFilters) Type() Type { return TypeGetFilters }

func (m *GetFilters) encode(w *writer) {
	w.u8(m.FilterType)
	w.u32(m.Start)
	w.hash(m.Stop)
}

func decodeGetFilters(r *reader) Message {
	return &GetFilters{FilterType: r.u8("filter type"), Start: r.u32("start"), Stop: r.hash("stop")}
}

// Filters answers GetFilters, in chain order from the start asked for. The
// sender stops at MaxFilters or the largest payload; one filter always
// fits. The previous filter header lets the receiver check the chain of
// filter headers (BIP157).
//
//	| field           | type | bytes |
//	| filter type     | u8   | 1     |
//	| start           | u32  | 4     | height of the first entry
//	| previous header | hash | 32    | filter header of the block before start
//	| entries         | varint count (at most 100), FilterEntry | |
type Filters struct {
	FilterType byte
	Start      uint32
	Previous   chainhash.Hash
	Entries    []FilterEntry
}

// FilterEntry is the filter of one block.
//
//	| field  | type | bytes |
//	| block  | hash | 32    |
//	| filter | varint length, bytes | |
type FilterEntry struct {
	Block  chainhash.Hash
	Filter []byte
}

// Type returns TypeFilters.
func (*Filters) Type() Type { return TypeFilters }

func (m *Filters) encode(w *writer) {
	w.u8(m.FilterType)
	w.u32(m.Start)
	w.hash(m.Previous)
	w.count("entries", len(m.Entries), MaxFilters)
	for i := range m.Entries {
		w.hash(m.Entries[i].Block)
		w.blob("filter", m.Entries[i].Filter, maxFilter)
	}
}

func decodeFilters(r *reader) Message {
	m := &Filters{FilterType: r.u8("filter type"), Start: r.u32("start"), Previous: r.hash("previous header")}
	n := r.count("entries", MaxFilters, chainhash.HashSize+1)
	if n == 0 {
		return m
	}
	m.Entries = make([]FilterEntry, n)
	for i := range m.Entries {
		m.Entries[i] = FilterEntry{Block: r.hash("block"), Filter: r.blob("filter", maxFilter)}
	}
	return m
}
