package mempool

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// offer gives a transaction to the pool as a peer does and reports whether
// it waits among the orphans.
func (w *world) offer(tx *consensus.Tx, source string) bool {
	w.t.Helper()
	err := w.pool.AcceptFrom(context.Background(), tx, source)
	missing, ok := errors.AsType[*MissingInputsError](err)
	return ok && missing.Kept
}

// run lets Run work until it has nothing to do.
func (w *world) run(for_ time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.pool.Run(ctx) }()
	if for_ > 0 {
		time.Sleep(for_) // virtual: the tests run under synctest
	}
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		w.t.Errorf("Run: %v", err)
	}
}

func realClock(_ *params.Params, cfg *Config) { cfg.Now = time.Now }

func orphanTest(t *testing.T, name string, fn func(w *world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { fn(newWorld(t, realClock)) })
	})
}

// stray makes a transaction whose parent does not exist.
func stray(n uint32, outs int) *consensus.Tx {
	op := wire.OutPoint{Hash: chainhash.HashH([]byte("stray")), Index: n}
	return spend(1000, outs, output{op, 1e9})
}

func TestOrphans(t *testing.T) {
	orphanTest(t, "come with their parent", func(w *world) {
		a := spend(1000, 2, w.coin(1e8))
		b := spend(1000, 1, outputOf(a, 0))
		c := spend(1000, 1, outputOf(b, 0), outputOf(a, 1))
		if !w.offer(c, "x") || !w.offer(b, "y") || !w.pool.Have(c.WTxID) {
			w.t.Fatal("the orphans were not kept")
		}
		w.accept(a)
		w.run(0)
		w.expectPool(a, b, c)
		if got := w.pool.Info().Orphans; got != 0 {
			w.t.Errorf("%d orphans left", got)
		}
	})
	orphanTest(t, "come with their parent's block", func(w *world) {
		a := spend(1000, 1, w.coin(1e8))
		b := spend(1000, 1, outputOf(a, 0))
		w.offer(b, "x")
		w.chain.mine(a)
		w.run(0)
		w.expectPool(b)
	})
	orphanTest(t, "leave when a block confirms them", func(w *world) {
		a := spend(1000, 1, w.coin(1e8))
		b := spend(1000, 1, outputOf(a, 0))
		w.offer(b, "x")
		w.chain.mine(a, b)
		w.run(0)
		w.expectPool()
		if got := w.pool.Info().Orphans; got != 0 {
			w.t.Errorf("%d orphans left", got)
		}
	})
	orphanTest(t, "are not kept for nobody", func(w *world) {
		if err := w.pool.Accept(context.Background(), stray(0, 1)); err == nil || w.pool.Info().Orphans != 0 {
			w.t.Errorf("Accept: %v, %d orphans", err, w.pool.Info().Orphans)
		}
	})
	orphanTest(t, "share of a source", func(w *world) {
		for i := range uint32(maxOrphansPerSource) {
			if !w.offer(stray(i, 1), "x") {
				w.t.Fatalf("orphan %d was not kept", i)
			}
		}
		if w.offer(stray(1000, 1), "x") {
			w.t.Error("a source got more than its share")
		}
		if !w.offer(stray(1000, 1), "y") {
			w.t.Error("another source got nothing")
		}
		w.pool.ForgetSource("x")
		if got := w.pool.Info().Orphans; got != 1 {
			w.t.Errorf("%d orphans after the source left, want 1", got)
		}
		if !w.offer(stray(1001, 1), "x") {
			w.t.Error("the source's share is still used up")
		}
	})
	orphanTest(t, "number", func(w *world) {
		first := stray(0, 1)
		w.offer(first, "first")
		for i := range uint32(maxOrphans) {
			time.Sleep(time.Second)
			w.offer(stray(i+1, 1), fmt.Sprint(i/maxOrphansPerSource))
		}
		if got := w.pool.Info().Orphans; got != maxOrphans {
			w.t.Errorf("%d orphans, want %d", got, maxOrphans)
		}
		if w.pool.Have(first.WTxID) {
			w.t.Error("the oldest did not give way")
		}
	})
	orphanTest(t, "memory", func(w *world) {
		big := stray(0, 2300) // just below 400,000 weight units
		if big.Weight > maxOrphanWeight {
			w.t.Fatal("the test's transaction is too large")
		}
		fit := maxOrphanBytes / int(usageOf(big))
		for i := range fit + 1 {
			if !w.offer(stray(uint32(i), 2300), fmt.Sprint(i)) {
				w.t.Fatalf("orphan %d was not kept", i)
			}
		}
		if got := w.pool.Info().Orphans; got != fit {
			w.t.Errorf("%d orphans, want %d", got, fit)
		}
	})
	orphanTest(t, "do not wait for an output that will never be", func(w *world) {
		a := spend(1000, 1, w.coin(1e8))
		never := output{wire.OutPoint{Hash: a.TxID, Index: 7}, 1e8}
		early := spend(1000, 1, never)
		if !w.offer(early, "x") {
			w.t.Fatal("the orphan was not kept before its parent came")
		}
		w.accept(a)
		if w.offer(spend(2000, 1, never), "x") {
			w.t.Error("it waits for a parent that is here")
		}
		w.run(0)
		w.expectPool(a)
		if got := w.pool.Info().Orphans; got != 0 {
			w.t.Errorf("%d orphans wait for ever", got)
		}
	})
	orphanTest(t, "expiry", func(w *world) {
		w.offer(stray(0, 1), "x")
		w.run(orphanLife)
		if got := w.pool.Info().Orphans; got != 1 {
			w.t.Errorf("%d orphans, want 1", got)
		}
		w.run(2 * expiryInterval)
		if got := w.pool.Info().Orphans; got != 0 {
			w.t.Errorf("%d orphans, want none", got)
		}
		o := &w.pool.orphans
		if len(o.byParent)+len(o.bySource)+int(o.usage) != 0 {
			w.t.Errorf("something was left behind: %+v", o)
		}
	})
}
