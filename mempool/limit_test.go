package mempool

import (
	"testing"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool/policy"
)

// room sets a budget for n of the plainest transactions.
func budgetFor(n int64) setUp {
	return func(p *params.Params, _ *Config) {
		p.Policy.MempoolBytes = n * usageOf(spend(0, 1, output{}))
	}
}

func TestEviction(t *testing.T) {
	w := newWorld(t, budgetFor(3))
	cheap := spend(200, 1, w.coin(1e8))
	mid := spend(300, 1, w.coin(1e8))
	dear := spend(400, 1, w.coin(1e8))
	w.accept(cheap, mid, dear)
	w.expectPool(cheap, mid, dear) // exactly full
	w.log = nil

	// Pays as much as the least here, came later: it leaves at once.
	w.refuseFull(spend(200, 1, w.coin(1e8)))
	w.expectPool(cheap, mid, dear)
	w.expectEvents() // nobody is told of it

	floor := policy.RateOf(200, vsizeOf(1, 1)) + 1000
	if got := w.pool.MinFee(); got != floor {
		t.Errorf("after an eviction the least rate is %d, want %d", got, floor)
	}
	need := floor.Fee(vsizeOf(1, 1))
	w.refuse(spend(need-1, 1, w.coin(1e8)), policy.CodeMempoolFee)
	w.log = nil
	best := spend(need, 1, w.coin(1e8))
	w.accept(best)
	w.expectPool(mid, dear, best)
	w.expectEvents(TxEvent{Kind: Removed, Tx: cheap, Reason: ReasonSize}, TxEvent{Kind: Added, Tx: best})
}

// refuseFull expects a transaction to be evicted as soon as it is in.
func (w *world) refuseFull(tx *consensus.Tx) {
	w.t.Helper()
	if err := w.pool.Accept(w.t.Context(), tx); reasonOf(err) != string(policy.CodeFull) {
		w.t.Fatalf("Accept: %v, want %v", err, policy.CodeFull)
	}
	w.log = nil
}

// A child that pays well keeps its parent, and a parent leaves with its
// children.
func TestEvictionByPackage(t *testing.T) {
	w := newWorld(t, budgetFor(4))
	parent := spend(200, 1, w.coin(1e8))
	child := spend(5000, 1, outputOf(parent, 0))
	low := spend(300, 1, w.coin(1e8))
	lowChild := spend(301, 1, outputOf(low, 0))
	w.accept(parent, child, low, lowChild)
	w.log = nil
	best := spend(3000, 1, w.coin(1e8))
	w.accept(best)
	w.expectPool(parent, child, best)
	w.expectEvents(
		TxEvent{Kind: Removed, Tx: lowChild, Reason: ReasonSize},
		TxEvent{Kind: Removed, Tx: low, Reason: ReasonSize},
		TxEvent{Kind: Added, Tx: best},
	)
}

// A transaction that pays well by itself stays, even where all its
// descendants together drag it below each of them: here two poor children
// share a rich grandchild.
func TestEvictionKeepsRichParent(t *testing.T) {
	w := newWorld(t)
	rich := spend(5000, 2, w.coin(1e8))
	left := spend(200, 1, outputOf(rich, 0))
	right := spend(200, 1, outputOf(rich, 1))
	shared := spend(7000, 1, outputOf(left, 0), outputOf(right, 0))
	w.accept(rich, left, right, shared)
	for _, tx := range []*consensus.Tx{left, right} {
		r, _ := w.pool.Entry(rich.TxID)
		c, _ := w.pool.Entry(tx.TxID)
		if policy.CompareRates(r.DescendantFees, r.DescendantVSize, c.DescendantFees, c.DescendantVSize) >= 0 {
			t.Fatal("the test's fees do not make the case")
		}
	}
	w.pool.mu.Lock()
	w.pool.policy.MempoolBytes = w.pool.usage - 1
	w.pool.trimLocked()
	w.pool.mu.Unlock()
	w.expectPool(rich, left)
}

func TestFloorFalls(t *testing.T) {
	w := newWorld(t, budgetFor(1))
	w.accept(spend(8*vsizeOf(1, 1), 1, w.coin(1e8)))
	w.accept(spend(16*vsizeOf(1, 1), 1, w.coin(1e8)))
	const floor = 9000 // the rate of what was evicted, and the increment
	at := func(passed time.Duration, want policy.FeeRate) {
		t.Helper()
		w.clock = w.clock.Add(passed)
		if got := w.pool.MinFee(); got != want {
			t.Errorf("least rate is %d, want %d", got, want)
		}
	}
	at(0, floor)
	at(100*time.Hour, floor) // no block yet
	w.chain.mine()
	at(0, floor)
	at(floorHalfLife, floor/2) // the pool is full
	w.chain.mine(w.pool.Entries()[0].Tx)
	at(floorHalfLife/4, floor/4) // it is empty: four times as fast
	at(floorHalfLife/4*2, 1000)
	at(floorHalfLife/4*2, 1000) // fell to nothing: the relay rate stays
	if w.pool.floor.rate != 0 {
		t.Errorf("the floor is %v, want 0", w.pool.floor.rate)
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	old := spend(1000, 1, w.coin(1e8))
	w.accept(old)
	w.clock = w.clock.Add(time.Hour)
	child := spend(1000, 1, outputOf(old, 0))
	young := spend(1000, 1, w.coin(1e8))
	w.accept(child, young)
	w.log = nil
	expire := func() {
		w.pool.mu.Lock()
		w.pool.expireLocked()
		w.pool.mu.Unlock()
		w.pool.notify.deliver()
	}
	w.clock = w.clock.Add(w.pool.policy.MempoolExpiry - time.Hour)
	expire()
	w.expectPool(old, child, young)
	w.clock = w.clock.Add(1)
	expire()
	w.expectPool(young)
	w.expectEvents(
		TxEvent{Kind: Removed, Tx: child, Reason: ReasonExpiry},
		TxEvent{Kind: Removed, Tx: old, Reason: ReasonExpiry},
	)
}
