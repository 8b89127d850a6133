package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/chain/store"
)

func TestCheckFiles(t *testing.T) {
	for _, tt := range []struct {
		limit uint64
		known bool
		ok    bool
	}{{minFiles - 1, true, true}, {minFiles - 2, true, false}, {0, false, true}} {
		if err := checkFiles(tt.limit, tt.known); (err == nil) != tt.ok {
			t.Errorf("limit %d (known: %v): %v", tt.limit, tt.known, err)
		}
	}
}

func TestCheckMemory(t *testing.T) {
	for _, tt := range []struct {
		dbcache    int
		total      uint64
		known      bool
		ok, warned bool
	}{
		{1024, 1 << 30, true, true, true},
		{1025, 1 << 30, true, false, false},
		{768, 1 << 30, true, true, false},
		{769, 1 << 30, true, true, true},
		{1 << 20, 0, false, true, false},
	} {
		var log bytes.Buffer
		err := checkMemory(tt.dbcache, tt.total, tt.known, slog.New(slog.NewTextHandler(&log, nil)))
		if (err == nil) != tt.ok || strings.Contains(log.String(), "WARN") != tt.warned {
			t.Errorf("dbcache %d of %d: %v, log %q", tt.dbcache, tt.total>>20, err, log.String())
		}
	}
}

// TestDiskWatch lets the disk fill up, empty and fill up for good.
func TestDiskWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		const cache = 100 << 20
		at := func(times ...uint64) uint64 { // one entry per look
			return times[min(int(time.Since(began)/lookEvery), len(times)-1)]
		}
		w := &diskWatch{
			free: func() (uint64, error) {
				return at(
					cache+mineReserve,   // just enough
					cache+mineReserve-1, // mining stops
					cache+runReserve,    // the node goes on
					cache+mineReserve,   // mining goes on
					cache+runReserve-1,  // the end
				), nil
			},
			pending: func() int64 { return cache },
			log:     slog.New(slog.DiscardHandler),
		}
		done := make(chan error, 1)
		go func() { done <- w.Run(t.Context()) }()
		for i, low := range []bool{false, true, true, false} {
			synctest.Wait()
			if got := w.low.Load(); got != low {
				t.Errorf("look %d: mining held: %v", i, got)
			}
			select {
			case err := <-done:
				t.Fatalf("look %d: the watch ended: %v", i, err)
			case <-time.After(lookEvery):
			}
		}
		if err := <-done; !errors.Is(err, ErrDiskLow) || !strings.Contains(err.Error(), "163 MiB free, 164 MiB are needed") {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestDiskWatchEnds(t *testing.T) {
	w := &diskWatch{
		free:    func() (uint64, error) { return 0, errors.New("no such device") },
		pending: func() int64 { return 0 },
		log:     slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Errorf("a disk that cannot be asked, and a context that ends: %v", err)
	}
}

func TestRepairable(t *testing.T) {
	for file, want := range map[string]string{
		"chainstate":           "--reindex-chainstate",
		"chainstate/000007":    "--reindex-chainstate",
		"blocks/undo00000.dat": "--reindex-chainstate",
		"blocks/blk00000.dat":  "--reindex;",
		"index/MANIFEST":       "--reindex ",
		"mempool.dat":          "backup",
	} {
		err := repairable(&store.DamageError{File: file, Offset: -1, What: "x"})
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
	if err := errors.New("other"); repairable(err) != err {
		t.Error("an error about something else was changed")
	}
}
