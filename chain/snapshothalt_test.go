package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/store"
)

// checkMemory compares how Config.CacheBytes is divided, and looks whether it
// is kept.
func checkMemory(t *testing.T, c *chain.Chain, when string, total, tip, check, database int64) {
	t.Helper()
	gotTip, gotCheck, gotDB := c.CacheBudgets()
	if gotTip != tip || gotCheck != check || gotDB != database {
		t.Errorf("%s: %d bytes for the tip, %d for the check and %d for its database; want %d, %d, %d", when, gotTip, gotCheck, gotDB, tip, check, database)
	}
	// A flush of the check copies as much again as its cache takes.
	if sum := gotTip + 2*gotCheck + gotDB; sum > total && database <= total/16 {
		t.Errorf("%s: %d bytes in all, %d are allowed", when, sum, total)
	}
}

// TestSnapshotMemory: the check takes its memory from the cache of the tip,
// whatever the watch of the memory says meanwhile, and gives it back.
func TestSnapshotMemory(t *testing.T) {
	const mib = 1 << 20
	h := newHistory(t, 12, 4)
	ctx := context.Background()
	y := chaintest.New(t, chaintest.Options{CacheBytes: 64 * mib})
	checkMemory(t, y.Chain, "without a snapshot", 64*mib, 64*mib, 0, 0)
	if _, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(h.file), &h.dump.Digest); err != nil {
		t.Fatal(err)
	}
	checkMemory(t, y.Chain, "loaded", 64*mib, 32*mib, 14*mib, 4*mib)
	h.give(t, y.Chain, 1, 5)
	check(t, y.Chain)
	if err := y.Chain.SetCacheBytes(ctx, 16*mib); err != nil {
		t.Fatal(err)
	}
	checkMemory(t, y.Chain, "memory is low", 16*mib, 8*mib, 2*mib, 4*mib)
	if b, _ := y.Chain.Background(); b.CacheBytes == 0 || b.Checked.Height != 5 {
		t.Fatalf("nothing in the cache of the check: %+v", b)
	}
	if err := y.Chain.SetCacheBytes(ctx, 1); err != nil {
		t.Fatal(err)
	}
	checkMemory(t, y.Chain, "there is none", 1, 1, 0, 4*mib)
	check(t, y.Chain) // block 6 is not here
	if b, _ := y.Chain.Background(); b.CacheBytes != 0 {
		t.Errorf("the check keeps %d bytes", b.CacheBytes)
	}
	if err := y.Chain.SetCacheBytes(ctx, 64*mib); err != nil {
		t.Fatal(err)
	}
	checkMemory(t, y.Chain, "memory is back", 64*mib, 32*mib, 14*mib, 4*mib)
	y.Close()
	y.Open()
	checkMemory(t, y.Chain, "started again", 64*mib, 32*mib, 14*mib, 4*mib)
	h.give(t, y.Chain, 6, 16)
	check(t, y.Chain)
	checkMemory(t, y.Chain, "checked", 64*mib, 64*mib, 0, 0)
}

// TestSnapshotMemoryBounds: however much there is, the check takes no more than
// it has use for.
func TestSnapshotMemoryBounds(t *testing.T) {
	const mib = 1 << 20
	h := newHistory(t, 3, 0)
	for _, tt := range []struct{ total, tip, check, database int64 }{
		{3 * mib, 3 * mib / 2, 3 * mib * 7 / 32, 3 * mib / 16},
		{256 * mib, 128 * mib, 56 * mib, 16 * mib},
		{1024 * mib, 512 * mib, 248 * mib, 16 * mib},
		{1026 * mib, 514 * mib, 248 * mib, 16 * mib},
	} {
		y := h.load(t, chaintest.Options{CacheBytes: tt.total})
		checkMemory(t, y.Chain, fmt.Sprint(tt.total/mib, " MiB"), tt.total, tt.tip, tt.check, tt.database)
	}
}

// deafFS is a disk on which files of one folder cannot be read at times.
type deafFS struct {
	store.FS
	folder string
	deaf   atomic.Bool
}

type deafFile struct {
	store.File
	fs *deafFS
}

func (d *deafFS) Open(name string) (store.File, error) {
	f, err := d.FS.Open(name)
	if err != nil || filepath.Base(filepath.Dir(name)) != d.folder {
		return f, err
	}
	return deafFile{f, d}, nil
}

func (f deafFile) ReadAt(b []byte, off int64) (int, error) {
	if f.fs.deaf.Load() {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(b, off)
}

// TestSnapshotHalt: the state of the check cannot be read for a while. The
// operator is told, once; the node goes on, and the check when it can.
func TestSnapshotHalt(t *testing.T) {
	h := newHistory(t, 150, 4)
	disk := &deafFS{FS: store.OS(), folder: "background"}
	var log bytes.Buffer
	y := h.load(t, chaintest.Options{FS: disk, CacheBytes: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	h.give(t, y.Chain, 1, 120)
	check(t, y.Chain)
	y.Close()
	y.Open() // LevelDB has everything in tables now
	log.Reset()

	// First a coin cannot be read, then the coins in the end.
	for episode, to := range []int{140, 150} {
		disk.deaf.Store(true)
		h.give(t, y.Chain, 121+20*episode, to)
		for range 3 {
			if err := chain.CheckHistory(y.Chain, context.Background()); !errors.Is(err, syscall.EIO) {
				t.Fatalf("to height %d: the check ends with %v", to, err)
			}
		}
		b, _ := y.Chain.Background()
		warnings := y.Chain.Warnings()
		if !strings.Contains(b.Halt, "input/output error") || len(warnings) != 1 || !strings.Contains(warnings[0], b.Halt) || !strings.Contains(warnings[0], "indexes/background") {
			t.Errorf("halt %q, warnings %q", b.Halt, warnings)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != episode+1 {
			t.Errorf("%d warnings, want %d:\n%s", n, episode+1, &log)
		}
		if to == 150 {
			break
		}
		disk.deaf.Store(false)
		check(t, y.Chain)
		if b, ok := y.Chain.Background(); !ok || b.Checked.Height != int32(to) || b.Halt != "" || len(y.Chain.Warnings()) != 0 {
			t.Errorf("the check has not gone on: %+v, %q", b, y.Chain.Warnings())
		}
		if n := strings.Count(log.String(), "goes on again"); n != 1 {
			t.Errorf("told %d times that it goes on, want once", n)
		}
	}
	h.give(t, y.Chain, 151, 154)
	expectHeight(t, y.Chain, 154) // the tip does not mind
	disk.deaf.Store(false)
	check(t, y.Chain)
	if b, ok := y.Chain.Background(); ok || len(y.Chain.Warnings()) != 0 {
		t.Errorf("not over: %+v, %q", b, y.Chain.Warnings())
	}
}
