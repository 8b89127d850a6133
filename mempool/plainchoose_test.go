package mempool

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/mempool/policy"
)

// candidate is a transaction that could go into a block. Relatives are places in the list of
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

// candidates copies all entries.
func (p *Pool) candidates() []*candidate {
	place := make(map[*entry]int)
	var list []*candidate
	for e := range p.roster.all() {
		place[e] = len(list)
		c := &candidate{tx: e.tx, fee: e.fee, vsize: e.vsize, sigOps: e.sigOps, gov: e.gov, up: e.up, place: len(list), heapSlot: -1}
		for _, parent := range e.parents {
			at := place[parent]
			c.parents = append(c.parents, at)
			list[at].children = append(list[at].children, c.place)
		}
		list = append(list, c)
	}
	return list
}

// plainChooser picks transactions for a block: the plain way, which copies all
// and sorts all.
type plainChooser struct {
	list   []*candidate
	left   room
	draft  *permission.Draft // nil: no records can be among them
	queue  plainHeap
	chosen []*candidate
}

// choosePlainly is choose, written down as its documentation says it.
func choosePlainly(list []*candidate, left room, draft *permission.Draft) []*candidate {
	c := &plainChooser{list: list, left: left, draft: draft}
	if draft != nil {
		c.govern()
	}
	c.pay()
	return c.chosen
}

// govern picks the transactions in which members speak, those of each member
// in turn.
func (ch *plainChooser) govern() {
	share := room{weight: ch.left.weight / recordShare, sigOps: ch.left.sigOps / recordShare, txs: max(1, ch.left.txs/recordShare)}
	for _, c := range ch.inTurn() {
		ch.pack(c, &share)
	}
}

// inTurn returns the candidates in which members speak: the first of each
// member, then the second of each, and so on, in the order in which they came.
func (ch *plainChooser) inTurn() []*candidate {
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
func (ch *plainChooser) pay() {
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
func (ch *plainChooser) pack(c *candidate, share *room) bool {
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
		take(&ch.left, c)
		if share != nil {
			take(share, c)
		}
		ch.take(c)
	}
	return true
}

// leaveOut drops c and all that depends on it.
func (ch *plainChooser) leaveOut(c *candidate) {
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
func (ch *plainChooser) take(c *candidate) {
	c.chosen = true
	ch.chosen = append(ch.chosen, c)
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

func take(r *room, c *candidate) {
	r.weight -= c.tx.Weight
	r.sigOps -= c.sigOps
	r.txs--
}

// plainHeap has the candidate on top that is to be chosen next; of equals
// the one that came first.
type plainHeap []*candidate

func (h plainHeap) Len() int { return len(h) }

func (h plainHeap) Less(i, j int) bool {
	a, b := &h[i].up, &h[j].up
	if c := policy.CompareRates(a.fees, a.vsize, b.fees, b.vsize); c != 0 {
		return c > 0
	}
	return h[i].place < h[j].place
}

func (h plainHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapSlot, h[j].heapSlot = i, j
}

func (h *plainHeap) Push(x any) {
	c := x.(*candidate)
	c.heapSlot = len(*h)
	*h = append(*h, c)
}

func (h *plainHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	c.heapSlot = -1
	*h = old[:len(old)-1]
	return c
}
