package transport

import (
	"context"
	"sync"
	"time"
)

// Budget is the memory that all links of a node together may hold for
// incoming messages of more than one frame and for decoding. What a link
// holds without it is fixed: one frame each way (64 KiB) and its send queue.
//
// When it is exhausted a link that needs more waits, and is closed with
// CodeResources if nothing comes free within Timeouts.Budget: links that
// hold part of a message and wait for each other cannot block for ever.
// Those that wait are served in the order in which they came.
type Budget struct {
	size int64

	mu      sync.Mutex
	used    int64
	waiters []*budgetWaiter // oldest first
}

type budgetWaiter struct {
	bytes int64
	ready chan struct{}
}

// NewBudget makes a budget of size bytes.
func NewBudget(size int64) *Budget { return &Budget{size: size} }

// Size returns the budget's size in bytes.
func (b *Budget) Size() int64 { return b.size }

// Used returns the bytes taken now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// take waits until bytes are free and takes them. It returns ErrBudget
// after wait, or the context's error.
func (b *Budget) take(ctx context.Context, bytes int64, wait time.Duration) error {
	b.mu.Lock()
	if len(b.waiters) == 0 && b.used+bytes <= b.size {
		b.used += bytes
		b.mu.Unlock()
		return nil
	}
	if bytes > b.size {
		b.mu.Unlock()
		return ErrBudget
	}
	w := &budgetWaiter{bytes: bytes, ready: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-timer.C:
		err = ErrBudget
	case <-ctx.Done():
		err = ctx.Err()
	}
	return b.leave(w, err)
}

// leave takes w out of the queue; if it was served meanwhile that stands.
func (b *Budget) leave(w *budgetWaiter, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, o := range b.waiters {
		if o == w {
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			b.serveLocked()
			return err
		}
	}
	return nil
}

func (b *Budget) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= bytes
	if b.used < 0 {
		panic("transport: budget given back twice")
	}
	b.serveLocked()
}

func (b *Budget) serveLocked() {
	for len(b.waiters) > 0 && b.used+b.waiters[0].bytes <= b.size {
		w := b.waiters[0]
		b.waiters = b.waiters[1:]
		b.used += w.bytes
		close(w.ready)
	}
}
