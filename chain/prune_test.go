package chain_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// pruneStory is a chain with branches that is long enough to be pruned. Its
// files are small, so that there are many.
type pruneStory struct {
	*crashScript
	target int64
	cache  int64 // 0: 8 MiB
}

const pruneTip = 320 // 32 blocks may be pruned

func newPruneStory() *pruneStory {
	m := chaintest.NewMaker(chaintest.Params(chaintest.ChainFile))
	genesis := consensus.NewBlock(m.Params.GenesisBlock)
	s := &pruneStory{crashScript: &crashScript{maker: m, blocks: map[string]*consensus.Block{"genesis": genesis}, names: map[chainhash.Hash]string{genesis.Hash: "genesis"}, parent: map[string]string{}}}
	parent := "genesis"
	for h := 1; h <= pruneTip; h++ {
		name, spends := fmt.Sprint("m", h), ""
		if h > 2 && h%3 == 0 {
			spends = parent
		}
		s.make(name, parent, spends)
		if h == 20 {
			s.make("stale20", parent, "")
			s.make("stale21", "stale20", "")
		}
		parent = name
	}
	s.end = parent
	return s
}

func (s *pruneStory) open(d *storetest.Disk) (*chain.Chain, *store.Store, error) {
	p := s.maker.Params
	st, err := store.Open(store.Config{Dir: "/data", FS: d, Magic: p.Network.Magic, DBCache: 1 << 20, MaxBlock: p.Limits.BlockSerialized, FileSize: 1500})
	if err != nil {
		return nil, nil, err
	}
	now := p.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	c, err := chain.New(context.Background(), chain.Config{
		Params: p, Store: st, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}), Now: func() time.Time { return now },
		Log: slog.New(slog.DiscardHandler), CacheBytes: cmp.Or(s.cache, 8<<20), Prune: true, PruneTarget: s.target,
	})
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return c, st, nil
}

// fill accepts all blocks.
func (s *pruneStory) fill(c *chain.Chain) error {
	for _, name := range s.order {
		if _, err := c.AcceptBlock(context.Background(), s.blocks[name]); err != nil {
			return fmt.Errorf("block %s: %w", name, err)
		}
	}
	return c.Flush(context.Background())
}

