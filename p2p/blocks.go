package p2p

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params/scan"
	"github.com/charterchain/charter/p2p/message"
)

// Bounds of blocks that wait for the chain; p2p/README.md lists them all.
const (
	maxQueuedBlocks = 256      // waiting or asked for
	maxQueuedBytes  = 64 << 20 // of memory: the same, by what blocks lately took
	mostQueuedBytes = 4 * maxQueuedBytes
	maxSources      = 4096
)

// source says who brought a block that is not connected yet.
type source struct {
	from   *peer
	height int32
	prev   chainhash.Hash
}

// arrivedBlock is a block that waits to be judged.
type arrivedBlock struct {
	from   *peer
	block  *consensus.Block
	hints  []byte // nil: none came with it
	height int32
	size   int64 // of memory
	old    bool  // of the history
}

func (b *arrivedBlock) before(other *arrivedBlock) bool {
	if b.old != other.old {
		return other.old
	}
	return b.height < other.height
}

// blockArrived queues a block that was asked for. When far more bytes wait
// than the blocks' usual size let expect, the peer that sends waits too.
// Called by the read loop.
func (s *syncer) blockArrived(ctx context.Context, p *peer, raw, hints []byte) error {
	hash := chainhash.DoubleHashH(raw[:scan.HeaderSize])
	now := s.n.cfg.Now()
	s.mu.Lock()
	solicited, needed, old := s.arrivedLocked(p.id, hash, now)
	s.mu.Unlock()
	switch {
	case !solicited:
		s.n.cfg.Metrics.block(resultUnasked)
		if !p.limits.allowUnasked(now) {
			return &ending{code: message.CodeUnsolicited, reason: "blocks that were not asked for", blame: true}
		}
		return nil
	case !needed:
		s.n.cfg.Metrics.block(resultKnown)
		s.wake()
		return nil
	}
	b, err := consensus.DecodeBlock(raw, &s.n.cfg.Params.Limits)
	if err != nil {
		return err // the message was checked
	}
	// On the path, so its header is known.
	info, _ := s.chain.Lookup(b.Hash)
	item := arrivedBlock{p, b, hints, info.Height, b.Memory(), old}
	if hints != nil {
		s.chain.OfferHints(b.Hash, hints)
	}
	for {
		s.mu.Lock()
		drained, ok := s.queue.put(item)
		s.mu.Unlock()
		if ok {
			signal(s.work)
			signal(s.queued)
			s.wake()
			return nil
		}
		select {
		case <-drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// feed hands what arrives to the chain: headers first, then the lowest
// block. One goroutine does it, so that the chain is never asked twice at a
// time and peers cannot starve each other.
func (s *syncer) feed(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		var headers *arrivedHeaders
		if len(s.headers) > 0 {
			headers = &s.headers[0]
			s.headers = s.headers[1:]
		}
		s.mu.Unlock()
		var block arrivedBlock
		found := false
		if headers == nil {
			block, found = s.nextBlock()
		}
		switch {
		case headers != nil:
			s.judgeHeaders(ctx, *headers)
		case found:
			signal(s.queued)
			s.judgeBlock(ctx, block)
		default:
			select {
			case <-s.work:
			case <-ctx.Done():
			}
		}
	}
}

// nextBlock takes the block out of the queue that the chain is to judge next:
// the lowest one. Where headers are undecided before their parents are
// judged, it is the lowest whose parent's body the chain has: no other
// could be decided. Called by feed.
func (s *syncer) nextBlock() (arrivedBlock, bool) {
	s.mu.Lock()
	if !s.sealed {
		defer s.mu.Unlock()
		return s.queue.pop()
	}
	waiting := s.queue.list()
	s.mu.Unlock()
	best := s.chain.Best()
	for _, b := range waiting {
		if s.follows(b, best) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return b, s.queue.remove(b.block.Hash)
		}
	}
	s.dropStray(waiting)
	return arrivedBlock{}, false
}

// follows reports whether the chain has the body of a block's parent.
func (s *syncer) follows(b arrivedBlock, best BlockInfo) bool {
	prev := b.block.Header.PrevBlock
	if prev == best.Hash {
		return true
	}
	parent, ok := s.chain.Lookup(prev)
	if !ok || parent.HaveData {
		return ok
	}
	at, ok := s.chain.Ancestor(best.Hash, parent.Height) // pruned, or before a snapshot
	return ok && at.Hash == prev
}

// dropStray drops blocks that wait for their parents and are not fetched any
// more: what they wait for may never come.
func (s *syncer) dropStray(waiting []arrivedBlock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range waiting {
		if !s.sched.Has(b.block.Hash) {
			s.queue.remove(b.block.Hash)
			s.n.cfg.Metrics.drop("blocks")
		}
	}
}

// judgeBlock hands a block to the chain and draws the consequences.
func (s *syncer) judgeBlock(ctx context.Context, w arrivedBlock) {
	p, b := w.from, w.block
	s.mu.Lock()
	if len(s.sources) < maxSources {
		s.sources[b.Hash] = source{p, w.height, b.Header.PrevBlock}
	}
	s.mu.Unlock()
	err := s.chain.AcceptBlock(ctx, b)
	now := s.n.cfg.Now()
	rule := consensus.AsRule(err)
	switch {
	case err == nil:
		s.n.cfg.Metrics.block(resultNew)
		p.mu.Lock()
		p.lastBlock = now
		p.mu.Unlock()
		s.compareHints(w)
	case rule != nil && rule.Mutated:
		// This copy is bad; another one may be good.
		s.n.cfg.Metrics.block(resultInvalid)
		s.again(b.Hash, now)
		p.stop(ending{code: message.CodeInvalidData, reason: clip("block breaks a rule: " + string(rule.Rule)), blame: true})
	case rule != nil:
		// This block, or one stored earlier that it has connected.
		s.n.cfg.Metrics.block(resultInvalid)
		s.blameSources()
	case ctx.Err() != nil:
	case errors.Is(err, ErrTooOld): // the operator is told by others
		s.n.cfg.Metrics.block(resultUndecided)
	case errors.Is(err, consensus.ErrNotYet):
		s.n.cfg.Metrics.block(resultUndecided)
		s.again(b.Hash, now.Add(time.Second))
	default:
		s.n.cfg.Metrics.block(resultUndecided)
		s.n.log.Debug("block could not be judged", "hash", b.Hash, "height", w.height, "err", err)
		s.again(b.Hash, now.Add(undecidedWait))
	}
	s.wake()
}

// again wants a block once more.
func (s *syncer) again(hash chainhash.Hash, notBefore time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retryLocked(hash, notBefore)
}

func (s *syncer) retryLocked(hash chainhash.Hash, notBefore time.Time) {
	s.sched.Retry(hash, notBefore)
	s.history.Retry(hash, notBefore)
}

// isCulprit reports whether a block breaks a rule itself, rather than
// standing on one that does.
func (s *syncer) isCulprit(hash, prev chainhash.Hash) bool {
	info, ok := s.chain.Lookup(hash)
	parent, okParent := s.chain.Lookup(prev)
	return ok && info.Invalid && okParent && !parent.Invalid
}

// blameSources ends the sessions of those who brought blocks that turned
// out, when they were connected, to break a rule.
func (s *syncer) blameSources() {
	s.mu.Lock()
	all := make(map[chainhash.Hash]source, len(s.sources))
	for hash, src := range s.sources {
		all[hash] = src
	}
	s.mu.Unlock()
	for hash, src := range all {
		info, ok := s.chain.Lookup(hash)
		if !ok || !info.Invalid {
			continue
		}
		if s.isCulprit(hash, src.prev) {
			src.from.stop(ending{code: message.CodeInvalidData, reason: "block breaks a rule: " + hash.String(), blame: true})
		}
		s.mu.Lock()
		delete(s.sources, hash)
		s.mu.Unlock()
	}
}

// forgetSourcesLocked forgets who brought blocks that are connected.
func (s *syncer) forgetSourcesLocked(height int32) {
	for hash, src := range s.sources {
		if src.height <= height {
			delete(s.sources, hash)
		}
	}
}

// blockQueue holds blocks that wait to be judged, lowest first, those of the
// history last.
type blockQueue struct {
	heap    blockHeap
	hashes  map[chainhash.Hash]bool
	bytes   int64
	usual   int64         // memory of a block, a maximum that fades
	drained chan struct{} // closed when a block is taken out
}

func newBlockQueue() blockQueue {
	return blockQueue{hashes: make(map[chainhash.Hash]bool), usual: 1, drained: make(chan struct{})}
}

// room returns how many blocks may be waiting or asked for, besides those
// that wait: always at least one in all, or nothing would move.
func (q *blockQueue) room() int {
	most := min(maxQueuedBlocks, max(1, int(maxQueuedBytes/q.usual)))
	return most - len(q.heap)
}

// put adds a block, or returns a channel that is closed when it is worth
// another try. The lowest never waits: the others may wait for it.
func (q *blockQueue) put(b arrivedBlock) (drained <-chan struct{}, ok bool) {
	if len(q.heap) > 0 && q.bytes+b.size > mostQueuedBytes && b.height >= q.heap[0].height {
		return q.drained, false
	}
	heap.Push(&q.heap, b)
	q.hashes[b.block.Hash] = true
	q.bytes += b.size
	q.usual = max(b.size, q.usual-q.usual/64, 1)
	return nil, true
}

func (q *blockQueue) pop() (arrivedBlock, bool) {
	if len(q.heap) == 0 {
		return arrivedBlock{}, false
	}
	b := heap.Pop(&q.heap).(arrivedBlock)
	q.taken(b)
	return b, true
}

// list returns the blocks, lowest first.
func (q *blockQueue) list() []arrivedBlock {
	return slices.SortedFunc(slices.Values(q.heap), func(a, b arrivedBlock) int {
		return cmp.Compare(a.height, b.height)
	})
}

// remove takes a block out and reports whether it was there.
func (q *blockQueue) remove(hash chainhash.Hash) bool {
	for i, b := range q.heap {
		if b.block.Hash == hash {
			heap.Remove(&q.heap, i)
			q.taken(b)
			return true
		}
	}
	return false
}

func (q *blockQueue) taken(b arrivedBlock) {
	delete(q.hashes, b.block.Hash)
	q.bytes -= b.size
	close(q.drained)
	q.drained = make(chan struct{})
}

func (q *blockQueue) has(hash chainhash.Hash) bool { return q.hashes[hash] }

// blockHeap is a heap.Interface in the order of blockQueue.
type blockHeap []arrivedBlock

func (h blockHeap) Len() int           { return len(h) }
func (h blockHeap) Less(i, j int) bool { return h[i].before(&h[j]) }
func (h blockHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *blockHeap) Push(x any) { *h = append(*h, x.(arrivedBlock)) }

// Pop implements heap.Interface.
func (h *blockHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = arrivedBlock{}
	*h = (*h)[:len(*h)-1]
	return last
}
