package index_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/index"
	"github.com/charterchain/charter/chain/store/storetest"
)

// story is a chain with indexes that run beside it.
type story struct {
	*chaintest.Harness
	t   *testing.T
	set *index.Set
	off func()
}

// on switches the indexes on.
func (s *story) on() {
	s.t.Helper()
	set, err := index.Open(index.Config{
		Params: s.Params, Store: s.Store, Source: chain.IndexSource{Chain: s.Chain},
		Tx: true, Addr: true, Filter: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.set = set
	quiet := s.Chain.Subscribe(func(chain.Event) { set.Wake() })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	s.off = func() {
		s.t.Helper()
		quiet()
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
		if err := set.Close(); err != nil {
			s.t.Errorf("Close: %v", err)
		}
	}
}

// restart stops everything, as a kill does or in order, and starts it again.
func (s *story) restart(kill bool) {
	s.t.Helper()
	s.off()
	if kill {
		s.Kill()
	} else {
		s.Close()
	}
	s.Open()
	s.on()
}

// wait returns when all indexes are at the best block.
func (s *story) wait() {
	s.t.Helper()
	for {
		behind := false
		for _, st := range s.set.Status() {
			behind = behind || !st.Synced
			if st.Message != "" {
				s.t.Fatalf("%s: %s", st.Name, st.Message)
			}
		}
		if !behind {
			return
		}
		_ = s.set.Tx().Ready(s.t.Context())
	}
}

// expect checks that the coins of the script that all blocks pay to are
// those of the chain, and that the transactions of the named blocks are
// found there.
func (s *story) expect(blocks ...string) {
	s.t.Helper()
	s.wait()
	script := chaintest.AnyoneCanSpend()
	sums, err := s.set.Addr().Totals(script)
	if err != nil || sums.Balance != s.Chain.Stats().Total {
		s.t.Fatalf("balance %d, %v, want %d", sums.Balance, err, s.Chain.Stats().Total)
	}
	coins, _, at, err := s.set.Addr().Unspent(index.Page{Limit: 1000}, script)
	if err != nil || int64(len(coins)) != s.Chain.Stats().Coins || at.Hash != s.Chain.Best().Hash {
		s.t.Fatalf("%d coins at %v, %v, want %d", len(coins), at, err, s.Chain.Stats().Coins)
	}
	for _, u := range coins {
		coin, ok, err := s.Chain.Coin(u.OutPoint)
		if err != nil || !ok || coin.Amount != u.Amount || coin.Height != u.Height || coin.Coinbase != u.Coinbase {
			s.t.Errorf("coin %+v, the chain has %+v, %v, %v", u, coin, ok, err)
		}
	}
	for _, name := range blocks {
		b := s.Block(name)
		for i, tx := range b.Txs {
			got, ok, err := s.set.Tx().Lookup(tx.TxID)
			if err != nil || !ok || got.Block != b.Hash || got.Index != i || got.Tx.WTxID != tx.WTxID {
				s.t.Errorf("transaction %d of %s: %+v, %v, %v", i, name, got, ok, err)
			}
		}
		if _, ok, err := s.set.Filter().ByHash(b.Hash); !ok || err != nil {
			s.t.Errorf("filter of %s: %v, %v", name, ok, err)
		}
	}
}

func newStory(t *testing.T, disk *storetest.Disk) *story {
	opts := chaintest.Options{}
	if disk != nil {
		opts.FS, opts.Dir = disk, "d"
	}
	return &story{Harness: chaintest.New(t, opts), t: t}
}

// TestStory: indexes are switched on late, follow reorganisations, are off
// while the chain forks, and meet kills.
func TestStory(t *testing.T) {
	s := newStory(t, nil)
	s.Next("b1").Accept()
	s.Next("b2", s.Spend("b1")).Accept()
	s.Next("b3", s.Spend("b2")).Accept()
	s.on()
	s.expect("b1", "b2", "b3")

	s.On("b1").Next("c2").Side()
	s.Next("c3", s.Spend("b1")).Side()
	s.Next("c4").Accept() // reorganisation
	s.expect("b1", "c2", "c3", "c4")
	if _, ok, err := s.set.Tx().Lookup(s.Block("b3").Txs[0].TxID); ok || err != nil {
		t.Errorf("a transaction that left the best branch: %v, %v", ok, err)
	}
	if _, ok, err := s.set.Filter().ByHash(s.Block("b3").Hash); !ok || err != nil {
		t.Errorf("filter of a block that left the best branch: %v, %v", ok, err)
	}

	s.off() // and the chain goes back to the first branch
	s.On("b3").Next("b4").Side()
	s.Next("b5", s.Spend("b3")).Accept()
	s.on()
	s.expect("b1", "b2", "b3", "b4", "b5")

	s.restart(false)
	s.expect("b5")
	s.Next("b6", s.Spend("b4")).Accept()
	s.expect("b6")
	s.restart(true) // killed
	s.expect("b6")

	if err := s.Chain.Invalidate(t.Context(), s.Block("b4").Hash); err != nil {
		t.Fatal(err)
	}
	s.expect("c4")
	if err := s.Chain.Reconsider(t.Context(), s.Block("b4").Hash); err != nil {
		t.Fatal(err)
	}
	s.expect("b6")
	s.off()
}

// TestPowerLoss: blocks that the chain has not flushed are in an index; then
// the machine dies. The index never knows of a block that the chain has lost.
func TestPowerLoss(t *testing.T) {
	for name, loss := range map[string]storetest.Loss{
		"process": storetest.LoseNothing, "machine": storetest.LoseUnsynced, "torn": storetest.TearUnsynced,
	} {
		t.Run(name, func(t *testing.T) {
			disk := storetest.New()
			s := newStory(t, disk)
			s.on()
			s.Next("b1").Accept()
			s.Next("b2", s.Spend("b1")).Accept()
			s.wait()
			s.On("b1").Next("c2").Side()
			s.Next("c3").Accept()
			s.expect("b1", "c2", "c3")
			s.off()
			after := disk.Crash(loss)
			s.Kill()

			again := newStory(t, after)
			again.on()
			if at := again.set.Status()[0].Height; at != 3 {
				t.Errorf("index at height %d, want 3", at)
			}
			again.wait()
			if got := again.Chain.Best().Hash; got != s.Block("c3").Hash {
				t.Errorf("best block %v, want c3", got)
			}
			if _, ok, err := again.set.Tx().Lookup(s.Block("c3").Txs[0].TxID); !ok || err != nil {
				t.Errorf("lookup: %v, %v", ok, err)
			}
			again.off()
		})
	}
}
