package index

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/store/storetest"
)

// wantHistory is the history of a script on the best branch, computed by
// reading all blocks.
func (c *fakeChain) wantHistory(script []byte) (list []Entry) {
	for _, b := range c.best {
		for i, tx := range b.Txs {
			e := Entry{TxID: tx.TxID, Height: b.height, Index: i}
			touched := false
			if i > 0 {
				for _, coin := range b.spent[i-1] {
					if string(coin.Script) == string(script) {
						e.Spent, touched = e.Spent+coin.Amount, true
					}
				}
			}
			for vout, out := range tx.Msg.TxOut {
				unspendable := len(out.PkScript) > 0 && out.PkScript[0] == 0x6a
				if string(out.PkScript) == string(script) && !unspendable && (b.height > 0 || vout > 0) {
					e.Received, touched = e.Received+out.Value, true
				}
			}
			if touched {
				list = append(list, e)
			}
		}
	}
	return list
}

// wantUnspent is the coins of a script after the best block.
func (c *fakeChain) wantUnspent(script []byte) (list []Unspent) {
	for op, coin := range c.tip().coins {
		if string(coin.Script) == string(script) {
			list = append(list, Unspent{OutPoint: op, Height: coin.Height, Amount: coin.Amount, Coinbase: coin.Coinbase})
		}
	}
	slices.SortFunc(list, func(a, b Unspent) int { return slices.Compare(a.place(), b.place()) })
	return list
}

// allHistory reads a history page by page.
func (s *setup) allHistory(page Page, scripts ...[]byte) (list []Entry) {
	s.t.Helper()
	for {
		part, next, at, err := s.set.Addr().History(page, scripts...)
		if err != nil {
			s.t.Fatal(err)
		}
		if at.Hash != s.chain.tip().Hash {
			s.t.Fatalf("history as of %v, want the best block", at.Hash)
		}
		list = append(list, part...)
		if next == "" {
			return list
		}
		page.Cursor, page.Skip = next, 0
	}
}

func (s *setup) allUnspent(limit int, scripts ...[]byte) (list []Unspent) {
	s.t.Helper()
	for page := (Page{Limit: limit}); ; {
		part, next, _, err := s.set.Addr().Unspent(page, scripts...)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, part...)
		if page.Cursor = next; next == "" {
			return list
		}
	}
}

// check compares every answer with the model.
func (s *setup) check(rng *rand.Rand, scripts int) {
	s.t.Helper()
	for n := range scripts {
		id := script(n)
		want := s.chain.wantHistory(id)
		limit := 1 + rng.IntN(8)
		if diff := cmp.Diff(want, s.allHistory(Page{Limit: limit}, id)); diff != "" {
			s.t.Fatalf("script %d, pages of %d (-want +got):\n%s", n, limit, diff)
		}
		from, to := rng.Int32N(20), rng.Int32N(20)
		inside := slices.DeleteFunc(slices.Clone(want), func(e Entry) bool {
			return e.Height < from || to > 0 && e.Height > to
		})
		slices.Reverse(inside)
		skip := rng.IntN(4)
		page := Page{Limit: limit, Reverse: true, From: from, To: to, Skip: skip}
		if diff := cmp.Diff(inside[min(skip, len(inside)):], s.allHistory(page, id), equalEmpty); diff != "" {
			s.t.Fatalf("script %d, %+v (-want +got):\n%s", n, page, diff)
		}
		unspent := s.chain.wantUnspent(id)
		if diff := cmp.Diff(unspent, s.allUnspent(limit, id)); diff != "" {
			s.t.Fatalf("script %d, coins in pages of %d (-want +got):\n%s", n, limit, diff)
		}
		s.checkTotals(id, want, unspent)
	}
	s.checkTxs()
	s.checkFilters()
}

var equalEmpty = cmp.Transformer("empty", func(l []Entry) []Entry {
	if len(l) == 0 {
		return nil
	}
	return append([]Entry(nil), l...)
})

func (s *setup) checkTotals(id []byte, history []Entry, unspent []Unspent) {
	s.t.Helper()
	var received, balance int64
	for _, e := range history {
		received += e.Received
	}
	for _, u := range unspent {
		balance += u.Amount
	}
	got, err := s.set.Addr().Totals(id)
	if err != nil || got.Received.Int64() != received || got.Balance != balance || got.Txs != uint64(len(history)) {
		s.t.Fatalf("totals %+v, %v, want %d received, balance %d, %d transactions", got, err, received, balance, len(history))
	}
}

// checkTxs looks up every transaction of the best branch, and those that
// are on other branches only.
func (s *setup) checkTxs() {
	s.t.Helper()
	onBest := make(map[string]bool)
	for _, b := range s.chain.best {
		for i, tx := range b.Txs {
			onBest[tx.TxID.String()] = true
			got, ok, err := s.set.Tx().Lookup(tx.TxID)
			if err != nil || !ok || got.Block != b.Hash || got.Height != b.height || got.Index != i || got.Tx.WTxID != tx.WTxID {
				s.t.Fatalf("transaction %d of block %d: got %+v, %v, %v", i, b.height, got, ok, err)
			}
		}
	}
	for _, b := range s.chain.blocks {
		for _, tx := range b.Txs {
			if _, ok, err := s.set.Tx().Lookup(tx.TxID); ok != onBest[tx.TxID.String()] || err != nil {
				s.t.Fatalf("transaction of block at height %d: found %v, %v", b.height, ok, err)
			}
		}
	}
}

