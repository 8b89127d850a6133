package mempool

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

func TestEntry(t *testing.T) {
	w := newWorld(t)
	a := spend(1000, 2, w.coin(1e8))
	b := spend(2000, 1, outputOf(a, 0))
	c := spend(3000, 1, outputOf(a, 1), outputOf(b, 0))
	w.accept(a, b, c)
	e, ok := w.pool.Entry(b.TxID)
	if !ok {
		t.Fatal("not here")
	}
	if e.AncestorCount != 2 || e.AncestorFees != 3000 || e.AncestorVSize != a.VSize()+b.VSize() ||
		e.DescendantCount != 2 || e.DescendantFees != 5000 || e.DescendantVSize != b.VSize()+c.VSize() {
		t.Errorf("relatives of b: %+v", e)
	}
	if diff := cmp.Diff(ids([]*consensus.Tx{a}), e.Depends); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ids([]*consensus.Tx{c}), e.SpentBy); diff != "" {
		t.Error(diff)
	}
	up, _ := w.pool.Ancestors(c.TxID)
	down, _ := w.pool.Descendants(a.TxID)
	if diff := cmp.Diff(ids([]*consensus.Tx{a, b}), entryIDs(up)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ids([]*consensus.Tx{b, c}), entryIDs(down)); diff != "" {
		t.Error(diff)
	}
	if _, ok := w.pool.Entry(a.Msg.TxIn[0].PreviousOutPoint.Hash); ok {
		t.Error("an entry that is not here")
	}
	if w.pool.Get(a.TxID) != a || w.pool.GetByWTxID(a.WTxID) != a || !w.pool.Have(a.WTxID) || w.pool.Have(a.TxID) {
		t.Error("look-ups by id are wrong")
	}
	if w.pool.Spender(outputOf(a, 0).OutPoint) != b || w.pool.Spender(outputOf(c, 0).OutPoint) != nil {
		t.Error("spenders are wrong")
	}
	if _, ok := w.pool.Coin(outputOf(a, 0).OutPoint); ok {
		t.Error("a spent output was given as a coin")
	}
	if coin, ok := w.pool.Coin(outputOf(c, 0).OutPoint); !ok || coin.Amount != c.Msg.TxOut[0].Value || coin.Height != 1 {
		t.Errorf("coin %+v", coin)
	}
	info := w.pool.Info()
	if info.Count != 3 || info.Fees != 6000 || info.VSize != a.VSize()+b.VSize()+c.VSize() || info.MinFee != 1000 {
		t.Errorf("%+v", info)
	}
}

func entryIDs(list []Entry) (out []chainhash.Hash) {
	for i := range list {
		out = append(out, list[i].Tx.TxID)
	}
	return out
}

// Subscribers hear everything once, in order, from many goroutines' doing,
// and of a transaction before its block.
func TestEventOrder(t *testing.T) {
	w := newWorld(t)
	var log []string
	w.pool.Subscribe(func(ev TxEvent) {
		if want := uint64(len(log) + 1); ev.Seq != want {
			t.Errorf("event %d has number %d", want, ev.Seq)
		}
		if ev.Kind == Added {
			log = append(log, "added")
		} else {
			log = append(log, "removed")
		}
	})
	cancel := w.pool.Subscribe(func(TxEvent) { t.Error("called after cancel") })
	cancel()
	cancel()
	var txs []*consensus.Tx
	for range 40 {
		txs = append(txs, spend(1000, 1, w.coin(1e8)))
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for _, tx := range txs[i*10 : i*10+10] {
				if err := w.pool.Accept(context.Background(), tx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.chain.sink = func(ev chain.Event) {
		w.pool.HandleEvent(ev)
		if ev.Kind == chain.Connected {
			log = append(log, "block")
		}
	}
	w.chain.mine(txs...)
	want := strings.Repeat("added ", 40) + strings.Repeat("removed ", 40) + "block"
	if got := strings.Join(log, " "); got != want {
		t.Errorf("heard %s", got)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, func(_ *params.Params, cfg *Config) { cfg.Metrics = NewMetrics(reg) })
	tx := spend(1000, 1, w.coin(1e8))
	w.accept(tx)
	w.refuse(tx, ErrInPool)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	const want = `
# HELP charter_mempool_fees_units Fees of the transactions in the pool, in smallest units.
# TYPE charter_mempool_fees_units gauge
charter_mempool_fees_units 1000
# HELP charter_mempool_transactions Transactions in the pool.
# TYPE charter_mempool_transactions gauge
charter_mempool_transactions 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "charter_mempool_transactions", "charter_mempool_fees_units"); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(w.pool.metrics.refused.WithLabelValues(ErrInPool.Error())); got != 1 {
		t.Errorf("%v refusals counted, want 1", got)
	}
}

// Every reason that a metric can show is there from the start.
func TestReasonsAreClosed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range refusals() {
		seen[r] = true
	}
	for _, err := range []error{
		&consensus.RuleError{Rule: consensus.RuleTxScript}, &consensus.RuleError{Rule: RuleCoinbase},
		refuse("dust", ""), ErrSameTxID, ErrInChain, &MissingInputsError{},
	} {
		if r := reasonOf(err); !seen[r] {
			t.Errorf("%q is not among the labels", r)
		}
	}
	for _, r := range []consensus.Rule{consensus.RuleBlockWeight, consensus.RuleCoinbaseAmount, consensus.RuleHighHash, consensus.RuleBlockScript} {
		if seen[string(r)] {
			t.Errorf("%q is among the labels, but only blocks break it", r)
		}
	}
	if reasonOf(context.Canceled) != "" {
		t.Error("an undecided transaction has a reason")
	}
}
