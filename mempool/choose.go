package mempool

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/mempool/policy"
)

// room is what is left in a block.
type room struct {
	weight int64
	sigOps int64
	txs    int
}

func (r *room) fits(weight, sigOps int64, txs int) bool {
	return weight <= r.weight && sigOps <= r.sigOps && txs <= r.txs
}

func (r *room) take(e *entry) {
	r.weight -= e.tx.Weight
	r.sigOps -= e.sigOps
	r.txs--
}

// A nearly full block is not filled to the last byte: after this many
// packages in a row that do not fit, with less than this weight left, the
// search ends.
const (
	maxMisses    = 1_000
	nearlyFullAt = 4_000 // weight units
)

// recordShare is the part of a block that is kept for transactions with
// records: one in so many. What they do not need is for all.
const recordShare = 4

// chooser picks transactions for a block. It goes through the pool's ranking
// by packages, and knows beside it only what the choice itself changed: so it
// touches no more of the pool than it picks, and what is related to that.
type chooser struct {
	ranked *walk
	left   room
	draft  *permission.Draft // nil: no records can be among them
	queue  packageHeap       // those whose rank the choice changed
	chosen *choice

	marks   []*mark // all that were set
	room    []mark  // for more of them
	visited uint64  // counts goings through relatives
	list    []*mark // for one of them
}

// mark is what the choice means for an entry. Entries without relatives and
// records have none. An entry has its mark while the choice lasts.
type mark struct {
	*entry
	fees, vsize int64 // with those of its ancestors that are not chosen
	place       int   // in the choice; -1: not chosen
	out         bool  // cannot go into this block, as it or an ancestor has records that fail in it
	missed      bool  // there was no room for its package
	moved       bool  // fees and vsize are not those of the pool: it is, or was, in the queue
	slot        int   // in the queue; -1: not in it

	visited uint64 // the chooser's when it last went through relatives and found it
}

// choose picks transactions: first what members govern with, up to its share
// of the block, then again and again the one that pays most per virtual byte
// together with those of its ancestors that are not picked yet, and them with
// it. draft is the state of members and permissions for the block; nil for
// chains without. What the block would not allow after what was picked before
// is left out, with all that depends on it. speaking are those in which
// members speak, in the order in which they came.
//
// The pool must not change meanwhile, and there must be one choice at a time.
func choose(best *ranking, speaking []*entry, left room, draft *permission.Draft) *choice {
	const many = 1 << 13 // of plain payments in a full block
	n := min(best.valid, many)
	ch := &chooser{
		ranked: best.walk(), left: left, draft: draft,
		chosen: &choice{txs: make([]*consensus.Tx, 0, n), fees: make([]int64, 0, n), sigOps: make([]int64, 0, n), depends: make([][]int, 0, n)},
	}
	defer ch.unmark()
	if draft != nil {
		ch.govern(speaking)
	}
	ch.pay()
	return ch.chosen
}

// govern picks the transactions in which members speak, those of each member
// in turn.
func (ch *chooser) govern(speaking []*entry) {
	share := room{weight: ch.left.weight / recordShare, sigOps: ch.left.sigOps / recordShare, txs: max(1, ch.left.txs/recordShare)}
	for _, e := range inTurn(speaking) {
		ch.pack(e, &share)
	}
}

// inTurn sorts entries in which members speak: the first of each member, then
// the second of each, and so on, in the order in which they came.
func inTurn(speaking []*entry) []*entry {
	type place struct {
		*entry
		nth int // of those of its members
	}
	var list []place
	before := make(map[record.MemberID]int)
	for _, e := range speaking {
		nth := 0
		for _, id := range e.gov.members {
			nth = max(nth, before[id])
			before[id]++
		}
		list = append(list, place{e, nth})
	}
	slices.SortStableFunc(list, func(a, b place) int { return cmp.Compare(a.nth, b.nth) })
	sorted := make([]*entry, len(list))
	for i := range list {
		sorted[i] = list[i].entry
	}
	return sorted
}

// pay picks by fee.
func (ch *chooser) pay() {
	for misses := 0; ; {
		best := ch.next()
		switch {
		case best == nil:
			return
		case ch.pack(best, nil):
			misses = 0
			continue
		case !best.plain():
			ch.mark(best).missed = true
		}
		if misses++; misses > maxMisses && ch.left.weight < nearlyFullAt {
			return
		}
	}
}

// plain reports whether no choice of another can matter for e.
func (e *entry) plain() bool {
	return len(e.parents) == 0 && len(e.children) == 0 && e.gov == nil
}

// next returns what pays most now and was not looked at yet, nil at the end.
func (ch *chooser) next() *entry {
	head := ch.ranked.peek()
	for head != nil && !ch.ranksStill(ch.ranked.entry(head)) {
		ch.ranked.skip()
		head = ch.ranked.peek()
	}
	switch {
	case len(ch.queue) > 0 && (head == nil || ch.queue[0].above(head)):
		return heap.Pop(&ch.queue).(*mark).entry
	case head != nil:
		e := ch.ranked.entry(head)
		ch.ranked.skip()
		return e
	}
	return nil
}

