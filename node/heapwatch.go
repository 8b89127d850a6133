package node

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// heapBase is memory beyond --dbcache for all the rest: blocks that are
	// under way, the header index, tables for signatures, stacks.
	heapBase = 128 << 20

	// The limit never is less than what is in use and one part in heapSlack
	// of it: below that the collector would run without end.
	heapSlack = 3

	// heapSteps is which part of the limit is too little to change it for.
	heapSteps = 32

	// heapEvery is how often it is looked after. What is in use may double in
	// a few seconds, and then the collector runs all the time until the limit
	// follows.
	heapEvery = time.Second
)

// heapWatch keeps the garbage collector from letting the process grow to
// twice what it uses, which is its own way. While there is more than heapBase
// beside --dbcache it collects sooner: that costs little, since most of what
// is in use then are coins, which hold no pointers. A pool of transactions, or
// whatever else is large, moves the limit up.
//
// With the environment variable GOMEMLIMIT the limit is the operator's. GOGC
// stays as it is in any case.
type heapWatch struct {
	cache int64 // --dbcache, bytes
	used  func() int64
	limit func(bytes int64)
	last  int64 // limit that is set
}

// newHeapWatch returns the watch of this process; nil where the environment
// has set a limit.
func newHeapWatch(cache int64, environment func(string) string) *heapWatch {
	if environment("GOMEMLIMIT") != "" {
		return nil
	}
	return &heapWatch{cache: cache, used: usedMemory, limit: func(n int64) { debug.SetMemoryLimit(n) }}
}

// usedMemory is the heap as of the last collection, and what the runtime uses
// besides, in bytes.
func usedMemory() int64 {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	n := int64(0)
	for i, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return 0 // a runtime without this figure
		}
		if v := int64(min(s.Value.Uint64(), math.MaxInt64)); i < 2 {
			n += v
		} else {
			n -= v
		}
	}
	return n
}

// check sets the limit, where it is another than before by more than little:
// setting it halts the process for a moment.
func (w *heapWatch) check() {
	used := w.used()
	limit := max(w.cache+heapBase, used+used/heapSlack)
	if diff := limit - w.last; max(diff, -diff) > limit/heapSteps {
		w.last = limit
		w.limit(limit)
	}
}

// Run sets it from time to time until ctx is done.
func (w *heapWatch) Run(ctx context.Context) error {
	if w == nil {
		return nil
	}
	tick := time.NewTicker(heapEvery)
	defer tick.Stop()
	for {
		w.check()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
