package chain_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
)

// node is a chain on a data folder, without a harness.
type node struct {
	*chain.Chain
	store   *store.Store
	checker *sigcheck.Checker
}

// openDir opens the chain in dir; change alters how.
func openDir(dir string, m *chaintest.Maker, change func(*store.Config, *chain.Config)) (*node, error) {
	now := m.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	log := slog.New(slog.DiscardHandler)
	sc := store.Config{Dir: dir, FS: store.OS(), Magic: m.Params.Network.Magic, DBCache: 1 << 20,
		MaxBlock: m.Params.Limits.BlockSerialized, FileSize: 1 << 20, Log: log}
	n := &node{checker: sigcheck.New(sigcheck.Config{Workers: 2, CacheEntries: 1000, Recheck: 256})}
	cc := chain.Config{Params: m.Params, Checker: n.checker, Log: log, CacheBytes: 1 << 20,
		Now: func() time.Time { return now }}
	if change != nil {
		change(&sc, &cc)
	}
	var err error
	if n.store, err = store.Open(sc); err != nil {
		return nil, err
	}
	cc.Store = n.store
	if n.Chain, err = chain.New(context.Background(), cc); err != nil {
		return nil, errors.Join(err, n.store.Close())
	}
	return n, nil
}

func (n *node) close() error { return errors.Join(n.Chain.Close(), n.store.Close()) }

func dropAll(s *store.Config, _ *chain.Config)   { s.DropIndex = true }
func dropState(s *store.Config, _ *chain.Config) { s.DropChainstate = true }

// longChain makes a data folder with payments, a side branch and a
// reorganisation, and returns its chain's maker, tip and coins.
func longChain(t *testing.T, dir string) (*chaintest.Harness, map[wire.OutPoint]consensus.Coin) {
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	h.Next("b1").Accept()
	h.Next("b2", h.Spend("b1")).Accept()
	h.On("b1").Next("b2a").Side()
	h.Next("b3a", h.Spend("b1")).Accept()
	last := "b3a"
	for _, name := range []string{"b4", "b5", "b6", "b7", "b8"} {
		h.Next(name, h.Spend(last)).Accept()
		last = name
	}
	want := coins(t, h)
	h.Close()
	return h, want
}

// flip inverts a bit of the byte at offset.
func flip(t testing.TB, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (offset % 8)
	if _, err := f.WriteAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
}