func (s *setup) checkFilters() {
	s.t.Helper()
	var previous [32]byte
	for _, b := range s.chain.best {
		want, err := BasicFilter(b.Block, b.spent)
		if err != nil {
			s.t.Fatal(err)
		}
		previous = FilterHeader(want, previous)
		got, ok, err := s.set.Filter().ByHash(b.Hash)
		if err != nil || !ok || string(got.Filter) != string(want) || got.Header != previous {
			s.t.Fatalf("filter at height %d: %x, header %v, %v, %v", b.height, got.Filter, got.Header, ok, err)
		}
	}
}

// TestRandomHistories compares the indexes with a plain model while the
// chain grows and reorganises, and the node is stopped, started, and run
// without its indexes.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			const scripts = 12
			c := newFakeChain(testParams(t))
			s := newSetup(t, c)
			for range 12 {
				for range rng.IntN(4) { // without the indexes
					c.step(rng, scripts)
				}
				if rng.IntN(3) == 0 {
					s.store.Close()
					s.open()
				}
				s.mustFollow()
				s.check(rng, scripts)
			}
			fresh := newSetup(t, c)
			fresh.mustFollow()
			if diff := cmp.Diff(fresh.rows(), s.rows()); diff != "" {
				t.Errorf("rows differ from those of an index built at once (-built +followed):\n%s", diff)
			}
		})
	}
}

// step grows the best branch, or takes up to five blocks back and puts more
// or fewer on another one.
func (c *fakeChain) step(rng *rand.Rand, scripts int) {
	at := c.tip()
	more := 1 + rng.IntN(3)
	if rng.IntN(2) == 0 {
		for range rng.IntN(6) {
			if at.parent != nil {
				at = at.parent
			}
		}
		more = rng.IntN(7)
	}
	for range more {
		at = c.randomBlock(rng, at, scripts, 6)
	}
	c.setTip(at)
}

// TestEveryWriteStops stops the disk at each of its changes, leaves what a
// crash may leave, and goes on: the rows are then those of an index that
// never met a fault.
func TestEveryWriteStops(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := newFakeChain(testParams(t))
	var tips []*fakeBlock
	for range 5 {
		c.step(rng, 8)
		tips = append(tips, c.tip())
	}
	// run follows the tips in order, until the disk stops.
	run := func(s *setup) error {
		for _, tip := range tips {
			c.setTip(tip)
			if err := s.follow(); err != nil {
				return err
			}
		}
		return nil
	}
	whole := newSetup(t, c)
	begun := whole.disk.Changes()
	if err := run(whole); err != nil {
		t.Fatal(err)
	}
	want, changes := whole.rows(), whole.disk.Changes()-begun
	for k := 1; k <= changes; k++ {
		loss := storetest.Loss(k % 3)
		s := newSetup(t, c)
		s.disk.StopAt(k, k%5 == 0)
		if err := run(s); !errors.Is(err, storetest.ErrStopped) {
			t.Fatalf("change %d of %d: error %v", k, changes, err)
		}
		s.store.Close()
		s.disk = s.disk.Crash(loss)
		s.open()
		for _, f := range s.set.followers {
			if !f.ok() {
				t.Fatalf("change %d, loss %d: %s", k, loss, f.status().Message)
			}
		}
		if err := run(s); err != nil {
			t.Fatalf("change %d, loss %d: %v", k, loss, err)
		}
		if got := s.rows(); !maps.Equal(want, got) {
			t.Errorf("change %d, loss %d (-want +got):\n%s", k, loss, cmp.Diff(want, got))
		}
		s.store.Close()
	}
	t.Logf("%d changes", changes)
}

// TestSeveralScripts: pages over several scripts hold each transaction once
// and as a whole.
func TestSeveralScripts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	c := newFakeChain(testParams(t))
	for range 15 {
		c.setTip(c.randomBlock(rng, c.tip(), 6, 8))
	}
	s := newSetup(t, c)
	s.mustFollow()
	ids := [][]byte{script(2), script(3), script(2), script(4), allocated(700)}
	var want []Entry
	for _, n := range []int{0, 1, 3, 4} {
		for _, e := range c.wantHistory(ids[n]) {
			e.Script = n
			want = append(want, e)
		}
	}
	slices.SortStableFunc(want, func(a, b Entry) int { return (&Page{}).order(a.place(), b.place()) })
	for limit := 1; limit < 10; limit++ {
		if diff := cmp.Diff(want, s.allHistory(Page{Limit: limit}, ids...)); diff != "" {
			t.Fatalf("pages of %d (-want +got):\n%s", limit, diff)
		}
		part, _, _, err := s.set.Addr().History(Page{Limit: limit}, ids...)
		txs := map[int64]bool{}
		for _, e := range part {
			txs[int64(e.Height)<<24|int64(e.Index)] = true
		}
		if err != nil || len(txs) != limit {
			t.Fatalf("a page of %d holds %d transactions, %v", limit, len(txs), err)
		}
	}
	count := 0
	for _, n := range []int{0, 1, 3, 4} {
		count += len(c.wantUnspent(ids[n]))
	}
	if got := s.allUnspent(3, ids...); len(got) != count {
		t.Errorf("%d coins, want %d", len(got), count)
	}
	for _, cursor := range []string{"x", "00", "0000000000000000000000000000"} {
		if _, _, _, err := s.set.Addr().History(Page{Cursor: cursor, Limit: 1}, ids...); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}