// ranksStill reports whether the pool's rank of e holds, and e can be picked.
func (ch *chooser) ranksStill(e *entry) bool {
	if e.plain() {
		return true
	}
	m := e.mark
	return m == nil || m.place < 0 && !m.out && !m.moved
}

func (m *mark) above(r *rank) bool {
	own := rank{fee: m.fees, size: m.vsize, seq: m.seq}
	return own.above(r)
}

// mark returns the mark of e, and sets one if it has none.
func (ch *chooser) mark(e *entry) *mark {
	if e.mark != nil {
		return e.mark
	}
	if len(ch.room) == 0 {
		ch.room = make([]mark, 256)
	}
	m := &ch.room[0]
	ch.room = ch.room[1:]
	*m = mark{entry: e, fees: e.up.fees, vsize: e.up.vsize, place: -1, slot: -1}
	e.mark = m
	ch.marks = append(ch.marks, m)
	return m
}

// unmark takes all marks away.
func (ch *chooser) unmark() {
	for _, m := range ch.marks {
		m.entry.mark = nil
	}
}

// pack picks e and those of its ancestors that are not picked yet, if there is
// room for all of them, also in share where that is not nil. It reports
// whether there was.
func (ch *chooser) pack(e *entry, share *room) bool {
	if e.plain() {
		if !ch.left.fits(e.tx.Weight, e.sigOps, 1) {
			return false
		}
		ch.left.take(e)
		ch.chosen.add(e, nil)
		return true
	}
	m := ch.mark(e)
	if m.place >= 0 || m.out {
		return true
	}
	pack := ch.missingAncestors(m)
	var weight, sigOps int64
	for _, m := range pack {
		weight += m.tx.Weight
		sigOps += m.sigOps
	}
	if !ch.left.fits(weight, sigOps, len(pack)) || share != nil && !share.fits(weight, sigOps, len(pack)) {
		return false
	}
	for _, m := range pack {
		if m.gov != nil && ch.draft != nil && ch.draft.Add(m.tx, m.gov.coins) != nil {
			ch.leaveOut(m)
			break // the rest depends on it, or is worth little without it
		}
		ch.left.take(m.entry)
		if share != nil {
			share.take(m.entry)
		}
		ch.take(m)
	}
	return true
}

// leaveOut drops m and all that depends on it.
func (ch *chooser) leaveOut(m *mark) {
	for _, e := range descendantsOf(m.entry) {
		d := ch.mark(e)
		d.out = true
		ch.dequeue(d)
	}
}

func (ch *chooser) dequeue(m *mark) {
	if m.slot >= 0 {
		heap.Remove(&ch.queue, m.slot)
	}
}

// missingAncestors returns m and those of its ancestors that are not chosen,
// parents before children, until the next call. What is chosen has no ancestor
// that is not.
func (ch *chooser) missingAncestors(m *mark) []*mark {
	ch.visited++
	pack := append(ch.list[:0], m)
	for i := 0; i < len(pack); i++ {
		for _, parent := range pack[i].parents {
			if a := ch.mark(parent); a.place < 0 && a.visited != ch.visited {
				a.visited = ch.visited
				pack = append(pack, a)
			}
		}
	}
	if ch.list = pack; len(pack) > 1 {
		slices.SortFunc(pack, func(a, b *mark) int { return cmp.Compare(a.seq, b.seq) })
	}
	return pack
}

// take picks m: its descendants need not pay for it any more.
func (ch *chooser) take(m *mark) {
	m.place = len(ch.chosen.txs)
	ch.chosen.add(m.entry, placesOf(m.parents))
	ch.dequeue(m)
	ch.visited++
	ch.relieve(m.children, m)
}

// relieve goes through children of what depends on m, and through theirs.
func (ch *chooser) relieve(children []*entry, m *mark) {
	for _, e := range children {
		d := ch.mark(e)
		if d.visited == ch.visited {
			continue
		}
		d.visited = ch.visited
		d.fees -= m.fee
		d.vsize -= m.entry.vsize
		if d.place < 0 && !d.out && !d.missed {
			d.moved = true
			if d.slot >= 0 {
				heap.Fix(&ch.queue, d.slot)
			} else {
				heap.Push(&ch.queue, d)
			}
		}
		ch.relieve(e.children, m)
	}
}

// placesOf returns where chosen entries stand, in rising order.
func placesOf(list []*entry) []int {
	if len(list) == 0 {
		return nil
	}
	places := make([]int, len(list))
	for i, e := range list {
		places[i] = e.mark.place
	}
	slices.Sort(places)
	return places
}

// packageHeap has the mark on top that is to be chosen next; of equals the one
// that came first.
type packageHeap []*mark

func (h packageHeap) Len() int { return len(h) }

func (h packageHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if c := policy.CompareRates(a.fees, a.vsize, b.fees, b.vsize); c != 0 {
		return c > 0
	}
	return a.seq < b.seq
}

func (h packageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

func (h *packageHeap) Push(x any) {
	m := x.(*mark)
	m.slot = len(*h)
	*h = append(*h, m)
}

func (h *packageHeap) Pop() any {
	old := *h
	m := old[len(old)-1]
	m.slot = -1
	*h = old[:len(old)-1]
	return m
}

func unixTime(seconds uint32) time.Time { return time.Unix(int64(seconds), 0) }