func expectCoins(t *testing.T, n *node, tip *chaintest.Harness, name string, want map[wire.OutPoint]consensus.Coin) {
	t.Helper()
	if got := n.Best(); got.Hash != tip.Block(name).Hash {
		t.Errorf("tip at height %d, want %s", got.Height, name)
	}
	got := make(map[wire.OutPoint]consensus.Coin)
	_, err := n.EachCoin(t.Context(), func(op wire.OutPoint, c consensus.Coin) error {
		got[op] = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coins (-before +after):\n%s", diff)
	}
}

// TestReindex rebuilds everything from the block files: scripts are checked
// again, undo data serves as before, side branches stay.
func TestReindex(t *testing.T) {
	dir := t.TempDir()
	h, want := longChain(t, dir)
	n, err := openDir(dir, h.Maker, dropAll)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	expectCoins(t, n, h, "b8", want)
	if n.checker.Checked() == 0 {
		t.Error("no script was checked again")
	}
	if err := n.Invalidate(t.Context(), h.Block("b2a").Hash); err != nil {
		t.Fatal(err)
	}
	if got := n.Best(); got.Hash != h.Block("b2").Hash {
		t.Errorf("without its branch the tip is at height %d, want b2", got.Height)
	}
}

// TestReindexChainstate rebuilds the coins; blocks that were valid are not
// checked again.
func TestReindexChainstate(t *testing.T) {
	dir := t.TempDir()
	h, want := longChain(t, dir)
	n, err := openDir(dir, h.Maker, dropState)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	expectCoins(t, n, h, "b8", want)
	if got := n.checker.Checked(); got != 0 {
		t.Errorf("%d scripts checked of blocks that were valid before", got)
	}
}

// TestReindexGoesOn ends a rebuild after some blocks: the next start, without
// any flag, goes on with it.
func TestReindexGoesOn(t *testing.T) {
	for name, drop := range map[string]func(*store.Config, *chain.Config){"index": dropAll, "chainstate": dropState} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			h, want := longChain(t, dir)
			n, err := openDir(dir, h.Maker, func(s *store.Config, c *chain.Config) {
				drop(s, c)
				c.CatchUpLater = true
			})
			if err != nil {
				t.Fatal(err)
			}
			if n.Best().Height != 0 || !n.InitialSync() {
				t.Errorf("at height %d before CatchUp, syncing: %v", n.Best().Height, n.InitialSync())
			}
			ctx, cancel := context.WithCancel(t.Context())
			n.Subscribe(func(ev chain.Event) {
				if ev.Info.Height == 3 {
					cancel()
				}
			})
			if err := n.CatchUp(ctx); !errors.Is(err, context.Canceled) || n.Best().Height != 3 {
				t.Fatalf("cancelled at height %d: %v", n.Best().Height, err)
			}
			if err := n.close(); err != nil { // flushes at height 3
				t.Fatal(err)
			}
			n, err = openDir(dir, h.Maker, func(_ *store.Config, c *chain.Config) { c.CatchUpLater = true })
			if err != nil {
				t.Fatal(err)
			}
			defer n.close()
			if n.Best().Height != 3 {
				t.Errorf("goes on at height %d, want 3", n.Best().Height)
			}
			if err := n.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			expectCoins(t, n, h, "b8", want)
		})
	}
}

// TestReindexForged: block files are no proof of validity. One that holds a
// block without proof of work, or with a forged body, does not get far.
func TestReindexForged(t *testing.T) {
	dir := t.TempDir()
	h, _ := longChain(t, dir)
	s, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: h.Params.Network.Magic})
	if err != nil {
		t.Fatal(err)
	}
	lazy := h.Make(h.Block("b8").Hash,
		chaintest.Change(func(d *chaintest.Draft) { d.NoSolve = true }),
		chaintest.Final(func(b *wire.MsgBlock) {
			for consensus.CheckHeader(&b.Header, h.Params) == nil {
				b.Header.Nonce++
			}
		}))
	greedy := h.Make(h.Block("b8").Hash, chaintest.Change(func(d *chaintest.Draft) { d.Fees++ }))
	for _, b := range []*consensus.Block{lazy, greedy} {
		var raw bytes.Buffer
		if err := b.Msg().Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AppendBlock(b.Hash, raw.Bytes()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AppendUndo(b.Hash, h.Block("b8").Hash, []byte{0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.SyncFiles(), s.Close()); err != nil {
		t.Fatal(err)
	}
	n, err := openDir(dir, h.Maker, dropAll)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	if got := n.Best(); got.Hash != h.Block("b8").Hash {
		t.Errorf("tip is %v at height %d", got.Hash, got.Height)
	}
	if _, ok := n.Lookup(lazy.Hash); ok {
		t.Error("the block without proof of work is in the index")
	}
	if info, ok := n.Lookup(greedy.Hash); !ok || info.State != chain.StateInvalid {
		t.Errorf("the greedy block: %v, %+v", ok, info.State)
	}
}

// TestReindexRewritesUndo damages the undo file: rebuilding the chain state
// writes new undo data, so that blocks can be disconnected again.
func TestReindexRewritesUndo(t *testing.T) {
	dir := t.TempDir()
	h, want := longChain(t, dir)
	flip(t, filepath.Join(dir, "blocks", "undo00000.dat"), 200)
	n, err := openDir(dir, h.Maker, dropState)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	expectCoins(t, n, h, "b8", want)
	if err := n.Invalidate(t.Context(), h.Block("b2a").Hash); err != nil {
		t.Fatalf("disconnect all: %v", err)
	}
}
