package utxo

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/btcsuite/btcd/wire/v2"
)

// outpoint is a wire.OutPoint as a key: txid ‖ index u32 le.
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

// hash spreads outpoints over tables. Whoever makes transactions can choose
// their ids to a degree, but does not know the seed.
func (k *outpoint) hash(seed maphash.Seed) uint64 { return maphash.Bytes(seed, k[:]) }

// slot is an entry of a table: hash (28 bits), address (34), dirty, fresh.
// No slot of an entry is 0.
type slot uint64

const (
	slotFresh slot = 1 << iota // no layer below has an unspent coin here
	slotDirty                  // differs from the layers below

	slotFlags     = slotFresh | slotDirty
	slotAddrShift = 2
	slotAddrBits  = 34
	slotHashShift = slotAddrShift + slotAddrBits
	slotHashBits  = 64 - slotHashShift
	slotHashMask  = 1<<slotHashBits - 1

	slotBytes = 8
	minSlots  = 16
)

func (s slot) address() address { return address(s >> slotAddrShift & (1<<slotAddrBits - 1)) }
func (s slot) hash() uint64     { return uint64(s >> slotHashShift) }

// table is a set of entries by outpoint: an open-addressing table of slots,
// probed one after the other, over an arena. An entry lies in the first slot
// that was free from its home on, and removal moves entries back, so that
// there are no marks of removed ones. The home grows with the hash, so a
// table grows by one walk over it, without a look at the records.
//
// A record without value stands for "no coin here".
type table struct {
	slots []slot
	used  int
	arena arena
}

// size is the memory of the table in bytes.
func (t *table) size() int { return len(t.slots)*slotBytes + t.arena.bytes }

func (t *table) home(hash uint64) int {
	return int(hash * uint64(len(t.slots)) >> slotHashBits)
}

// find returns the slot of k, or -1.
func (t *table) find(k *outpoint, h uint64) int {
	if t.used == 0 {
		return -1
	}
	h &= slotHashMask
	for i := t.home(h); ; i++ {
		if i == len(t.slots) {
			i = 0
		}
		s := t.slots[i]
		if s == 0 {
			return -1
		}
		if s.hash() == h && *t.arena.key(s.address()) == *k {
			return i
		}
	}
}

// get returns the value at k. known says that the table has an entry.
func (t *table) get(k *outpoint, h uint64) (value []byte, known bool) {
	i := t.find(k, h)
	if i < 0 {
		return nil, false
	}
	return t.arena.value(t.slots[i].address()), true
}

// set replaces the entry at k, which find found in slot i, or adds it where i
// is -1.
func (t *table) set(i int, k *outpoint, h uint64, value []byte, flags slot, pool *chunkPool) {
	if i >= 0 {
		t.arena.release(t.slots[i].address())
	} else {
		i = t.free(h & slotHashMask)
		t.used++
	}
	at := t.arena.store(k, value, pool)
	if at >= 1<<slotAddrBits {
		panic("utxo: more than 64 GiB in one shard")
	}
	t.slots[i] = slot(h&slotHashMask)<<slotHashShift | slot(at)<<slotAddrShift | flags
}

// free returns the slot for a new entry, after making room for it.
func (t *table) free(h uint64) int {
	if (t.used+1)*5 > len(t.slots)*4 {
		t.grow()
	}
	i := t.home(h)
	for t.slots[i] != 0 {
		if i++; i == len(t.slots) {
			i = 0
		}
	}
	return i
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, max(minSlots, len(old)*3/2))
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := t.home(s.hash())
		for t.slots[i] != 0 {
			if i++; i == len(t.slots) {
				i = 0
			}
		}
		t.slots[i] = s
	}
}

// remove takes away the entry in slot i.
func (t *table) remove(i int) {
	t.arena.release(t.slots[i].address())
	t.used--
	n := len(t.slots)
	for j := i; ; {
		if j++; j == n {
			j = 0
		}
		s := t.slots[j]
		if s == 0 {
			break
		}
		// s may move to the hole unless its home lies behind that.
		if away := j - t.home(s.hash()); (away+n)%n >= (j-i+n)%n {
			t.slots[i] = s
			i = j
		}
	}
	t.slots[i] = 0
}
