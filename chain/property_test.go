package chain_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestRandomOperations offers the blocks of a random tree, some of which
// break a rule, in any order and more than once, between verdicts of an
// operator, flushes and restarts. The best block must always be the one with
// the most work of those that are complete and good, and the coins its own.
func TestRandomOperations(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, rand.New(rand.NewPCG(seed, 7)))
			for range 120 {
				w.operate()
				w.checkBest()
			}
			w.checkCoins()
			w.finish()
		})
	}
}

// world is a chain, a tree of blocks for it, and what is known of them.
type world struct {
	*chaintest.Harness
	t      *testing.T
	rng    *rand.Rand
	tree   []*member // parents first; the first is genesis
	vetoed map[*member]bool
	ops    []string // so far, for the report
}

type member struct {
	block  *consensus.Block
	parent *member
	name   string
	work   *big.Int
	bad    bool // breaks a rule
}

func newWorld(t *testing.T, rng *rand.Rand) *world {
	h := chaintest.New(t, chaintest.Options{
		FS: storetest.New(), Dir: "/data",
		CacheBytes: int64(1 + rng.IntN(2)*(8<<20)),
	})
	genesis := &member{block: h.Block("genesis"), name: "genesis", work: consensus.Work(h.Params.PoW.Limit)}
	w := &world{Harness: h, t: t, rng: rng, tree: []*member{genesis}, vetoed: map[*member]bool{}}
	for i := range 24 {
		parent := w.tree[max(0, len(w.tree)-1-rng.IntN(4))]
		w.add(fmt.Sprint("x", i), parent)
	}
	return w
}

// add makes a block that spends its parent's coinbase, and at times spends
// it twice, which only shows when it is connected.
func (w *world) add(name string, parent *member) {
	m := &member{name: name, parent: parent, work: new(big.Int).Add(parent.work, consensus.Work(w.Params.PoW.Limit))}
	var opts []chaintest.Option
	if parent.parent != nil {
		opts = append(opts, w.Spend(parent.name))
		if m.bad = w.rng.IntN(8) == 0; m.bad {
			opts = append(opts, chaintest.Tx(chaintest.SpendTx(2000, 1, w.Coin(parent.name)), 2000))
		}
	}
	m.block = w.On(parent.name).Next(name, opts...).Block
	w.tree = append(w.tree, m)
}

func (w *world) pick() *member { return w.tree[1+w.rng.IntN(len(w.tree)-1)] }

// operate does something at random.
func (w *world) operate() {
	m := w.pick()
	ctx := w.t.Context()
	var op string
	var err error
	switch n := w.rng.IntN(20); {
	case n < 13:
		op = "accept"
		_, err = w.Chain.AcceptBlock(ctx, m.block)
	case n < 15:
		op = "headers"
		_, err = w.Chain.AcceptHeaders(ctx, w.headers(m))
	case n < 16:
		op = "invalidate"
		info, known := w.Chain.Lookup(m.block.Hash)
		if known && info.State != chain.StateInvalid {
			w.vetoed[m] = true
		}
		if err = w.Chain.Invalidate(ctx, m.block.Hash); !known {
			err = nil
		}
	case n < 18:
		op = "reconsider"
		err = w.reconsider(m)
	case n < 19:
		op = "flush"
		err = w.Chain.Flush(ctx)
	default:
		op = "restart"
		w.Close()
		w.Open()
	}
	w.ops = append(w.ops, op+" "+m.name)
	if err != nil && consensus.AsRule(err) == nil {
		w.t.Fatalf("%v: %v", w.ops, err)
	}
}

func (w *world) headers(m *member) []wire.BlockHeader {
	if m.parent == nil {
		return nil
	}
	return append(w.headers(m.parent), m.block.Header)
}

func (w *world) reconsider(m *member) error {
	if _, known := w.Chain.Lookup(m.block.Hash); !known {
		return nil
	}
	for v := range w.vetoed {
		if v.descends(m) || m.descends(v) {
			delete(w.vetoed, v)
		}
	}
	return w.Chain.Reconsider(w.t.Context(), m.block.Hash)
}

// descends reports whether m is of or stands on it.
func (m *member) descends(from *member) bool {
	for ; m != nil; m = m.parent {
		if m == from {
			return true
		}
	}
	return false
}

// good reports whether the body of m and of all below it are here and
// neither break a rule nor were vetoed.
func (w *world) good(m *member) bool {
	for ; m.parent != nil; m = m.parent {
		info, ok := w.Chain.Lookup(m.block.Hash)
		if !ok || !info.HaveData || m.bad || w.vetoed[m] {
			return false
		}
	}
	return true
}

// checkBest compares the best block with the best of the model, and what
// counts as invalid.
func (w *world) checkBest() {
	w.t.Helper()
	best := w.member(w.Chain.Best())
	if !w.good(best) {
		w.t.Fatalf("%v: best block %s is not good", w.ops, best.name)
	}
	for _, m := range w.tree {
		if m.work.Cmp(best.work) > 0 && w.good(m) {
			w.t.Fatalf("%v: best block is %s, but %s has more work", w.ops, best.name, m.name)
		}
		info, known := w.Chain.Lookup(m.block.Hash)
		if !known {
			continue
		}
		invalid, vetoed, bad := info.State == chain.StateInvalid, false, false
		for at := m; at != nil; at = at.parent {
			vetoed, bad = vetoed || w.vetoed[at], bad || at.bad
		}
		if invalid && !vetoed && !bad || !invalid && vetoed {
			w.t.Fatalf("%v: %s counts as invalid: %t; vetoed %t, bad %t", w.ops, m.name, invalid, vetoed, bad)
		}
	}
	if bh := w.Chain.BestHeader(); bh.State == chain.StateInvalid || bh.Work.Cmp(best.work) < 0 {
		w.t.Fatalf("%v: best header %s is %v", w.ops, w.member(bh).name, bh.State)
	}
}

func (w *world) member(info chain.BlockInfo) *member {
	for _, m := range w.tree {
		if m.block.Hash == info.Hash {
			return m
		}
	}
	w.t.Fatalf("block %v is not of the tree", info.Hash)
	return nil
}

// checkCoins compares the coins with those of the best branch, made anew.
func (w *world) checkCoins() {
	w.t.Helper()
	var branch []*consensus.Block
	for m := w.member(w.Chain.Best()); m.parent != nil; m = m.parent {
		branch = append([]*consensus.Block{m.block}, branch...)
	}
	if diff := cmp.Diff(branchCoins(w.Params, branch), coins(w.t, w.Harness)); diff != "" {
		w.t.Fatalf("%v: coins (-want +got):\n%s", w.ops, diff)
	}
}

// finish takes all verdicts back and offers everything in any order: then
// the best good block of the tree must be reached.
func (w *world) finish() {
	w.t.Helper()
	for _, m := range w.tree {
		if err := w.reconsider(m); err != nil {
			w.t.Fatal(err)
		}
	}
	for range 2 { // what is early may be dropped when its parent is bad
		for _, i := range w.rng.Perm(len(w.tree)) {
			if _, err := w.Chain.AcceptBlock(w.t.Context(), w.tree[i].block); err != nil && consensus.AsRule(err) == nil {
				w.t.Fatal(err)
			}
		}
	}
	for _, m := range w.tree {
		ok := true
		for at := m; at != nil; at = at.parent {
			ok = ok && !at.bad
		}
		if ok && !w.good(m) {
			w.t.Errorf("%s is good and was not taken", m.name)
		}
	}
	w.checkBest()
	w.checkCoins()
}
