package chain_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/chain/utxo"
)

// TestCrash stops the disk at every few changes of a run with
// reorganisations, flushes, side branches and an operator's verdicts. What
// the next process finds must open, show the coins of its best block, hold
// what was flushed, and reach the same end when everything comes again.
func TestCrash(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cache int64
		every int
	}{
		{"flushed when told", 8 << 20, 7},
		{"flushed at each block", 1, 23},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newCrashScript()
			whole := storetest.New()
			if _, err := s.run(whole, tt.cache, false); err != nil {
				t.Fatal(err)
			}
			total := whole.Changes()
			// Side by side: after a failed write LevelDB waits for seconds.
			var group errgroup.Group
			group.SetLimit(32)
			for k := 1; k <= total; k += tt.every {
				group.Go(func() error {
					loss := storetest.Loss(k / tt.every % 3)
					if err := s.crash(tt.cache, k, loss); err != nil {
						return fmt.Errorf("stop at change %d of %d, loss %d: %w", k, total, loss, err)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// crash runs the script on a disk that stops at its k-th change, and then
// looks at what is left.
func (s *crashScript) crash(cache int64, k int, loss storetest.Loss) error {
	d := storetest.New()
	d.StopAt(k, k%2 == 0)
	flushed, err := s.run(d, cache, k/2%2 == 0)
	if consensus.AsRule(err) != nil {
		return fmt.Errorf("a stopped disk broke a rule: %w", err)
	}
	return s.checkAfter(d.Crash(loss), cache, flushed)
}

// crashScript is a run of a chain that can be repeated on any disk.
type crashScript struct {
	maker  *chaintest.Maker
	blocks map[string]*consensus.Block
	order  []string
	steps  []func(*chain.Chain) error // nil: flush
	names  map[chainhash.Hash]string
	parent map[string]string
	end    string // best block after all steps
}

func newCrashScript() *crashScript {
	m := chaintest.NewMaker(chaintest.Params(chaintest.ChainFile))
	genesis := consensus.NewBlock(m.Params.GenesisBlock)
	s := &crashScript{
		maker:  m,
		blocks: map[string]*consensus.Block{"genesis": genesis},
		names:  map[chainhash.Hash]string{genesis.Hash: "genesis"},
		parent: map[string]string{},
	}
	s.make("a1", "genesis", "")
	s.make("a2", "a1", "a1")
	s.make("a3", "a2", "")
	s.make("b2", "a1", "a1")
	s.make("b3", "b2", "b2")
	s.make("b4", "b3", "")
	s.make("a4", "a3", "a3")
	s.make("a5", "a4", "a2")
	s.make("c5", "b4", "b4")
	s.make("c6", "c5", "")
	s.accept("a1")
	s.accept("a2")
	s.flush()
	s.accept("a3")
	s.accept("b2")
	s.headers("b3", "b4")
	s.accept("b4") // its parent's body comes later
	s.flush()
	s.accept("b3") // to the b branch
	s.accept("a4")
	s.flush()
	s.accept("a5") // back to the a branch
	s.accept("c5")
	s.invalidate("a3") // to the c branch
	s.flush()
	s.reconsider("a3")
	s.accept("c6")
	s.end = "c6"
	return s
}

// make builds a block that spends the coinbase of the block named, if any.
func (s *crashScript) make(name, parent, spends string) {
	var opts []chaintest.Option
	if spends != "" {
		opts = append(opts, chaintest.Tx(chaintest.SpendTx(1000, 3, chaintest.CoinbaseOutput(s.blocks[spends])), 1000))
	}
	b := s.maker.Make(s.blocks[parent].Hash, opts...)
	s.blocks[name], s.names[b.Hash], s.parent[name] = b, name, parent
	s.order = append(s.order, name)
}

func (s *crashScript) step(fn func(*chain.Chain) error) { s.steps = append(s.steps, fn) }

func (s *crashScript) accept(name string) {
	s.step(func(c *chain.Chain) error {
		_, err := c.AcceptBlock(context.Background(), s.blocks[name])
		return err
	})
}

func (s *crashScript) headers(names ...string) {
	s.step(func(c *chain.Chain) error {
		var hs []wire.BlockHeader
		for _, n := range names {
			hs = append(hs, s.blocks[n].Header)
		}
		_, err := c.AcceptHeaders(context.Background(), hs)
		return err
	})
}

func (s *crashScript) invalidate(name string) {
	s.step(func(c *chain.Chain) error { return c.Invalidate(context.Background(), s.blocks[name].Hash) })
}

func (s *crashScript) reconsider(name string) {
	s.step(func(c *chain.Chain) error { return c.Reconsider(context.Background(), s.blocks[name].Hash) })
}

// flush is a step of its own: run has to know of it.
func (s *crashScript) flush() { s.step(nil) }

func (s *crashScript) open(d *storetest.Disk, cache int64) (*chain.Chain, *store.Store, error) {
	p := s.maker.Params
	st, err := store.Open(store.Config{
		Dir: "/data", FS: d, Magic: p.Network.Magic, DBCache: 1 << 20,
		MaxBlock: p.Limits.BlockSerialized, FileSize: 2000, // several files
	})
	if err != nil {
		return nil, nil, err
	}
	now := p.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	c, err := chain.New(context.Background(), chain.Config{
		Params: p, Store: st, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}),
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), CacheBytes: cache,
	})
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return c, st, nil
}

// run goes through the steps up to the first error, with blocks handed ahead
// where ahead says so. It returns what was best at the last flush that
// succeeded.
func (s *crashScript) run(d *storetest.Disk, cache int64, ahead bool) (flushed *chain.BlockInfo, err error) {
	c, st, err := s.open(d, cache)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	for _, step := range s.steps {
		if ahead {
			s.handAhead(c)
		}
		if step != nil {
			err = step(c)
		} else if err = c.Flush(context.Background()); err == nil {
			best := c.Best()
			flushed = &best
		}
		if err != nil {
			return flushed, err
		}
	}
	return flushed, nil
}

// handAhead hands the chain the blocks that it does not have, ahead of their
// turn.
func (s *crashScript) handAhead(c *chain.Chain) {
	for _, name := range s.order {
		b := s.blocks[name]
		if info, ok := c.Lookup(b.Hash); (!ok || !info.HaveData) && !c.Ahead(b, nil) {
			return
		}
	}
}

// checkAfter opens what a crash left and goes through everything again.
func (s *crashScript) checkAfter(d *storetest.Disk, cache int64, flushed *chain.BlockInfo) error {
	c, st, err := s.open(d, cache)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer st.Close()
	if err := s.checkCoins(c); err != nil {
		return fmt.Errorf("opened: %w", err)
	}
	if flushed != nil {
		if info, ok := c.Lookup(flushed.Hash); !ok || !info.HaveData {
			return fmt.Errorf("flushed block %s is gone", s.names[flushed.Hash])
		}
	}
	for _, n := range s.order {
		if info, ok := c.Lookup(s.blocks[n].Hash); ok && info.State == chain.StateInvalid {
			if err := c.Reconsider(context.Background(), info.Hash); err != nil {
				return fmt.Errorf("reconsider %s: %w", n, err)
			}
		}
	}
	for _, n := range s.order {
		if _, err := c.AcceptBlock(context.Background(), s.blocks[n]); err != nil {
			return fmt.Errorf("block %s again: %w", n, err)
		}
	}
	if got := s.names[c.Best().Hash]; got != s.end {
		return fmt.Errorf("best block %s at the end, want %s", got, s.end)
	}
	if err := s.checkCoins(c); err != nil {
		return fmt.Errorf("all blocks again: %w", err)
	}
	return c.Close()
}

// checkCoins compares the best block with the others that are complete, and
// the coins with those of its branch.
func (s *crashScript) checkCoins(c *chain.Chain) error {
	best := c.Best()
	for _, b := range s.blocks {
		info, ok := c.Lookup(b.Hash)
		if ok && info.ChainTxs > 0 && info.State != chain.StateInvalid && info.Work.Cmp(best.Work) > 0 {
			return fmt.Errorf("best is %s, but %s has more work", s.names[best.Hash], s.names[info.Hash])
		}
	}
	got := make(map[wire.OutPoint]consensus.Coin)
	at, err := c.EachCoin(context.Background(), func(op wire.OutPoint, coin consensus.Coin) error {
		got[op] = coin
		return nil
	})
	if err != nil {
		return err
	}
	if at.Hash != best.Hash {
		return fmt.Errorf("coins of %s, best is %s", s.names[at.Hash], s.names[best.Hash])
	}
	want := branchCoins(s.maker.Params, s.branch(s.names[best.Hash]))
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("coins at %s (-want +got):\n%s", s.names[best.Hash], diff)
	}
	return nil
}

// branch returns the blocks after genesis up to the named one.
func (s *crashScript) branch(name string) []*consensus.Block {
	if name == "genesis" {
		return nil
	}
	return append(s.branch(s.parent[name]), s.blocks[name])
}

// branchCoins computes a coin set the plain way.
func branchCoins(p *params.Params, blocks []*consensus.Block) map[wire.OutPoint]consensus.Coin {
	coins := make(map[wire.OutPoint]consensus.Coin)
	genesis := consensus.NewBlock(p.GenesisBlock)
	for _, out := range p.GenesisCoins() {
		coins[wire.OutPoint{Hash: genesis.Txs[0].TxID, Index: out.Index}] = consensus.Coin{Amount: out.Amount, Script: out.Script}
	}
	for i, b := range blocks {
		for j, tx := range b.Txs {
			for _, in := range tx.Msg.TxIn {
				delete(coins, in.PreviousOutPoint)
			}
			for n, out := range tx.Msg.TxOut {
				if !utxo.Unspendable(out.PkScript) {
					coins[wire.OutPoint{Hash: tx.TxID, Index: uint32(n)}] = consensus.Coin{
						Amount: out.Value, Script: out.PkScript, Height: int32(i + 1), Coinbase: j == 0,
					}
				}
			}
		}
	}
	return coins
}
