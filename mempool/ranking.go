package mempool

import (
	"iter"

	"github.com/charterchain/charter/mempool/policy"
)

// Rankings of a pool: each entry has one place in each of them.
const (
	rankPackage = iota // by what it pays together with its ancestors
	rankWorth          // by what it is worth keeping for
	rankings
)

// roster holds the entries of a pool in the order in which they came. Ranks
// name an entry by its slot there, so that one that is void keeps nothing in
// memory.
type roster struct {
	entries []*entry // by slot; nil: it left
	stamps  [rankings][]uint32
	live    int
}

func (r *roster) add(e *entry) {
	e.slot = uint32(len(r.entries))
	r.entries = append(r.entries, e)
	for kind := range r.stamps {
		r.stamps[kind] = append(r.stamps[kind], 0)
	}
	r.live++
}

func (r *roster) remove(e *entry) {
	r.entries[e.slot] = nil
	r.live--
}

// all goes through the entries in the order in which they came: parents before
// children. None may be added or leave meanwhile.
func (r *roster) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, e := range r.entries {
			if e != nil && !yield(e) {
				return
			}
		}
	}
}

// few is how many empty slots or void ranks are not worth the trouble.
const few = 1 << 10

// sparse reports whether most slots are empty.
func (r *roster) sparse() bool { return len(r.entries) > 2*r.live+few }

// compact removes the empty slots, and all void ranks.
func (r *roster) compact(ranked ...*ranking) {
	for _, q := range ranked {
		q.compact()
	}
	to := make([]uint32, len(r.entries)) // new slots
	n := uint32(0)
	for slot, e := range r.entries {
		if e == nil {
			continue
		}
		to[slot], e.slot, r.entries[n] = n, n, e
		for kind := range r.stamps {
			r.stamps[kind][n] = r.stamps[kind][slot]
		}
		n++
	}
	clear(r.entries[n:])
	r.entries = r.entries[:n]
	for kind := range r.stamps {
		r.stamps[kind] = r.stamps[kind][:n]
	}
	for _, q := range ranked {
		for i := range q.heap {
			q.heap[i].slot = to[q.heap[i].slot]
		}
	}
}

// rank is the place of an entry in a ranking. It is void once the entry has
// another one, or left.
type rank struct {
	fee, size int64  // whose ratio counts
	seq       uint64 // of equals the one that came first stands higher
	slot      uint32 // of the entry
	stamp     uint32 // that the slot had when the place was given
	kept      bool   // stands above all that are not
}

// above is a total order of the valid places of a ranking.
func (r *rank) above(o *rank) bool {
	if r.kept != o.kept {
		return r.kept
	}
	if c := policy.CompareRates(r.fee, r.size, o.fee, o.size); c != 0 {
		return c > 0
	}
	return r.seq < o.seq
}

// ranking is a binary heap of ranks. Entries that leave or change only void
// their place; void places go when they come to the top, or when there are too
// many. So leaving costs next to nothing, and the keys lie side by side in
// memory.
//
// Pool.mu guards it; a walk only reads.
type ranking struct {
	kind   int // rankPackage or rankWorth
	of     *roster
	lowest bool // the least is on top, not the greatest
	heap   []rank
	valid  int // the rest of heap is void
}

// before reports whether a belongs above b in the heap.
func (q *ranking) before(a, b *rank) bool {
	if q.lowest {
		a, b = b, a
	}
	return a.above(b)
}

func (q *ranking) isVoid(r *rank) bool { return q.of.stamps[q.kind][r.slot] != r.stamp }

// put gives a newcomer its place.
func (q *ranking) put(e *entry) {
	r := rank{seq: e.seq, slot: e.slot, stamp: q.of.stamps[q.kind][e.slot]}
	if q.kind == rankPackage {
		r.fee, r.size = e.up.fees, e.up.vsize
	} else {
		r.fee, r.size = e.score()
		r.kept = e.down.records > 0
	}
	q.valid++
	q.heap = append(q.heap, r)
	q.up(len(q.heap) - 1)
	if len(q.heap) > 2*q.valid+few {
		q.compact()
	}
}

