package chain_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/chain/utxo"
)

// TestBackup makes a backup between blocks, and goes on from it.
func TestBackup(t *testing.T) {
	disk := storetest.New()
	h := chaintest.New(t, chaintest.Options{FS: disk, Dir: "data"})
	h.Next("b1").Accept()
	h.Next("b2", h.Spend("b1")).Accept()
	h.Next("b3").Accept()
	h.On("b2").Next("side").Side()
	h.On("b3")
	want, err := h.Chain.SummariseCoins(t.Context(), utxo.WithMuHash)
	if err != nil {
		t.Fatal(err)
	}
	report, err := h.Chain.Backup(t.Context(), chain.BackupOptions{
		Dir:   "copy",
		Extra: []store.BackupFile{{Name: "chain.toml", Data: []byte("x")}},
		Room: func(bytes int64) error {
			if bytes <= 0 {
				return fmt.Errorf("%d bytes", bytes)
			}
			if _, err := h.Chain.Backup(t.Context(), chain.BackupOptions{Dir: "copy"}); !errors.Is(err, chain.ErrBackupRuns) {
				t.Errorf("a second backup: %v", err)
			}
			// Nobody is kept waiting.
			h.Next("b4", h.Spend("b2")).Accept()
			return h.Chain.Flush(t.Context())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Block.Hash != h.Block("b3").Hash || report.Bytes == 0 {
		t.Errorf("report %+v", report)
	}
	h.ExpectTip("b4")

	copied := chaintest.New(t, chaintest.Options{FS: disk.Crash(storetest.LoseUnsynced), Dir: "copy"})
	got, err := copied.Chain.SummariseCoins(t.Context(), utxo.WithMuHash)
	if err != nil {
		t.Fatal(err)
	}
	if got.Block.Hash != want.Block.Hash || got.MuHash != want.MuHash || got.Coins != want.Coins {
		t.Errorf("the copy has %+v, the chain had %+v", got, want)
	}
	if _, ok := copied.Chain.Lookup(h.Block("side").Hash); !ok {
		t.Error("the copy lacks the other branch")
	}
	if _, err := copied.Chain.AcceptBlock(t.Context(), h.Block("b4")); err != nil {
		t.Fatal(err)
	}
	if tip := copied.Chain.Best().Hash; tip != h.Block("b4").Hash {
		t.Errorf("the copy does not go on: at %v", tip)
	}
}

// TestBackupRefused: what keeps a backup from being made leaves nothing, and
// the next one is made.
func TestBackupRefused(t *testing.T) {
	disk := storetest.New()
	h := chaintest.New(t, chaintest.Options{FS: disk, Dir: "data"})
	h.Next("b1").Accept()
	full := errors.New("no room")
	_, err := h.Chain.Backup(t.Context(), chain.BackupOptions{Dir: "copy", Room: func(int64) error { return full }})
	if !errors.Is(err, full) {
		t.Errorf("no room: %v", err)
	}
	var target *store.TargetError
	if _, err = h.Chain.Backup(t.Context(), chain.BackupOptions{Dir: "data"}); !errors.As(err, &target) {
		t.Errorf("its own folder: %v", err)
	}
	failing := chain.BackupOptions{Dir: "copy", Room: func(int64) error { disk.FailOnce(5); return nil }}
	if _, err = h.Chain.Backup(t.Context(), failing); !errors.Is(err, storetest.ErrStopped) {
		t.Errorf("a write failed: %v", err)
	}
	h.Next("b2").Accept()
	if _, err = h.Chain.Backup(t.Context(), chain.BackupOptions{Dir: "copy"}); err != nil {
		t.Error(err)
	}
}

// BenchmarkFullBackup: empty blocks that come during a backup of a million
// coins that were not flushed. slowest is the longest that one of them took.
func BenchmarkFullBackup(b *testing.B) {
	for range b.N {
		b.StopTimer()
		h := million(b, b.TempDir())
		var steps []*chaintest.Step
		for i := range 50 {
			steps = append(steps, h.Next(fmt.Sprint("during", i)))
		}
		dir := filepath.Join(b.TempDir(), "backup")
		var report chain.BackupReport
		done := make(chan error)
		b.StartTimer()
		go func() {
			var err error
			report, err = h.Chain.Backup(b.Context(), chain.BackupOptions{Dir: dir})
			done <- err
		}()
		var slowest time.Duration
		for _, s := range steps {
			began := time.Now()
			s.Accept()
			slowest = max(slowest, time.Since(began))
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		h.Close()
		b.ReportMetric(float64(slowest.Microseconds())/1000, "ms/slowest")
		b.ReportMetric(float64(report.Bytes)/b.Elapsed().Seconds()*float64(b.N)/1e6, "MB/s")
	}
}

// TestBackupHoldsPruning: nothing is pruned during a backup, and the copy of
// a pruned chain is one.
func TestBackupHoldsPruning(t *testing.T) {
	s := newPruneStory()
	disk, c, _ := s.start(t)
	backup := func(dir string, height int32) {
		t.Helper()
		_, err := c.Backup(t.Context(), chain.BackupOptions{Dir: dir, Room: func(int64) error {
			if got, err := c.PruneTo(t.Context(), height); err != nil || got >= height {
				t.Errorf("pruned to %d during a backup, %v", got, err)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	backup("whole", 8)
	if got, err := c.PruneTo(t.Context(), 8); err != nil || got <= 0 {
		t.Fatalf("pruned to %d, %v", got, err)
	}
	want := c.PruneStatus().Height
	backup("pruned", 24)
	for dir, height := range map[string]int32{"whole": -1, "pruned": want} {
		h := chaintest.New(t, chaintest.Options{FS: disk, Dir: dir})
		if got := h.Chain.PruneStatus().Height; got != height {
			t.Errorf("%s is pruned to %d, want %d", dir, got, height)
		}
		if tip := h.Chain.Best().Hash; tip != c.Best().Hash {
			t.Errorf("%s is at %v", dir, tip)
		}
		h.Close()
	}
}
