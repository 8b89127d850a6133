package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// spendingChain makes blocks on b4 of fuzzBase each of which spends coins of
// the one before, and returns them with the number of inputs.
func spendingChain(h *chaintest.Harness, n int) (blocks []*consensus.Block, inputs int) {
	key := chaintest.NewKey(chaintest.P2WPKH, 1)
	by, from := chaintest.NewKey(chaintest.Anyone, 0), h.Coin("b4")
	at := h.Block("b4").Hash
	for range n {
		first := chaintest.Pay(by, []chaintest.Output{from}, key, 2, 1000)
		second := chaintest.Pay(key, chaintest.Outputs(first), key, 1, 1000)
		b := h.Make(at, chaintest.Tx(first, 1000), chaintest.Tx(second, 1000))
		blocks, inputs = append(blocks, b), inputs+3
		by, from, at = key, chaintest.Outputs(second)[0], b.Hash
	}
	return blocks, inputs
}

// watched opens the chain of h with a Checker and metrics to look at.
func watched(t *testing.T, h *chaintest.Harness) (*sigcheck.Checker, func() int) {
	t.Helper()
	checker, reg := sigcheck.New(sigcheck.Config{Workers: 2, Recheck: 256}), prometheus.NewRegistry()
	h.Close()
	if err := h.TryOpenWith(func(_ *store.Config, cc *chain.Config) {
		cc.Checker, cc.Metrics = checker, chain.NewMetrics(reg)
	}); err != nil {
		t.Fatal(err)
	}
	return checker, func() int { return aheadIn(t, reg) }
}

// aheadIn reads the metric of blocks that were checked ahead.
func aheadIn(t *testing.T, reg *prometheus.Registry) int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "charter_chain_ahead_blocks_total" {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	t.Fatal("no metric of blocks that were checked ahead")
	return 0
}

