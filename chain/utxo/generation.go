package utxo

import (
	"encoding/binary"
	"math/bits"

	"github.com/btcsuite/btcd/wire/v2"
)

// outpoint is a wire.OutPoint as a map key without padding: txid ‖ index u32 le.
type outpoint [36]byte

func toOutpoint(op *wire.OutPoint) (k outpoint) {
	copy(k[:], op.Hash[:])
	binary.LittleEndian.PutUint32(k[32:], op.Index)
	return k
}

func (k *outpoint) wire() (op wire.OutPoint) {
	copy(op.Hash[:], k[:])
	op.Index = binary.LittleEndian.Uint32(k[32:])
	return op
}

// slot says where the value of an entry lies in the arena, and what it is:
// chunk (32 bits), offset in it (16), size (14), dirty, fresh. Size 0 stands
// for "no coin here". It holds no pointer, so that the garbage collector has
// nothing to follow in a map of a hundred million of them.
type slot uint64

const (
	slotFresh slot = 1 << iota // no layer below has an unspent coin here
	slotDirty                  // differs from the layers below

	slotSizeShift   = 2
	slotSizeMask    = 1<<14 - 1
	slotOffsetShift = slotSizeShift + 14
	slotChunkShift  = slotOffsetShift + 16
)

func (s slot) size() int   { return int(s >> slotSizeShift & slotSizeMask) }
func (s slot) offset() int { return int(s >> slotOffsetShift & (chunkSize - 1)) }
func (s slot) chunk() int  { return int(s >> slotChunkShift) }

const (
	chunkSize = 1 << 16

	// mapSlotBytes is what one slot of the map costs, empty or not: key,
	// padding, slot, control byte, and what the allocator rounds up.
	// TestSizeIsHonest measures it.
	mapSlotBytes = 56
)

// mapBytes is the memory of a map that held up to n entries. Its slots
// double when seven of eight are full: within 1,024 at once, above that
// table by table, but all tables come to it at about the same time.
func mapBytes(n int) int64 {
	if n == 0 {
		return 0
	}
	slots := int64(8) << bits.Len(uint((n-1)/7))
	return slots * mapSlotBytes
}

// arena holds the values of a generation in chunks. Space of values that went
// is used again for values of the same size: most coins have one of a few.
type arena struct {
	chunks [][]byte
	used   int // of the last chunk
	free   map[int][]slot
	freed  int // entries of free
}

func (a *arena) store(value []byte) slot {
	n := len(value)
	if n == 0 {
		return 0
	}
	if n > slotSizeMask {
		panic("utxo: value too long for an arena")
	}
	s := slot(n) << slotSizeShift
	if spare := a.free[n]; len(spare) > 0 {
		s = spare[len(spare)-1]
		a.free[n] = spare[:len(spare)-1]
		a.freed--
	} else {
		if len(a.chunks) == 0 || a.used+n > chunkSize {
			a.chunks = append(a.chunks, make([]byte, chunkSize))
			a.used = 0
		}
		s |= slot(len(a.chunks)-1)<<slotChunkShift | slot(a.used)<<slotOffsetShift
		a.used += n
	}
	copy(a.value(s), value)
	return s
}

// value returns the bytes of s; they stay the arena's.
func (a *arena) value(s slot) []byte {
	if s.size() == 0 {
		return nil
	}
	return a.chunks[s.chunk()][s.offset() : s.offset()+s.size()]
}

func (a *arena) release(s slot) {
	if s.size() == 0 {
		return
	}
	if a.free == nil {
		a.free = make(map[int][]slot)
	}
	a.free[s.size()] = append(a.free[s.size()], s&^(slotDirty|slotFresh))
	a.freed++
}

// generation is a set of entries by outpoint. It has no lock of its own.
type generation struct {
	entries map[outpoint]slot
	peak    int // most entries at a time: maps do not shrink
	arena   arena
}

func newGeneration() *generation { return &generation{entries: make(map[outpoint]slot)} }

// size is the memory of the generation in bytes; nil has none.
func (g *generation) size() int64 {
	if g == nil {
		return 0
	}
	return mapBytes(g.peak) + int64(len(g.arena.chunks))*chunkSize + int64(g.arena.freed)*8
}

func (g *generation) len() int {
	if g == nil {
		return 0
	}
	return len(g.entries)
}

// find returns the value at k. known says that the generation has an entry;
// then no value means that there is no coin.
func (g *generation) find(k *outpoint) (value []byte, known bool) {
	if g == nil {
		return nil, false
	}
	s, known := g.entries[*k]
	return g.arena.value(s), known
}

// set replaces the entry at k; no value stands for "no coin".
func (g *generation) set(k *outpoint, value []byte, flags slot) {
	g.arena.release(g.entries[*k])
	g.entries[*k] = g.arena.store(value) | flags
	g.peak = max(g.peak, len(g.entries))
}

func (g *generation) remove(k *outpoint) {
	g.arena.release(g.entries[*k])
	delete(g.entries, *k)
}
