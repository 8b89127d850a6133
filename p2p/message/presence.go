package message

import (
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// presenceTag starts what the signature of a PresenceEntry covers.
const presenceTag = "charter/presence/v1"

// Presence tells that nodes are up: at least one entry, keys strictly
// ascending. An entry is passed on as it is.
//
//	| field   | type | bytes |
//	| entries | varint count (1 to 200), PresenceEntry | |
type Presence struct{ Entries []PresenceEntry }

// PresenceEntry is the word of one node that it is up. The highest number
// of a key counts.
//
//	| field     | type   | bytes |
//	| key       | x-only | 32    | of the node
//	| number    | u64    | 8     | higher than in every earlier one of the key
//	| height    | u32    | 4     | of the node's best block
//	| signature | BIP340 | 64    | by key over Digest
type PresenceEntry struct {
	Key       [32]byte
	Number    uint64
	Height    uint32
	Signature [64]byte
}

const presenceEntrySize = 32 + 8 + 4 + 64

// Type returns TypePresence.
func (*Presence) Type() Type { return TypePresence }

func (m *Presence) encode(w *writer) {
	if len(m.Entries) == 0 {
		w.fail("entries", "there are none")
	}
	w.count("entries", len(m.Entries), MaxPresences)
	for i := range m.Entries {
		e := &m.Entries[i]
		if i > 0 && bytes.Compare(e.Key[:], m.Entries[i-1].Key[:]) <= 0 {
			w.fail("key", "%x does not come after the one before", e.Key)
		}
		w.hash(e.Key)
		w.u64(e.Number)
		w.u32(e.Height)
		w.bytes(e.Signature[:])
	}
}

func decodePresence(r *reader) Message {
	n := r.count("entries", MaxPresences, presenceEntrySize)
	if n == 0 {
		r.fail("entries", "there are none")
		return nil
	}
	m := &Presence{Entries: make([]PresenceEntry, n)}
	for i := range m.Entries {
		e := &m.Entries[i]
		e.Key = r.hash("key")
		e.Number = r.u64("number")
		e.Height = r.u32("height")
		copy(e.Signature[:], r.take("signature", len(e.Signature)))
		if i > 0 && bytes.Compare(e.Key[:], m.Entries[i-1].Key[:]) <= 0 {
			r.fail("key", "%x does not come after the one before", e.Key)
			break
		}
	}
	return m
}

// Digest returns what the signature covers on the chain with this genesis
// hash: TaggedHash("charter/presence/v1", genesis hash ‖ key ‖ number ‖
// height), integers little-endian.
func (e *PresenceEntry) Digest(genesis [32]byte) [32]byte {
	var numbers [12]byte
	binary.LittleEndian.PutUint64(numbers[:8], e.Number)
	binary.LittleEndian.PutUint32(numbers[8:], e.Height)
	return *chainhash.TaggedHash([]byte(presenceTag), genesis[:], e.Key[:], numbers[:])
}
