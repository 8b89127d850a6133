package node

import (
	"context"
	"log/slog"
	"time"
)

const (
	// Memory is low when less than one part in memoryShare of it is
	// available, within these bounds, bytes.
	memoryShare     = 16
	leastMemoryLow  = 32 << 20
	utmostMemoryLow = 512 << 20

	// coinsWhenLow is the part of its budget that the coin cache keeps then.
	coinsWhenLow = 4
)

// memoryWatch gives memory back before the system takes it by killing the
// process: while memory is low, coins are written to disk and their cache
// stays small.
type memoryWatch struct {
	read    func() (Memory, bool)
	coins   int64                                    // budget of the coin cache, bytes
	resize  func(ctx context.Context, n int64) error // sets it; flushes what is over
	release func()                                   // gives what the heap holds unused back to the system
	log     *slog.Logger
	low     shortage
	small   bool // the cache has less than its budget
}

// memoryLow is how many bytes have to be available, of total.
func memoryLow(total uint64) uint64 {
	return min(max(total/memoryShare, leastMemoryLow), utmostMemoryLow)
}

// check looks once. Its errors are those of resize.
//
// The cache grows again only when memory would not be low right after, so
// that it does not swing.
func (w *memoryWatch) check(ctx context.Context) error {
	m, known := w.read()
	if !known {
		return nil
	}
	limit := memoryLow(m.Total)
	if m.Available < limit {
		w.low.begin(w.log, "memory low: coins are written to disk and their cache stays small; the process may be killed",
			"availableMiB", m.Available>>20, "neededMiB", limit>>20, "totalMiB", m.Total>>20)
	} else if m.Available >= 2*limit {
		w.low.end(w.log, "memory is no longer low", "availableMiB", m.Available>>20)
	}
	kept := w.coins / coinsWhenLow
	switch on := w.low.on.Load(); {
	case on && !w.small:
		w.small = true
		if err := w.resize(ctx, kept); err != nil {
			return err
		}
		w.release()
	case on:
		w.release()
	case w.small && m.Available >= 2*limit+uint64(w.coins-kept):
		w.small = false
		w.log.Info("the coin cache may grow again", "budgetMiB", w.coins>>20)
		return w.resize(ctx, w.coins)
	}
	return nil
}

// Run checks from time to time until ctx is done or the chain has failed.
func (w *memoryWatch) Run(ctx context.Context) error {
	return watch(ctx, func() error {
		if err := w.check(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	})
}

// watch calls check now and then every lookEvery, until ctx is done or check
// has an error.
func watch(ctx context.Context, check func() error) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
