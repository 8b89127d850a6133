package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryLow(t *testing.T) {
	const mib = 1 << 20
	for total, want := range map[uint64]uint64{64 * mib: 32 * mib, 512 * mib: 32 * mib, 1024 * mib: 64 * mib, 8192 * mib: 512 * mib, 1 << 40: 512 * mib} {
		if got := memoryLow(total); got != want {
			t.Errorf("of %d MiB: low below %d MiB, want %d", total/mib, got/mib, want/mib)
		}
	}
}

// TestMemoryWatch lets memory run low twice. It is low below 64 MiB.
func TestMemoryWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		available := []uint64{
			64,      // just enough
			63,      // low
			40, 127, // still
			128,       // not low any more; the cache would make it so again
			128 + 299, // the same
			128 + 300, // the cache grows
			63,        // low again within the hour
			500,
		}
		var log bytes.Buffer
		var mu sync.Mutex // guards sizes and released
		var sizes []int64
		released, began := 0, time.Now()
		w := &memoryWatch{
			read: func() (Memory, bool) {
				at := min(int(time.Since(began)/lookEvery), len(available)-1)
				return Memory{Total: 1 << 30, Available: available[at] * mib}, true
			},
			coins: 400 * mib,
			resize: func(_ context.Context, n int64) error {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, n/mib)
				return nil
			},
			release: func() {
				mu.Lock()
				defer mu.Unlock()
				released++
			},
			log: slog.New(slog.NewTextHandler(&log, nil)),
			low: shortage{now: time.Now},
		}
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- w.Run(ctx) }()
		for i, want := range []struct {
			low   bool
			sizes []int64
		}{
			{false, nil}, {true, []int64{100}}, {true, []int64{100}}, {true, []int64{100}}, {false, []int64{100}},
			{false, []int64{100}}, {false, []int64{100, 400}}, {true, []int64{100, 400, 100}}, {false, []int64{100, 400, 100, 400}},
		} {
			synctest.Wait()
			mu.Lock()
			if low := w.low.on.Load(); low != want.low || !slices.Equal(sizes, want.sizes) {
				t.Errorf("look %d, %d MiB available: low %v, sizes of the cache %v; want %v, %v", i, available[i], low, sizes, want.low, want.sizes)
			}
			mu.Unlock()
			<-time.After(lookEvery)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if released != 4 {
			t.Errorf("memory was given back %d times, low it was at 4 looks", released)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings within an hour:\n%s", n, log.String())
		}
	})
}

// TestMemoryWatchEnds: a chain that fails to flush ends the watch, the end of
// the node does not count as one.
func TestMemoryWatchEnds(t *testing.T) {
	failed := errors.New("disk failed")
	ctx, cancel := context.WithCancel(t.Context())
	w := &memoryWatch{
		read:    func() (Memory, bool) { return Memory{Total: 1 << 30}, true },
		resize:  func(context.Context, int64) error { return failed },
		release: func() {},
		log:     slog.New(slog.DiscardHandler),
		low:     shortage{now: time.Now},
	}
	if err := w.Run(ctx); !errors.Is(err, failed) {
		t.Errorf("ended with %v", err)
	}
	w.small = false
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Errorf("a context that is done: %v", err)
	}
	w.read = func() (Memory, bool) { return Memory{}, false }
	if err := w.check(t.Context()); err != nil || !w.low.on.Load() {
		t.Errorf("memory that is not known changes nothing: %v", err)
	}
}

// TestShortageWarns: one and the same shortage is warned of once in an hour.
func TestShortageWarns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log, s := slog.New(slog.NewTextHandler(&text, nil)), &shortage{now: time.Now}
		for i, want := range []int{1, 1, 2} {
			s.begin(log, "short")
			s.begin(log, "short")
			s.end(log, "plenty")
			s.end(log, "plenty")
			if got := strings.Count(text.String(), "level=WARN"); got != want || strings.Count(text.String(), "plenty") != i+1 {
				t.Errorf("%d: %d warnings, want %d:\n%s", i, got, want, text.String())
			}
			<-time.After(warnEvery / 2)
		}
	})
}
