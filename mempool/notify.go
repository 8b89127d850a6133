package mempool

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/charterchain/charter/chain/consensus"
)

// TxEventKind says what happened to a transaction.
type TxEventKind uint8

// The kinds of events.
const (
	Added TxEventKind = iota
	Removed
)

// Reason says why a transaction left the pool. Its text is stable.
type Reason string

// The reasons for which transactions leave.
const (
	ReasonBlock    Reason = "block"    // a block confirmed it
	ReasonConflict Reason = "conflict" // a block confirmed another spend of one of its inputs
	ReasonReorg    Reason = "reorg"    // it does not fit the branch that is now best
	ReasonExpiry   Reason = "expiry"   // it waited too long
	ReasonSize     Reason = "size"     // the pool is full, and it paid least
	ReasonFlags    Reason = "flags"    // its scripts were checked under fewer rules than now apply

	ReasonPermission Reason = "permission" // members and permissions of the next block do not allow it any more
)

func reasons() []Reason {
	return []Reason{ReasonBlock, ReasonConflict, ReasonReorg, ReasonExpiry, ReasonSize, ReasonFlags, ReasonPermission}
}

// TxEvent reports that a transaction entered or left the pool. A transaction
// that leaves for another reason than ReasonBlock takes its descendants with
// it, each with an event of its own, children before parents.
type TxEvent struct {
	Kind   TxEventKind
	Tx     *consensus.Tx
	Fee    int64  // smallest unit
	VSize  int64  // as policy counts
	Seq    uint64 // counts events of this pool, from 1, without a gap
	Reason Reason // for Removed

	// Returned is set when an added transaction comes from a block that was
	// disconnected.
	Returned bool
}

// notifier calls subscribers in the order in which events were queued.
// Queueing happens under Pool.mu, calling under order alone.
type notifier struct {
	order sync.Mutex // held while subscribers are called

	mu    sync.Mutex // guards the rest; a leaf
	seq   uint64
	queue []TxEvent
	spare []TxEvent       // an empty queue for later
	subs  []*subscription // in order of subscription; replaced, never changed
}

type subscription struct {
	fn        func(TxEvent)
	cancelled atomic.Bool
}

// Subscribe makes fn be called for every change from now on, in order, one
// at a time, soon after it happened; see the package documentation for what
// fn may do. What fn waits for (a lock of its own) must not be held by
// anybody who calls Accept. After cancel has returned no further call begins; cancel may be
// called more than once.
func (p *Pool) Subscribe(fn func(TxEvent)) (cancel func()) {
	n := &p.notify
	n.mu.Lock()
	defer n.mu.Unlock()
	sub := &subscription{fn: fn}
	n.subs = append(slices.Clone(n.subs), sub)
	return func() {
		sub.cancelled.Store(true)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.subs = slices.DeleteFunc(slices.Clone(n.subs), func(s *subscription) bool { return s == sub })
	}
}

// queueEvent takes note of a change. The caller holds Pool.mu.
func (n *notifier) queueEvent(ev TxEvent) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seq++
	ev.Seq = n.seq
	n.queue = append(n.queue, ev)
}

// maxSpare is how many events a queue that is kept for later may have room for.
const maxSpare = 1 << 10

// deliver passes on all that is queued. The caller must not hold Pool.mu.
func (n *notifier) deliver() {
	n.order.Lock()
	defer n.order.Unlock()
	for {
		batch, subs := n.take()
		if len(batch) == 0 {
			return
		}
		for _, ev := range batch {
			for _, sub := range subs {
				if !sub.cancelled.Load() {
					sub.fn(ev)
				}
			}
		}
		n.giveBack(batch)
	}
}

func (n *notifier) take() ([]TxEvent, []*subscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	batch := n.queue
	n.queue, n.spare = n.spare, nil
	return batch, n.subs
}

func (n *notifier) giveBack(batch []TxEvent) {
	if cap(batch) > maxSpare {
		return
	}
	clear(batch)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spare = batch[:0]
}