// TestAhead: blocks that are handed ahead in any order have their scripts
// checked then, with coins that are in the cache, on disk, or in each other.
func TestAhead(t *testing.T) {
	for _, tt := range []struct {
		name  string
		order []int
	}{
		{"in order", []int{0, 1, 2, 3, 4}},
		{"reversed", []int{4, 3, 2, 1, 0}},
		{"mixed, some twice", []int{2, 0, 2, 4, 1, 0, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
			fuzzBase(h)
			blocks, inputs := spendingChain(h, 5)
			checker, ahead := watched(t, h)
			for _, i := range tt.order {
				if !h.Chain.Ahead(blocks[i], nil) {
					t.Fatalf("no room for block %d", i)
				}
			}
			for i, b := range blocks {
				if _, err := h.Chain.AcceptBlock(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if got := ahead(); got != i+1 {
					t.Errorf("block %d: %d blocks were checked ahead, want %d", i, got, i+1)
				}
			}
			if got := checker.Checked(); got != uint64(inputs) {
				t.Errorf("%d inputs were checked, there are %d", got, inputs)
			}
			if n := h.Chain.AheadBlocks(); n != 0 {
				t.Errorf("%d blocks are still looked at", n)
			}
		})
	}
}

// TestPipelines: imports, and the walk over bodies that are on disk, have blocks
// looked at ahead; whatever the order in which they come.
func TestPipelines(t *testing.T) {
	const n = 12
	newChain := func(t *testing.T) (*chaintest.Harness, []*consensus.Block, func() int) {
		h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
		fuzzBase(h)
		blocks, _ := spendingChain(h, n)
		_, ahead := watched(t, h)
		return h, blocks, ahead
	}
	check := func(t *testing.T, h *chaintest.Harness, blocks []*consensus.Block, ahead func() int) {
		t.Helper()
		if got := h.Chain.Best().Hash; got != blocks[n-1].Hash {
			t.Fatalf("at height %d", h.Chain.Best().Height)
		}
		if got := ahead(); got != n {
			t.Errorf("%d of %d blocks were checked ahead", got, n)
		}
		if got := h.Chain.AheadBlocks(); got != 0 {
			t.Errorf("%d blocks are still looked at", got)
		}
	}
	t.Run("import", func(t *testing.T) {
		h, blocks, ahead := newChain(t)
		if _, err := h.Chain.Import(t.Context(), bytes.NewReader(framed(t, h.Maker, blocks...)), nil); err != nil {
			t.Fatal(err)
		}
		check(t, h, blocks, ahead)
	})
	t.Run("import of a stream that is damaged", func(t *testing.T) {
		h, blocks, ahead := newChain(t)
		data := framed(t, h.Maker, blocks...)
		at := len(data)
		data = append(append(data, framed(t, h.Maker, h.Make(blocks[n-1].Hash))[:100]...), "rubbish"...)
		got, err := h.Chain.Import(t.Context(), onlyReader{bytes.NewReader(data)}, nil)
		if want := fmt.Sprintf("block %d, before byte %d: frame at byte %d ", n+1, len(data), at); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if got.Blocks != n+1 || got.Accepted != n || got.BytesRead != int64(len(data)) {
			t.Errorf("%+v", got)
		}
		check(t, h, blocks, ahead)
	})
	t.Run("import that is cancelled", func(t *testing.T) {
		h, blocks, _ := newChain(t)
		ctx, cancel := context.WithCancel(t.Context())
		got, err := h.Chain.Import(ctx, bytes.NewReader(framed(t, h.Maker, blocks...)), func(p chain.ImportProgress) {
			if p.Blocks == 5 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "block 6, before byte ") || got.Accepted != 5 {
			t.Errorf("%+v, %v", got, err)
		}
		if got := h.Chain.AheadBlocks(); got != 0 {
			t.Errorf("%d blocks are still looked at", got)
		}
	})
	t.Run("bodies from the last to the first", func(t *testing.T) {
		h, blocks, ahead := newChain(t)
		var headers []wire.BlockHeader
		for _, b := range blocks {
			headers = append(headers, b.Header)
		}
		if _, err := h.Chain.AcceptHeaders(t.Context(), headers); err != nil {
			t.Fatal(err)
		}
		for _, b := range slices.Backward(blocks) {
			if _, err := h.Chain.AcceptBlock(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		if got := ahead(); got < n-1 { // the one that came last need not be
			t.Errorf("%d of %d blocks were checked ahead", got, n)
		}
	})
	t.Run("CatchUp", func(t *testing.T) {
		h, blocks, _ := newChain(t)
		for _, b := range blocks {
			if _, err := h.Chain.AcceptBlock(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		h.Close()
		reg := prometheus.NewRegistry()
		if err := h.TryOpenWith(func(sc *store.Config, cc *chain.Config) {
			dropAll(sc, cc)
			cc.CatchUpLater, cc.Metrics = true, chain.NewMetrics(reg)
		}); err != nil {
			t.Fatal(err)
		}
		h.ExpectTip("genesis")
		if err := h.Chain.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, h, blocks, func() int { return aheadIn(t, reg) - 4 }) // b1 to b4
	})
}

// TestAheadWindow: the window is bounded; what is refused, or comes to nothing,
// makes way.
func TestAheadWindow(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	fuzzBase(h)
	blocks, _ := spendingChain(h, 4)
	h.Chain.SetAheadLimit(2 * 256 << 10) // two blocks
	for i, want := range []bool{true, true, false, false} {
		if got := h.Chain.Ahead(blocks[i], nil); got != want {
			t.Errorf("block %d: room %v", i, got)
		}
	}
	if !h.Chain.Ahead(blocks[0], nil) {
		t.Error("no room for a block that is there")
	}
	if _, err := h.Chain.AcceptBlock(t.Context(), blocks[0]); err != nil {
		t.Fatal(err)
	}
	bad := h.Make(blocks[0].Hash, chaintest.Change(func(d *chaintest.Draft) { d.Fees++ }))
	if !h.Chain.Ahead(bad, nil) || h.Chain.Ahead(blocks[2], nil) {
		t.Error("there is room for just one block")
	}
	if _, err := h.Chain.AcceptBlock(t.Context(), bad); consensus.AsRule(err) == nil {
		t.Fatal(err)
	}
	if !h.Chain.Ahead(blocks[2], nil) {
		t.Error("a block that was refused does not make way")
	}
	// A branch that has lost makes way for one that goes on.
	for _, b := range blocks[1:] {
		if _, err := h.Chain.AcceptBlock(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	beside := []*consensus.Block{h.Make(blocks[0].Hash), h.Make(blocks[0].Hash)}
	for _, b := range beside {
		h.Chain.Ahead(b, nil)
		if result, err := h.Chain.AcceptBlock(t.Context(), b); err != nil || result != chain.ResultSide {
			t.Fatal(result, err)
		}
	}
	if !h.Chain.Ahead(h.Make(blocks[3].Hash), nil) {
		t.Error("blocks of a branch that has lost do not make way")
	}
	// What has no proof of work, or is no block, does not get in.
	for name, b := range map[string]*consensus.Block{
		"no proof of work": unsolved(h, blocks[3]),
		"no transactions":  {Header: beside[0].Header, Hash: beside[0].Hash},
	} {
		before := h.Chain.AheadBlocks()
		if !h.Chain.Ahead(b, nil) || h.Chain.AheadBlocks() > before {
			t.Errorf("%s: kept", name)
		}
	}
}

// unsolved makes a block on parent without proof of work.
func unsolved(h *chaintest.Harness, parent *consensus.Block) *consensus.Block {
	for {
		b := h.Make(parent.Hash, chaintest.Change(func(d *chaintest.Draft) { d.NoSolve = true }))
		if consensus.CheckHeader(&b.Header, h.Params) != nil {
			return b
		}
	}
}

// TestAheadDecidesNothing offers trees of random blocks, many of which break a
// rule, to two chains in the same order. One gets blocks ahead, in any order and
// while others are judged. Every outcome and its text, and all that is on disk
// in the end, must be the same.
func TestAheadDecidesNothing(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			plain := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
			other := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
			order := randomTree(rng, plain)
			fuzzBase(other)
			if seed%3 == 0 {
				other.Chain.SetAheadLimit(3 * 256 << 10)
			}
			var handing sync.WaitGroup
			for i, b := range order {
				for range rng.IntN(4) {
					next := order[min(i+rng.IntN(5), len(order)-1)]
					handing.Go(func() { other.Chain.Ahead(next, nil) })
				}
				if rng.IntN(2) == 0 {
					handing.Wait()
				}
				want, wantErr := plain.Chain.AcceptBlock(t.Context(), consensus.NewBlock(b.Msg()))
				got, gotErr := other.Chain.AcceptBlock(t.Context(), b)
				if got != want || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
					t.Fatalf("block %d: %d, %v; without lookahead %d, %v", i, got, gotErr, want, wantErr)
				}
			}
			handing.Wait()
			if diff := cmp.Diff(stateOf(t, plain, nil), stateOf(t, other, nil)); diff != "" {
				t.Errorf("state (-without lookahead +with):\n%s", diff)
			}
		})
	}
}

// randomTree extends the chain that fuzzBase makes of h by branches of random
// blocks, and returns them in the order in which they are to be offered, some
// more than once.
func randomTree(rng *rand.Rand, h *chaintest.Harness) []*consensus.Block {
	type grown struct {
		block *consensus.Block
		pool  []spendable
		bad   bool // perhaps
	}
	pool := fuzzBase(h)
	tree := []grown{{h.Block("b4"), pool, false}}
	for len(tree) < 20 {
		on := tree[max(0, len(tree)-1-rng.IntN(4))]
		if on.bad && rng.IntN(6) > 0 {
			continue
		}
		data := make([]byte, 40)
		for i := range data {
			data[i] = byte(rng.UintN(256))
		}
		r := randomBlock{in: &input{data: data}, pool: append([]spendable(nil), on.pool...)}
		var opts []chaintest.Option
		kind := rng.IntN(8)
		switch kind {
		case 0: // breaks a rule, beside what is good
			breaches := chaintest.Breaches(on.pool[0].Output)
			r.pool = r.pool[1:]
			opts = append(r.options(), breaches[rng.IntN(len(breaches))].Option)
		case 1, 2: // signatures that are wrong
			opts = append(r.options(), chaintest.Change(func(d *chaintest.Draft) { spoil(rng, d) }))
		default:
			opts = r.options()
		}
		tree = append(tree, grown{h.Make(on.block.Hash, opts...), r.pool, kind < 3})
	}
	var order []*consensus.Block
	for i, g := range tree[1:] {
		order = append(order, g.block)
		if rng.IntN(4) == 0 {
			order = append(order, tree[1+rng.IntN(i+1)].block)
		}
	}
	for i := range order[1:] { // now and then before its parent
		if rng.IntN(8) == 0 {
			order[i], order[i+1] = order[i+1], order[i]
		}
	}
	return order
}

// spoil changes a bit of the last item of a witness, or of a script, of up to
// three transactions.
func spoil(rng *rand.Rand, d *chaintest.Draft) {
	txs := d.Block.Transactions[1:]
	for range min(3, len(txs)) {
		in := txs[rng.IntN(len(txs))].TxIn[0]
		part := &in.SignatureScript
		if len(in.Witness) > 0 {
			part = &in.Witness[0]
		}
		if *part = bytes.Clone(*part); len(*part) > 0 { // it may be shared
			(*part)[rng.IntN(len(*part))] ^= 1 << rng.IntN(8)
		}
	}
}
