package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// compactionFails is a disk that refuses the manifest record of the first
// compaction for whose end a transaction waits.
type compactionFails struct {
	store.FS
	flushed atomic.Bool // a transaction has its tables on disk, and no manifest record yet
}

var errManifest = errors.New("manifest not synced")

type manifest struct {
	store.File
	fs *compactionFails
}

func (c *compactionFails) Create(name string) (store.File, error) {
	f, err := c.FS.Create(name)
	if err == nil && strings.HasPrefix(filepath.Base(name), "MANIFEST") && strings.Contains(name, "chainstate") {
		f = &manifest{f, c}
	}
	return f, err
}

// SyncDir is what comes last when a transaction writes a table.
func (c *compactionFails) SyncDir(dir string) error {
	err := c.FS.SyncDir(dir)
	if calledBy("leveldb.(*Transaction).flush") {
		c.flushed.Store(true)
	}
	return err
}

// Sync comes under the lock that transactions and compactions share.
func (m *manifest) Sync() error {
	if !calledBy("leveldb.(*DB).compactionCommit") {
		m.fs.flushed.Store(false)
		return m.File.Sync()
	}
	// Not for ever: commits wait where compactions are far behind.
	for range 1000 {
		if m.fs.flushed.Load() {
			return errManifest
		}
		runtime.Gosched()
	}
	return m.File.Sync()
}

func calledBy(name string) bool {
	b := make([]byte, 64<<10)
	return strings.Contains(string(b[:runtime.Stack(b, false)]), name)
}

// TestNoHangAfterFailedCompaction: LevelDB commits a compaction again and
// again, holding a lock that a transaction waits for. The commit must end all
// the same, and so must Close.
func TestNoHangAfterFailedCompaction(t *testing.T) {
	d := &compactionFails{FS: storetest.New()}
	s, err := store.Open(config(d))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for i := 1; ; i++ {
			if err := s.Commit(commitOf(i-1, i)); err != nil {
				ended <- errors.Join(wantManifest(s, err), s.Close())
				return
			}
		}
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("hangs")
	}
}

func wantManifest(s *store.Store, err error) error {
	if !errors.Is(err, errManifest) || s.Err() != err {
		return fmt.Errorf("failed with %w, store says %v", err, s.Err())
	}
	return nil
}
