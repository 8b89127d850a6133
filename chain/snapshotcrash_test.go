package chain_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/chain/utxo"
)

// snapshotCrash is the life of a node that starts from a snapshot, on a disk
// that may stop.
type snapshotCrash struct {
	*history
	cache int64
	want  utxo.Summary // in the end
	perm  []byte       // what the chain says of permissions then; nil: it has none
}

func (s *snapshotCrash) open(d *storetest.Disk) (*chain.Chain, *store.Store, error) {
	p := s.x.Params
	st, err := store.Open(store.Config{Dir: "/data", FS: d, Magic: p.Network.Magic, DBCache: 1 << 20, MaxBlock: p.Limits.BlockSerialized, FileSize: 2000})
	if err != nil {
		return nil, nil, err
	}
	now := p.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	c, err := chain.New(context.Background(), chain.Config{
		Params: p, Store: st, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}), Now: func() time.Time { return now },
		Log: slog.New(slog.DiscardHandler), CacheBytes: s.cache,
	})
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return c, st, nil
}

// live does all of it, or what is left of it.
func (s *snapshotCrash) live(c *chain.Chain) error {
	ctx := context.Background()
	accept := func(blocks []*consensus.Block) error {
		for _, b := range blocks {
			if _, err := c.AcceptBlock(ctx, b); err != nil {
				return err
			}
		}
		return nil
	}
	if err := accept(s.blocks[1:3]); err != nil {
		return err
	}
	if c.Best().Height < int32(s.base) {
		if _, err := c.LoadSnapshot(ctx, bytes.NewReader(s.file), &s.dump.Digest); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	for _, part := range [][]*consensus.Block{s.blocks[s.base+1 : s.base+3], s.blocks[3:6], s.blocks[6:]} {
		if err := accept(part); err != nil {
			return err
		}
		if err := chain.CheckHistory(c, ctx); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	return c.Flush(ctx)
}

// crash lets the disk stop at its k-th change, and looks at what is left.
func (s *snapshotCrash) crash(k int, loss storetest.Loss) error {
	d := storetest.New()
	d.StopAt(k, k%2 == 0)
	if c, st, err := s.open(d); err == nil {
		err = s.live(c)
		st.Close()
		if consensus.AsRule(err) != nil {
			return fmt.Errorf("a stopped disk broke a rule: %w", err)
		}
	}
	c, st, err := s.open(d.Crash(loss))
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer st.Close()
	// All or nothing: what is between would have other coins than the block.
	set, err := c.SummariseCoins(context.Background(), utxo.WithMuHash)
	if err != nil {
		return err
	}
	_, unchecked := c.Background()
	switch {
	case set.Block.Height < 3 && unchecked:
		return fmt.Errorf("unchecked at height %d", set.Block.Height)
	case set.Block.Height == int32(s.base) && set.MuHash != s.dump.MuHash:
		return fmt.Errorf("other coins at the base")
	case set.Block.Height > 2 && set.Block.Height < int32(s.base):
		return fmt.Errorf("at height %d", set.Block.Height)
	}
	if err := s.live(c); err != nil {
		return fmt.Errorf("go on: %w", err)
	}
	return s.expectEnd(c)
}

func (s *snapshotCrash) expectEnd(c *chain.Chain) error {
	if _, ok := c.Background(); ok {
		return fmt.Errorf("the check has not ended")
	}
	set, err := c.SummariseCoins(context.Background(), utxo.WithMuHash)
	if err == nil && set.Summary != s.want {
		err = fmt.Errorf("in the end %+v, want %+v", set.Summary, s.want)
	}
	if err != nil {
		return err
	}
	if s.perm != nil {
		perm, err := permStateOf(c)
		if err == nil && !bytes.Equal(perm, s.perm) {
			err = fmt.Errorf("other permissions in the end")
		}
		if err != nil {
			return err
		}
	}
	report, err := c.VerifyChain(context.Background(), chain.VerifyConnect, 0, nil)
	if err == nil && !report.Complete {
		err = fmt.Errorf("verify chain: %+v", report)
	}
	return err
}

// TestSnapshotCrash stops the disk at every few changes of a load, of the
// check below, and of its end.
func TestSnapshotCrash(t *testing.T) {
	h, perm := newHistory(t, 9, 3), newPermHistory(t)
	for _, tt := range []struct {
		name  string
		h     *history
		cache int64
		every int
	}{
		{"flushed when told", h, 8 << 20, 6},
		{"flushed at each block", h, 1, 29},
		{"permissions", perm.history, 8 << 20, 6},
		{"permissions, flushed at each block", perm.history, 1, 43},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &snapshotCrash{history: tt.h, cache: tt.cache, want: muhash(t, tt.h.x.Chain)}
			if tt.h == perm.history {
				s.perm = permState(t, tt.h.x)
			}
			whole := storetest.New()
			c, st, err := s.open(whole)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.live(c); err != nil {
				t.Fatal(err)
			}
			st.Close()
			var group errgroup.Group
			group.SetLimit(32) // after a failed write LevelDB waits for seconds
			for k := 1; k <= whole.Changes(); k += tt.every {
				group.Go(func() error {
					loss := storetest.Loss(k / tt.every % 3)
					if err := s.crash(k, loss); err != nil {
						return fmt.Errorf("stop at change %d of %d, loss %d: %w", k, whole.Changes(), loss, err)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d changes", whole.Changes())
		})
	}
}
