package chain_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestSnapshotRebuilt: --reindex and --reindex-chainstate forget a snapshot
// that is not checked, and go on from the blocks that are here.
func TestSnapshotRebuilt(t *testing.T) {
	for _, tt := range []struct {
		name        string
		dropIndex   bool
		wantHeaders int32
	}{
		{"reindex-chainstate", false, 16},
		{"reindex", true, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory(t, 12, 4)
			dir := t.TempDir()
			y := h.load(t, chaintest.Options{Dir: dir})
			h.give(t, y.Chain, 13, 16)
			h.give(t, y.Chain, 1, 5)
			check(t, y.Chain)
			y.Close()
			st, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: h.x.Params.Network.Magic, MaxBlock: h.x.Params.Limits.BlockSerialized,
				DropIndex: tt.dropIndex, DropChainstate: !tt.dropIndex})
			if err != nil {
				t.Fatal(err)
			}
			if err := st.Close(); err != nil { // a kill right after the drop
				t.Fatal(err)
			}
			y.Open()
			expectHeight(t, y.Chain, 5)
			if got := y.Chain.BestHeader().Height; got != tt.wantHeaders {
				t.Errorf("best header at height %d, want %d", got, tt.wantHeaders)
			}
			if _, ok := y.Chain.Background(); ok {
				t.Error("the snapshot is not forgotten")
			}
			h.give(t, y.Chain, 6, 16)
			expectHeight(t, y.Chain, 16)
			if got, want := muhash(t, y.Chain), muhash(t, h.x.Chain); got != want {
				t.Errorf("coins differ: %+v, %+v", got, want)
			}
		})
	}
}

// TestSnapshotBackup: the copy of a node that has not checked its history is
// one that has not either.
func TestSnapshotBackup(t *testing.T) {
	h := newHistory(t, 12, 4)
	y := h.load(t, chaintest.Options{})
	h.give(t, y.Chain, 13, 15)
	h.give(t, y.Chain, 1, 5)
	check(t, y.Chain)
	dir := filepath.Join(t.TempDir(), "copy")
	if _, err := y.Chain.Backup(context.Background(), chain.BackupOptions{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	z := chaintest.New(t, chaintest.Options{Dir: dir})
	expectHeight(t, z.Chain, 15)
	if b, ok := z.Chain.Background(); !ok || b.Checked.Height != 0 || b.Missing != 6 || b.Digest != h.dump.Digest {
		t.Errorf("background %+v, %v", b, ok)
	}
	h.give(t, z.Chain, 6, 16)
	check(t, z.Chain)
	if _, ok := z.Chain.Background(); ok || muhash(t, z.Chain) != muhash(t, h.x.Chain) {
		t.Error("the copy does not end where the node does")
	}
}

// TestSnapshotPruned: blocks below the snapshot may be pruned once they are
// checked, and no sooner; should the state of the check be lost, they are
// fetched again.
func TestSnapshotPruned(t *testing.T) {
	h := newHistory(t, chain.MinKeep+40, 5)
	p := h.x.Params
	ctx := context.Background()
	d := storetest.New()
	openStore := func() *store.Store {
		st, err := store.Open(store.Config{Dir: "/data", FS: d, Magic: p.Network.Magic, DBCache: 1 << 20, MaxBlock: p.Limits.BlockSerialized, FileSize: 1500})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	open := func() (*chain.Chain, func()) {
		st := openStore()
		now := p.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
		c, err := chain.New(ctx, chain.Config{
			Params: p, Store: st, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}), Now: func() time.Time { return now },
			Log: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, Prune: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c, func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			st.Close()
		}
	}
	c, done := open()
	if _, err := c.LoadSnapshot(ctx, bytes.NewReader(h.file), &h.dump.Digest); err != nil {
		t.Fatal(err)
	}
	h.give(t, c, h.base+1, h.base+5)
	h.give(t, c, 1, 30)
	if got, err := c.PruneTo(ctx, 1000); err != nil || got != -1 {
		t.Errorf("pruned to %d before anything was checked, %v", got, err)
	}
	check(t, c)
	done() // keeps how far the check is
	c, done = open()
	pruned, err := c.PruneTo(ctx, 1000)
	if err != nil || pruned < 10 || pruned > 30 {
		t.Fatalf("pruned to %d, %v", pruned, err)
	}
	done()
	st := openStore()
	if err := st.RemoveIndex("background"); err != nil {
		t.Fatal(err)
	}
	st.Close()
	c, done = open()
	defer func() { done() }()
	if b, ok := c.Background(); !ok || b.Checked.Height != 0 || b.Missing > pruned {
		t.Fatalf("checked to %d, missing from %d, pruned to %d, %v", b.Checked.Height, b.Missing, pruned, ok)
	}
	h.give(t, c, 1, h.base)
	check(t, c)
	if _, ok := c.Background(); ok || muhash(t, c) != muhash(t, h.x.Chain) {
		t.Error("the check has not ended as it should")
	}
	if pruned, err = c.PruneTo(ctx, 1000); err != nil || pruned < 30 {
		t.Errorf("pruned to %d in the end, %v", pruned, err)
	}
	done()
	c, done = open()
	expectHeight(t, c, h.base+5)
}
