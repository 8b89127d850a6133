package sigcheck

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/charterchain/charter/chain/consensus"
)

// TestQueuedTransactionsShareABatch: what comes while all workers are busy is
// checked together by the first that gets free.
func TestQueuedTransactionsShareABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Workers: 1, CacheEntries: 100})
		c.running = 1 // busy
		var spends []Spend
		for n := range 12 {
			spends = append(spends, spendOf(t, n, p2tr))
		}
		bad := spoiled(t, spends[5], 0)
		spends[5] = bad
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for n, s := range spends {
			group.Go(func() {
				use := t.Context()
				if n == 7 {
					use = ctx
				}
				err := c.CheckTx(use, s.Tx, s.Coins, allConsensus)
				switch n {
				case 5:
					if !errors.Is(err, consensus.RuleTxScript) {
						t.Errorf("bad: got %v", err)
					}
				case 7:
					if !errors.Is(err, context.Canceled) || consensus.AsRule(err) != nil {
						t.Errorf("cancelled: got %v", err)
					}
				default:
					if err != nil {
						t.Errorf("%d: %v", n, err)
					}
				}
			})
		}
		synctest.Wait()
		if len(c.queue) != 12 || c.queued != 12 || c.Checked() != 0 {
			t.Errorf("%d queued, %d checked", len(c.queue), c.Checked())
		}
		cancel()
		synctest.Wait()
		if len(c.queue) != 11 || c.queued != 11 {
			t.Errorf("%d queued after one was cancelled", len(c.queue))
		}
		go c.work() // the busy one gets free
		group.Wait()
		synctest.Wait()
		if got := c.Stats(); got.Checked != 11 || got.Batches == 0 || got.Batches > 3 || c.running != 0 || len(c.idle) != 1 {
			t.Errorf("%+v, %d workers", got, c.running)
		}
	})
}

// TestTransactionAlone needs no goroutine but the caller's.
func TestTransactionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Workers: 2})
		c.running = 1
		s := spendOf(t, 1, p2tr, p2wpkh)
		p := c.newPending([]Spend{s}, allConsensus, consensus.RuleTxScript, nil)
		if !c.enqueue(p, true) || c.running != 2 {
			t.Fatalf("the caller is no worker of %d", c.running)
		}
		synctest.Wait()
		if c.Checked() != 0 || len(c.queue) != 1 {
			t.Error("somebody else took it")
		}
		p.help(t.Context())
		if err := p.await(t.Context()); err != nil {
			t.Error(err)
		}
		if c.running != 1 || c.Checked() != 2 {
			t.Errorf("%d workers, %d inputs checked", c.running, c.Checked())
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Workers: 1})
		c.running = 1
		p := c.Begin([]Spend{scripted(1, pass(), pass())}, allConsensus, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("enough")
		var err error
		go func() { err = p.Wait(ctx) }()
		synctest.Wait()
		cancel(reason)
		synctest.Wait()
		if !errors.Is(err, reason) {
			t.Errorf("got %v", err)
		}
		c.work()
		if err := p.Wait(t.Context()); err != nil {
			t.Errorf("waited again: %v", err)
		}
		if err := p.Wait(ctx); err != nil {
			t.Errorf("an outcome that is known: %v", err)
		}
		p.Abandon()
		if err := p.Wait(t.Context()); err != nil {
			t.Errorf("abandoned when it was over: %v", err)
		}
	})
}

// TestWaitComesFirst: a block that somebody waits for does not stand behind
// those that were queued ahead, nor behind transactions.
func TestWaitComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Workers: 1})
		c.running = 1 // busy
		ahead := []*Pending{c.Begin([]Spend{scripted(1, pass())}, allConsensus, nil), c.Begin([]Spend{scripted(2, pass())}, allConsensus, nil)}
		tx := scripted(3, pass())
		go func() {
			if err := c.CheckTx(t.Context(), tx.Tx, tx.Coins, allConsensus); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		p := c.Begin([]Spend{scripted(4, pass())}, allConsensus, nil)
		last := c.Begin([]Spend{scripted(5, pass())}, allConsensus, nil)
		go func() {
			if err := p.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if len(c.queue) != 5 || c.queue[0] != p || c.queue[1] != ahead[0] || c.queue[2] != ahead[1] || c.queue[4] != last {
			t.Error("not the order expected")
		}
		go c.work() // the busy one gets free
		if err := errors.Join(ahead[0].Wait(t.Context()), ahead[1].Wait(t.Context()), last.Wait(t.Context())); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if c.queued != 0 || c.running != 0 || c.Checked() != 5 {
			t.Errorf("%d queued, %d workers, %d checked", c.queued, c.running, c.Checked())
		}
	})
}