// drop voids the place of an entry.
func (q *ranking) drop(e *entry) {
	q.of.stamps[q.kind][e.slot]++
	q.valid--
}

// move gives an entry that changed another place.
func (q *ranking) move(e *entry) {
	q.drop(e)
	q.put(e)
}

// top returns the entry on top, nil when there is none.
func (q *ranking) top() *entry {
	for len(q.heap) > 0 {
		if r := &q.heap[0]; !q.isVoid(r) {
			return q.of.entries[r.slot]
		}
		last := len(q.heap) - 1
		q.heap[0] = q.heap[last]
		q.heap = q.heap[:last]
		q.down(0)
	}
	return nil
}

// cluttered reports whether void places slow a walk down.
func (q *ranking) cluttered() bool { return len(q.heap)-q.valid > max(few, q.valid/16) }

// compact removes all void places.
func (q *ranking) compact() {
	valid := q.heap[:0]
	for i := range q.heap {
		if r := &q.heap[i]; !q.isVoid(r) {
			valid = append(valid, *r)
		}
	}
	q.heap = valid
	for i := len(q.heap)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
}

func (q *ranking) up(i int) {
	r := q.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !q.before(&r, &q.heap[parent]) {
			break
		}
		q.heap[i] = q.heap[parent]
		i = parent
	}
	q.heap[i] = r
}

func (q *ranking) down(i int) {
	if i >= len(q.heap) {
		return
	}
	r := q.heap[i]
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if right := child + 1; right < len(q.heap) && q.before(&q.heap[right], &q.heap[child]) {
			child = right
		}
		if !q.before(&q.heap[child], &r) {
			break
		}
		q.heap[i] = q.heap[child]
		i = child
	}
	q.heap[i] = r
}

// walk goes through the valid places of a ranking from the top down, and
// touches little more of it than what it passes. The ranking must not change
// meanwhile.
type walk struct {
	of       *ranking
	frontier []int32 // a heap of places: what is next is among them
}

func (q *ranking) walk() *walk {
	w := &walk{of: q}
	if len(q.heap) > 0 {
		w.frontier = append(make([]int32, 0, 1<<10), 0)
	}
	return w
}

// peek returns the next place, nil at the end.
func (w *walk) peek() *rank {
	for len(w.frontier) > 0 {
		if r := &w.of.heap[w.frontier[0]]; !w.of.isVoid(r) {
			return r
		}
		w.skip()
	}
	return nil
}

func (w *walk) entry(r *rank) *entry { return w.of.of.entries[r.slot] }

// skip passes the place that peek returned: the two below it in the heap are
// the next ones that may follow.
func (w *walk) skip() {
	left, right := 2*w.frontier[0]+1, 2*w.frontier[0]+2
	n := int32(len(w.of.heap))
	if left < n {
		w.frontier[0] = left
	} else {
		last := len(w.frontier) - 1
		w.frontier[0] = w.frontier[last]
		w.frontier = w.frontier[:last]
	}
	w.sink()
	if right < n {
		w.frontier = append(w.frontier, right)
		w.rise()
	}
}

func (w *walk) before(a, b int32) bool { return w.of.before(&w.of.heap[a], &w.of.heap[b]) }

func (w *walk) rise() {
	f := w.frontier
	for i := len(f) - 1; i > 0; {
		parent := (i - 1) / 2
		if !w.before(f[i], f[parent]) {
			break
		}
		f[i], f[parent] = f[parent], f[i]
		i = parent
	}
}

func (w *walk) sink() {
	f := w.frontier
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(f) {
			break
		}
		if right := child + 1; right < len(f) && w.before(f[right], f[child]) {
			child = right
		}
		if !w.before(f[child], f[i]) {
			break
		}
		f[i], f[child] = f[child], f[i]
		i = child
	}
}
