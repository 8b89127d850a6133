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

// candidate is a transaction that could go into a block, copied out of the
// pool so that choosing needs no lock. Relatives are places in the list of
// candidates, which is in the order of entry.seq: parents before children.
type candidate struct {
	tx       *consensus.Tx
	fee      int64
	vsize    int64
	sigOps   int64
	gov      *governing // nil: no records
	parents  []int
	children []int

	place    int
	chosen   bool
	out      bool   // cannot go into this block, as it or an ancestor has records that fail in it
	up       totals // with those of its ancestors that are not chosen
	heapSlot int    // -1: not in the heap
}

// candidatesLocked copies all entries.
func (p *Pool) candidatesLocked() []*candidate {
	sorted := p.sortedLocked()
	place := make(map[*entry]int, len(sorted))
	list := make([]*candidate, len(sorted))
	block := make([]candidate, len(sorted)) // one allocation
	for i, e := range sorted {
		place[e] = i
		c := &block[i]
		*c = candidate{tx: e.tx, fee: e.fee, vsize: e.vsize, sigOps: e.sigOps, gov: e.gov, up: e.up, place: i, heapSlot: -1}
		list[i] = c
		for parent := range e.parents {
			at := place[parent]
			c.parents = append(c.parents, at)
			list[at].children = append(list[at].children, i)
		}
	}
	return list
}

// room is what is left in a block.
type room struct {
	weight int64
	sigOps int64
	txs    int
}

func (r *room) fits(weight, sigOps int64, txs int) bool {
	return weight <= r.weight && sigOps <= r.sigOps && txs <= r.txs
}

func (r *room) take(c *candidate) {
	r.weight -= c.tx.Weight
	r.sigOps -= c.sigOps
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

// chooser picks transactions for a block.
type chooser struct {
	list   []*candidate
	left   room
	draft  *permission.Draft // nil: no records can be among them
	queue  packageHeap
	chosen *choice
}

// choose picks transactions: first what members govern with, up to its share
// of the block, then again and again the one that pays most per virtual byte
// together with those of its ancestors that are not picked yet, and them with
// it. draft is the state of members and permissions for the block; nil for
// chains without. What the block would not allow after what was picked before
// is left out, with all that depends on it.
func choose(list []*candidate, left room, draft *permission.Draft) *choice {
	c := &chooser{list: list, left: left, draft: draft, chosen: &choice{}}
	if draft != nil {
		c.govern()
	}
	c.pay()
	return c.chosen.finish()
}

// govern picks the transactions in which members speak, those of each member
// in turn.
func (ch *chooser) govern() {
	share := room{weight: ch.left.weight / recordShare, sigOps: ch.left.sigOps / recordShare, txs: max(1, ch.left.txs/recordShare)}
	for _, c := range ch.inTurn() {
		ch.pack(c, &share)
	}
}

// inTurn returns the candidates in which members speak: the first of each
// member, then the second of each, and so on, in the order in which they came.
func (ch *chooser) inTurn() []*candidate {
	type place struct {
		*candidate
		nth int // of those of its members
	}
	var list []place
	before := make(map[record.MemberID]int)
	for _, c := range ch.list {
		if c.gov == nil || len(c.gov.members) == 0 {
			continue
		}
		nth := 0
		for _, id := range c.gov.members {
			nth = max(nth, before[id])
			before[id]++
		}
		list = append(list, place{c, nth})
	}
	slices.SortStableFunc(list, func(a, b place) int { return cmp.Compare(a.nth, b.nth) })
	sorted := make([]*candidate, len(list))
	for i := range list {
		sorted[i] = list[i].candidate
	}
	return sorted
}

// pay picks by fee.
func (ch *chooser) pay() {
	for _, c := range ch.list {
		if !c.chosen && !c.out {
			c.heapSlot = len(ch.queue)
			ch.queue = append(ch.queue, c)
		}
	}
	heap.Init(&ch.queue)
	for misses := 0; len(ch.queue) > 0; {
		best := heap.Pop(&ch.queue).(*candidate)
		if ch.pack(best, nil) {
			misses = 0
		} else if misses++; misses > maxMisses && ch.left.weight < nearlyFullAt {
			break
		}
	}
}

// pack picks c and those of its ancestors that are not picked yet, if there is
// room for all of them, also in share where that is not nil. It reports
// whether there was.
func (ch *chooser) pack(c *candidate, share *room) bool {
	if c.chosen || c.out {
		return true
	}
	pack := missingAncestors(ch.list, c)
	var weight, sigOps int64
	for _, c := range pack {
		weight += c.tx.Weight
		sigOps += c.sigOps
	}
	if !ch.left.fits(weight, sigOps, len(pack)) || share != nil && !share.fits(weight, sigOps, len(pack)) {
		return false
	}
	for _, c := range pack {
		if c.gov != nil && ch.draft != nil && ch.draft.Add(c.tx, c.gov.coins) != nil {
			ch.leaveOut(c)
			break // the rest depends on it, or is worth little without c
		}
		ch.left.take(c)
		if share != nil {
			share.take(c)
		}
		ch.take(c)
	}
	return true
}

// leaveOut drops c and all that depends on it.
func (ch *chooser) leaveOut(c *candidate) {
	todo := []int{c.place}
	for len(todo) > 0 {
		d := ch.list[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		if d.out {
			continue
		}
		d.out = true
		if d.heapSlot >= 0 {
			heap.Remove(&ch.queue, d.heapSlot)
		}
		todo = append(todo, d.children...)
	}
}

// missingAncestors returns c and those of its ancestors that are not chosen,
// parents before children.
func missingAncestors(list []*candidate, c *candidate) []*candidate {
	pack := []*candidate{c}
	seen := map[int]bool{c.place: true}
	for i := 0; i < len(pack); i++ {
		for _, at := range pack[i].parents {
			if !list[at].chosen && !seen[at] {
				seen[at] = true
				pack = append(pack, list[at])
			}
		}
	}
	slices.SortFunc(pack, func(a, b *candidate) int { return a.place - b.place })
	return pack
}

// take picks c: its descendants need not pay for it any more.
func (ch *chooser) take(c *candidate) {
	c.chosen = true
	ch.chosen.add(c)
	if c.heapSlot >= 0 {
		heap.Remove(&ch.queue, c.heapSlot)
	}
	seen := map[int]bool{}
	todo := slices.Clone(c.children)
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		d := ch.list[at]
		d.up.count--
		d.up.vsize -= c.vsize
		d.up.fees -= c.fee
		d.up.sigOps -= c.sigOps
		if d.heapSlot >= 0 {
			heap.Fix(&ch.queue, d.heapSlot)
		}
		todo = append(todo, d.children...)
	}
}

// packageHeap has the candidate on top that is to be chosen next; of equals
// the one that came first.
type packageHeap []*candidate

func (h packageHeap) Len() int { return len(h) }

func (h packageHeap) Less(i, j int) bool {
	a, b := &h[i].up, &h[j].up
	if c := policy.CompareRates(a.fees, a.vsize, b.fees, b.vsize); c != 0 {
		return c > 0
	}
	return h[i].place < h[j].place
}

func (h packageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapSlot, h[j].heapSlot = i, j
}

func (h *packageHeap) Push(x any) {
	c := x.(*candidate)
	c.heapSlot = len(*h)
	*h = append(*h, c)
}

func (h *packageHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	c.heapSlot = -1
	*h = old[:len(old)-1]
	return c
}

func unixTime(seconds uint32) time.Time { return time.Unix(int64(seconds), 0) }
