package node

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// heapBase is memory beyond --dbcache for all the rest: blocks that are
	// under way, the header index, tables for signatures, stacks.
	heapBase = 128 << 20

	// The limit never is less than what is in use and one part in heapSlack
	// of it: below that the collector would run without end.
	heapSlack = 3
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

// check sets the limit.
func (w *heapWatch) check() {
	used := w.used()
	w.limit(max(w.cache+heapBase, used+used/heapSlack))
}

// Run sets it from time to time until ctx is done.
func (w *heapWatch) Run(ctx context.Context) error {
	if w == nil {
		return nil
	}
	return watch(ctx, func() error {
		w.check()
		return nil
	})
}