// TestFailuresWhileOthersWork: each of several inputs that fail gives up what
// nobody took, which may be counted once only: or the outcome is known too
// early, or never.
func TestFailuresWhileOthersWork(t *testing.T) {
	for workers := 1; workers <= 3; workers++ {
		synctest.Test(t, func(t *testing.T) {
			c := New(Config{Workers: workers})
			c.running = workers
			var spends []Spend
			for n := range 6 {
				scripts := make([][]byte, sliceInputs/2)
				for i := range scripts {
					scripts[i] = pass()
				}
				if n < 4 {
					scripts[5] = fail()
				}
				spends = append(spends, scripted(n, scripts...))
			}
			p := c.Begin(spends, allConsensus, nil)
			var took []slice // the third slice stays in the queue
			for range 2 {
				s, _ := c.take()
				took = append(took, s)
			}
			w := c.worker()
			w.collect(took[1])
			if p.isDone() || p.waiting != 0 || c.queued != 0 {
				t.Fatalf("%d workers: after a failure: done %v, %d inputs wait", workers, p.isDone(), p.waiting)
			}
			w.collect(took[0])
			if err := p.await(t.Context()); !p.isDone() || !errors.Is(err, consensus.RuleBlockScript) || p.broken.Load() != 5 || p.left.Load() != 0 {
				t.Errorf("%d workers: %v, input %d, %d left", workers, err, p.broken.Load(), p.left.Load())
			}
			p.Abandon()
			for range workers {
				c.leave(c.worker())
			}
		})
	}
}

func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Workers: 1})
		c.running = 1
		first := c.Begin([]Spend{scripted(1, pass())}, allConsensus, nil)
		given := c.Begin([]Spend{scripted(2, pass(), pass())}, allConsensus, nil)
		last := c.Begin([]Spend{scripted(3, pass())}, allConsensus, nil)
		given.Abandon()
		given.Abandon()
		err := given.Wait(t.Context())
		if !errors.Is(err, errAbandoned) || consensus.AsRule(err) != nil || given.Hints() != nil {
			t.Errorf("got %v", err)
		}
		c.work()
		if err := errors.Join(first.Wait(t.Context()), last.Wait(t.Context())); err != nil || c.Checked() != 2 {
			t.Errorf("the others: %v, %d inputs checked", err, c.Checked())
		}
	})
}

// TestWorkersEnd: they are as many as the work is worth, and none is left
// when it is done.
func TestWorkersEnd(t *testing.T) {
	for _, c := range []struct{ inputs, workers, want int }{{1, 3, 1}, {8, 3, 1}, {9, 3, 2}, {100, 3, 3}, {100, 1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			scripts := make([][]byte, c.inputs)
			for i := range scripts {
				scripts[i] = pass()
			}
			checker := New(Config{Workers: c.workers})
			checker.mu.Lock() // none gets to work
			p := checker.newPending([]Spend{scripted(1, scripts...)}, allConsensus, consensus.RuleBlockScript, nil)
			checker.queue, checker.queued = append(checker.queue, p), p.waiting
			checker.startLocked(false)
			if checker.running != c.want {
				t.Errorf("%+v: %d workers", c, checker.running)
			}
			checker.mu.Unlock()
			if err := p.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if checker.running != 0 || checker.queued != 0 || len(checker.queue) != 0 || checker.Checked() != uint64(c.inputs) {
				t.Errorf("%+v: %d workers, %d queued, %d checked", c, checker.running, checker.queued, checker.Checked())
			}
		})
	}
}

// TestShares: a worker takes what is fair, in slices that keep small
// transactions whole.
func TestShares(t *testing.T) {
	c := New(Config{Workers: 2})
	c.running = 2
	var spends []Spend
	for n := range 300 {
		spends = append(spends, scripted(n, pass(), pass(), pass()))
	}
	large := make([][]byte, 700)
	for i := range large {
		large[i] = pass()
	}
	p := c.Begin(append(spends, scripted(300, large...)), allConsensus, nil)
	taken, covered := 0, map[place]bool{}
	for {
		queued := c.queued
		s, share := c.take()
		if s.n == 0 {
			break
		}
		if want := max(shareInputs, (queued+1)/2); share != want {
			t.Errorf("with %d queued the share is %d", queued, share)
		}
		if s.n > sliceInputs+shareInputs || s.at.input != 0 && s.at.todo < 300 {
			t.Errorf("%d inputs from %+v", s.n, s.at)
		}
		for at, i := s.at, 0; i < s.n; i++ {
			covered[at] = true
			if at.input++; at.input == len(p.spends[at.todo].Coins) {
				at = place{todo: at.todo + 1}
			}
		}
		taken += s.n
	}
	if taken != 1600 || len(covered) != 1600 {
		t.Errorf("%d inputs taken, %d different ones", taken, len(covered))
	}
	if many := c.Begin(times(spends, 10), allConsensus, nil); many.waiting != 9000 {
		t.Errorf("%d waiting", many.waiting)
	} else if _, share := c.take(); share != batchInputs {
		t.Errorf("a share of %d, want a batch", share)
	}
}

func times(spends []Spend, n int) (all []Spend) {
	for range n {
		all = append(all, spends...)
	}
	return all
}

// TestNoLostWakeUp: what is queued between a worker's last look at the queue
// and its end is for another one, who waits for it or not.
func TestNoLostWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{Workers: 1})
		c.running = 1
		w := c.worker()
		if w.turn(nil) {
			t.Error("something was queued")
		}
		p := c.Begin([]Spend{scripted(1, pass())}, allConsensus, nil)
		go func() {
			if err := p.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if p.isDone() || c.running != 1 {
			t.Error("there was no worker to spare")
		}
		c.leave(w)
		synctest.Wait()
		if !p.isDone() || c.running != 0 || len(c.idle) != 1 {
			t.Errorf("done %v, %d workers, memory of %d", p.isDone(), c.running, len(c.idle))
		}
	})
}
