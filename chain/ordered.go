package chain

import (
	"context"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"
)

// ordered makes items beside the goroutine that uses them: one goroutine
// produces them, others do the work on each, side by side, and the user gets
// them in the order of production. How many bytes are under way, from before
// an item is there until the user asks for the next one, is bounded.
type ordered[T any] struct {
	ctx   context.Context
	stop  context.CancelFunc
	limit int64
	room  *semaphore.Weighted // bytes
	cores chan struct{}       // holds a value for each item that is worked on
	line  chan *made[T]
	group sync.WaitGroup
	used  int64 // bytes of the item that the user has
}

type made[T any] struct {
	item T
	size int64
	done chan struct{} // closed when the work on item has ended
}

// orderedLeast is counted for an item at least, in bytes.
const orderedLeast = 32 << 10

// newOrdered starts produce, which calls reserve and then add for each item
// until it has no more or one of them returns false.
func newOrdered[T any](ctx context.Context, limit int64, produce func(o *ordered[T])) *ordered[T] {
	o := &ordered[T]{
		limit: limit,
		room:  semaphore.NewWeighted(limit),
		cores: make(chan struct{}, runtime.GOMAXPROCS(0)),
		line:  make(chan *made[T], limit/orderedLeast+1), // add never waits for the user
	}
	o.ctx, o.stop = context.WithCancel(ctx)
	o.group.Go(func() {
		defer close(o.line)
		produce(o)
	})
	return o
}

// reserve waits for room for an item of size bytes, and returns how many are
// counted; false: nobody wants it any more.
func (o *ordered[T]) reserve(size int64) (int64, bool) {
	size = min(max(size, orderedLeast), o.limit)
	return size, o.room.Acquire(o.ctx, size) == nil
}

// add hands over an item, for which reserve counted size bytes. work, if not
// nil, is done on it before the user gets it.
func (o *ordered[T]) add(item T, size int64, work func(item T)) bool {
	m := &made[T]{item: item, size: size, done: make(chan struct{})}
	if work == nil {
		close(m.done)
	} else {
		select {
		case o.cores <- struct{}{}:
		case <-o.ctx.Done():
			return false
		}
		o.group.Go(func() {
			defer func() { <-o.cores }()
			defer close(m.done)
			work(item)
		})
	}
	o.line <- m
	return true
}

// next returns the next item once the work on it is done, and gives back the
// room of the one before; false: there are no more.
func (o *ordered[T]) next() (item T, ok bool) {
	if o.used > 0 {
		o.room.Release(o.used)
		o.used = 0
	}
	m, ok := <-o.line
	if !ok {
		return item, false
	}
	o.used = m.size
	<-m.done
	return m.item, true
}

// end stops production, waits until all its goroutines have ended, and calls
// fn for each item that the user did not get.
func (o *ordered[T]) end(fn func(item T)) {
	o.stop()
	o.group.Wait()
	for m := range o.line {
		fn(m.item)
	}
}
