package mempool

import (
	"container/heap"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/consensus"
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
	parents  []int
	children []int

	place    int
	chosen   bool
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
		*c = candidate{tx: e.tx, fee: e.fee, vsize: e.vsize, sigOps: e.sigOps, up: e.up, place: i}
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

// A nearly full block is not filled to the last byte: after this many
// packages in a row that do not fit, with less than this weight left, the
// search ends.
const (
	maxMisses    = 1_000
	nearlyFullAt = 4_000 // weight units
)

// choose picks transactions: again and again the one that pays most per
// virtual byte together with those of its ancestors that are not picked yet,
// and them with it.
func choose(list []*candidate, left room) *choice {
	queue := make(packageHeap, len(list))
	for i, c := range list {
		c.heapSlot = i
		queue[i] = c
	}
	heap.Init(&queue)
	chosen := &choice{}
	for misses := 0; len(queue) > 0; {
		best := heap.Pop(&queue).(*candidate)
		pack := missingAncestors(list, best)
		var weight int64
		for _, c := range pack {
			weight += c.tx.Weight
		}
		if !left.fits(weight, best.up.sigOps, len(pack)) {
			if misses++; misses > maxMisses && left.weight < nearlyFullAt {
				break
			}
			continue
		}
		misses = 0
		left.weight -= weight
		left.sigOps -= best.up.sigOps
		left.txs -= len(pack)
		for _, c := range pack {
			take(list, &queue, c)
			chosen.txs = append(chosen.txs, c.tx)
			chosen.fees = append(chosen.fees, c.fee)
			chosen.sigOps = append(chosen.sigOps, c.sigOps)
		}
	}
	return chosen.finish()
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

// take marks c as chosen: its descendants need not pay for it any more.
func take(list []*candidate, queue *packageHeap, c *candidate) {
	c.chosen = true
	if c.heapSlot >= 0 {
		heap.Remove(queue, c.heapSlot)
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
		d := list[at]
		d.up.count--
		d.up.vsize -= c.vsize
		d.up.fees -= c.fee
		d.up.sigOps -= c.sigOps
		if d.heapSlot >= 0 {
			heap.Fix(queue, d.heapSlot)
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
