package utxo

import (
	"iter"
	"math/bits"
	"sync"

	"github.com/charterchain/charter/chain/consensus"
)

// viewEntry is what a view knows of one outpoint.
type viewEntry struct {
	key   outpoint
	flags uint32
	hash  uint64
	coin  consensus.Coin // if viewExists
}

const (
	viewKnown   uint32 = 1 << iota // the view has an entry: without it the others mean nothing
	viewExists                     // there is a coin, as seen through the view
	viewChanged                    // by the view
	viewBelow                      // the cache has a coin here
)

func (e *viewEntry) is(flag uint32) bool { return e.flags&(flag|viewKnown) == flag|viewKnown }

// viewTable is an open-addressing table of entries, which lie in the order in
// which they came. It is used again for view after view.
type viewTable struct {
	index   []uint64 // hash (upper half) ‖ number of the entry + 1; 0: free. A power of two of them, half of them free at least
	entries []viewEntry
	order   []uint32 // entries by shard; see byShard
	inputs  viewLoad
}

const (
	minViewIndex = 64
	viewEntryMem = 96 + 2*8 + 4 // bytes of an entry and what else there is for it
)

// find returns the entry at k, nil if there never was one.
func (t *viewTable) find(k *outpoint, h uint64) *viewEntry {
	if len(t.index) == 0 {
		return nil
	}
	mask := len(t.index) - 1
	for i := int(h) & mask; ; i = (i + 1) & mask {
		x := t.index[i]
		if x == 0 {
			return nil
		}
		if uint32(x>>32) == uint32(h>>32) {
			if e := &t.entries[uint32(x)-1]; e.key == *k {
				return e
			}
		}
	}
}

// entry returns the entry at k, a new one if there was none. It is good until
// the next call.
func (t *viewTable) entry(k *outpoint, h uint64) *viewEntry {
	if e := t.find(k, h); e != nil {
		return e
	}
	t.reserve(1)
	t.entries = append(t.entries, viewEntry{key: *k, hash: h})
	t.place(len(t.entries) - 1)
	return &t.entries[len(t.entries)-1]
}

// reserve makes room for n more entries.
func (t *viewTable) reserve(n int) {
	n += len(t.entries)
	if 2*n <= len(t.index) {
		return
	}
	if n > cap(t.entries) {
		t.entries = append(make([]viewEntry, 0, max(n, 2*cap(t.entries))), t.entries...)
	}
	t.index = make([]uint64, max(minViewIndex, 1<<bits.Len(uint(2*n-1))))
	for i := range t.entries {
		t.place(i)
	}
}

// place enters an entry into the index.
func (t *viewTable) place(n int) {
	h := t.entries[n].hash
	mask := len(t.index) - 1
	i := int(h) & mask
	for t.index[i] != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = h>>32<<32 | uint64(n+1)
}

// reset empties the table.
func (t *viewTable) reset() {
	clear(t.index)
	clear(t.entries)
	t.entries = t.entries[:0]
	t.inputs.reset()
}

// size is the memory of the table in bytes, about.
func (t *viewTable) size() int64 { return int64(cap(t.entries)) * viewEntryMem }

// byShard walks over the shards with the numbers of their changed entries.
func (v *View) byShard() iter.Seq2[int, []uint32] {
	t := v.t
	var ends [shards + 1]uint32
	for i := range t.entries {
		if e := &t.entries[i]; e.is(viewChanged) {
			ends[e.key.shard()+1]++
		}
	}
	for i := range shards {
		ends[i+1] += ends[i]
	}
	starts := ends
	n := int(ends[shards])
	if cap(t.order) < n {
		t.order = make([]uint32, cap(t.entries))
	}
	t.order = t.order[:n]
	for i := range t.entries {
		if e := &t.entries[i]; e.is(viewChanged) {
			s := e.key.shard()
			t.order[ends[s]] = uint32(i)
			ends[s]++
		}
	}
	return func(yield func(int, []uint32) bool) {
		for s := range shards {
			if part := t.order[starts[s]:starts[s+1]]; len(part) > 0 && !yield(s, part) {
				return
			}
		}
	}
}

// spareView keeps the table of the view that was applied last for the next.
type spareView struct {
	mu    sync.Mutex
	table *viewTable // nil: none
}

// maxSpareView is the most memory that a table keeps which is not in use.
const maxSpareView = 8 << 20

func (s *spareView) get() *viewTable {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table
	s.table = nil
	if t == nil {
		t = new(viewTable)
	}
	return t
}

func (s *spareView) put(v *View) {
	t := v.t
	v.t = nil
	if t.size() > maxSpareView {
		return
	}
	t.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = t
}