func (s *pruneStory) start(t *testing.T) (*storetest.Disk, *chain.Chain, *store.Store) {
	t.Helper()
	d := storetest.New()
	c, st, err := s.open(d)
	if err == nil {
		err = s.fill(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return d, c, st
}

// checkKept compares what is said to be here with what can be read.
func (s *pruneStory) checkKept(c *chain.Chain) error {
	for name, b := range s.blocks {
		info, ok := c.Lookup(b.Hash)
		if !ok {
			continue
		}
		if _, err := c.ReadBlock(b.Hash); info.HaveData != (err == nil) || err != nil && !errors.Is(err, chain.ErrNoData) {
			return fmt.Errorf("block %s: said to be here: %v; read: %w", name, info.HaveData, err)
		}
		if info.OnBest && info.Height > pruneTip-chain.MinKeep {
			if _, err := c.ReadSpent(b.Hash); err != nil {
				return fmt.Errorf("block %s must be kept: %w", name, err)
			}
		}
	}
	return s.checkCoins(c)
}

func TestPruneTo(t *testing.T) {
	s := newPruneStory()
	d, c, st := s.start(t)
	before := len(d.Names())
	if got, err := c.PruneTo(t.Context(), 8); err != nil || got > 8 || got < 0 {
		t.Fatalf("pruned to %d, %v; want 0 to 8", got, err)
	}
	// As far as can be, and not a block further.
	got, err := c.PruneTo(t.Context(), pruneTip)
	if limit := int32(pruneTip - chain.MinKeep); err != nil || got > limit || got < limit-8 {
		t.Fatalf("pruned to %d, %v; want just up to %d", got, err, limit)
	}
	if after := len(d.Names()); after >= before {
		t.Errorf("%d files, %d before", after, before)
	}
	if err := s.checkKept(c); err != nil {
		t.Error(err)
	}
	if _, err := c.ReadBlock(s.blocks["m1"].Hash); !errors.Is(err, chain.ErrPruned) || !strings.Contains(err.Error(), "--prune") {
		t.Errorf("a pruned block: %v", err)
	}
	// A pruned block that comes again is not kept again.
	if r, err := c.AcceptBlock(t.Context(), s.blocks["m1"]); err != nil || r != chain.ResultDuplicate {
		t.Errorf("a pruned block again: %v, %v", r, err)
	}
	if err := c.Invalidate(t.Context(), s.blocks["m2"].Hash); !errors.Is(err, chain.ErrTooDeep) {
		t.Errorf("invalidate a pruned block: %v", err)
	}
	r, err := c.VerifyChain(t.Context(), chain.VerifyConnect, 0, nil)
	if err != nil || r.Fault != nil || !r.Pruned || r.Complete || r.Blocks < chain.MinKeep {
		t.Errorf("verified %+v, %v", r, err)
	}
	st.Close()
	_, err = store.Open(store.Config{Dir: "/data", FS: d, DropIndex: true})
	var refused *store.PrunedError
	if !errors.As(err, &refused) {
		t.Errorf("rebuild from pruned files: %v", err)
	}
	c2, st2, err := s.open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer st2.Close()
	if c2.PruneStatus().Height != got {
		t.Errorf("pruned to %d, after a restart %d", got, c2.PruneStatus().Height)
	}
	if err := s.checkKept(c2); err != nil {
		t.Error(err)
	}
}

// TestPruneTooDeep offers a branch with more work that leaves the best one
// below what is pruned: nothing can be decided, and nothing is held against it.
func TestPruneTooDeep(t *testing.T) {
	s := newPruneStory()
	_, c, _ := s.start(t)
	pruned, err := c.PruneTo(t.Context(), pruneTip)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fork    int32
		tooDeep bool
	}{{pruned - 1, true}, {pruned, false}} {
		b := s.blocks[fmt.Sprint("m", tt.fork)]
		for h := tt.fork; h <= pruneTip && err == nil; h++ {
			b = s.maker.Make(b.Hash)
			_, err = c.AcceptBlock(t.Context(), b)
		}
		info, _ := c.Lookup(b.Hash)
		if tt.tooDeep != errors.Is(err, chain.ErrTooDeep) || !tt.tooDeep && err != nil || info.State == chain.StateInvalid || info.OnBest == tt.tooDeep {
			t.Errorf("branch from height %d, pruned to %d: %v, state %d", tt.fork, pruned, err, info.State)
		}
		err = nil
	}
}

func TestPruneTargetAndHold(t *testing.T) {
	s := newPruneStory()
	s.target = 2*16<<20 + 40_000 // what may come until the next look, and the rest
	d, c, st := s.start(t)
	c.HoldPruning(func() (int32, bool) { return 10, true })
	run := func() int32 {
		t.Helper()
		if err := chain.PruneNow(c, t.Context()); err != nil {
			t.Fatal(err)
		}
		return c.PruneStatus().Height
	}
	if got := run(); got >= 10 || got < 0 {
		t.Errorf("pruned to %d where height 10 is needed", got)
	}
	c.HoldPruning(nil)
	first := run()
	files, err := st.Files()
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		total += f.Size
	}
	if first < 10 || total > 40_000 && first < pruneTip-chain.MinKeep-8 {
		t.Errorf("pruned to %d, %d bytes left in %d files", first, total, len(d.Names()))
	}
}

func TestPruneOff(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	if _, err := h.Chain.PruneTo(t.Context(), 1); !errors.Is(err, chain.ErrPruneOff) {
		t.Error(err)
	}
}

// TestPruneCrash stops the disk at every change while files are pruned: what
// the next process says is here can be read, and the coins are right.
func TestPruneCrash(t *testing.T) {
	s := newPruneStory()
	d, _, st := s.start(t)
	st.Close()
	filled := d.Crash(storetest.LoseNothing)
	run := func(d *storetest.Disk) error {
		c, st, err := s.open(d)
		if err != nil {
			return err
		}
		defer st.Close()
		for _, h := range []int32{5, 15, pruneTip} {
			if _, err := c.PruneTo(context.Background(), h); err != nil {
				return err
			}
		}
		return nil
	}
	whole := filled.Crash(storetest.LoseNothing)
	if err := run(whole); err != nil {
		t.Fatal(err)
	}
	total := whole.Changes()
	var group errgroup.Group
	group.SetLimit(16)
	for k := 1; k <= total; k++ {
		group.Go(func() error {
			d := filled.Crash(storetest.LoseNothing)
			d.StopAt(k, k%2 == 0)
			if err := run(d); consensus.AsRule(err) != nil {
				return fmt.Errorf("a stopped disk (change %d) broke a rule: %w", k, err)
			}
			c, st, err := s.open(d.Crash(storetest.Loss(k % 3)))
			if err != nil {
				return fmt.Errorf("stop at change %d of %d: open: %w", k, total, err)
			}
			defer st.Close()
			if best := s.names[c.Best().Hash]; best != s.end {
				return fmt.Errorf("stop at change %d of %d: best block %s", k, total, best)
			}
			if err := s.checkKept(c); err != nil {
				return fmt.Errorf("stop at change %d of %d: %w", k, total, err)
			}
			_, err = c.PruneTo(context.Background(), pruneTip)
			return errors.Join(err, s.checkKept(c))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d changes", total)
}
