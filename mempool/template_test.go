package mempool

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
)

func (w *world) template(opts TemplateOptions) *Template {
	w.t.Helper()
	if opts.CoinbaseScript == nil {
		opts.CoinbaseScript = chaintest.AnyoneCanSpend()
	}
	t, err := w.pool.Template(context.Background(), opts)
	if err != nil {
		w.t.Fatalf("Template: %v", err)
	}
	return t
}

func ids(txs []*consensus.Tx) (list []chainhash.Hash) {
	for _, tx := range txs {
		list = append(list, tx.TxID)
	}
	return list
}

func TestTemplateOrder(t *testing.T) {
	w := newWorld(t)
	low := spend(200, 1, w.coin(1e8))        // parent of the best package
	high := spend(9000, 1, outputOf(low, 0)) // pays for it
	mid := spend(2000, 1, w.coin(1e8))       // worth less than the package
	poor := spend(300, 1, outputOf(mid, 0))  // worth less than its parent: only after it
	between := spend(1000, 1, w.coin(1e8))   // worth more than poor
	w.accept(low, mid, poor, between, high)
	got := w.template(TemplateOptions{})
	if diff := cmp.Diff(ids([]*consensus.Tx{low, high, mid, between, poor}), ids(got.Txs)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{200, 9000, 2000, 1000, 300}, got.Fees); diff != "" {
		t.Errorf("fees (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int{nil, {0}, nil, nil, {2}}, got.Depends); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if want := int64(50e8 + 12_500); got.CoinbaseValue != want || got.Block.Transactions[0].TxOut[0].Value != want {
		t.Errorf("coinbase takes %d, want %d", got.CoinbaseValue, want)
	}
	if want := consensus.NewBlock(got.Block).Weight(); got.Weight != want {
		t.Errorf("weight is given as %d, is %d", got.Weight, want)
	}
}

// Once an ancestor is chosen, it pays for nobody any more.
func TestTemplateAncestorPaysOnce(t *testing.T) {
	w := newWorld(t)
	rich := spend(9000, 1, w.coin(1e8))
	poor := spend(200, 1, w.coin(1e8))
	child := spend(4000, 1, outputOf(rich, 0), outputOf(poor, 0))
	mid := spend(3000, 1, w.coin(1e8))
	w.accept(rich, poor, child, mid)
	if diff := cmp.Diff(ids([]*consensus.Tx{rich, mid, poor, child}), ids(w.template(TemplateOptions{}).Txs)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestTemplateWeightLimit(t *testing.T) {
	w := newWorld(t)
	best := spend(9000, 1, w.coin(1e8))
	large := spend(8000, 20, w.coin(1e8))
	small := spend(300, 1, w.coin(1e8))
	w.accept(best, large, small)
	room := best.Weight + large.Weight
	got := w.template(TemplateOptions{MaxWeight: reservedWeight + room})
	if diff := cmp.Diff(ids([]*consensus.Tx{best, large}), ids(got.Txs)); diff != "" {
		t.Errorf("just enough room (-want +got):\n%s", diff)
	}
	got = w.template(TemplateOptions{MaxWeight: reservedWeight + room - 1})
	if diff := cmp.Diff(ids([]*consensus.Tx{best, small}), ids(got.Txs)); diff != "" {
		t.Errorf("one unit less (-want +got):\n%s", diff)
	}
	if got.Weight > reservedWeight+room-1 {
		t.Errorf("the block weighs %d, more than was asked for", got.Weight)
	}
}

// A long payout script takes room from transactions, not from the limit.
func TestTemplateLongPayout(t *testing.T) {
	w := newWorld(t)
	var all []*consensus.Tx
	for range 50 {
		all = append(all, spend(9000, 1, w.coin(1e8)))
	}
	w.accept(all...)
	const limit = 50_000
	got := w.template(TemplateOptions{MaxWeight: limit, CoinbaseScript: make([]byte, 9_000)})
	if got.Weight > limit || len(got.Txs) == 0 || len(got.Txs) == len(all) {
		t.Errorf("weight %d with %d transactions", got.Weight, len(got.Txs))
	}
}

func TestTemplateSigOpLimit(t *testing.T) {
	w := newWorld(t, func(p *params.Params, _ *Config) { p.Limits.BlockSigOpCost = reservedSigOps + 59 })
	a, b, c := sigOps(w, 2), sigOps(w, 1), sigOps(w, 1)
	w.accept(a, b, c)
	if got := w.template(TemplateOptions{}); got.SigOpCost != 40 {
		t.Errorf("cost of signature operations is %d, want 40 of 59", got.SigOpCost)
	}
}

func TestTemplateCountLimit(t *testing.T) {
	w := newWorld(t, func(p *params.Params, _ *Config) { p.Limits.BlockTxs = 3 })
	for range 4 {
		w.accept(spend(1000, 1, w.coin(1e8)))
	}
	got := w.template(TemplateOptions{})
	if len(got.Txs) != 2 {
		t.Errorf("%d transactions and a coinbase, want 3 in all", len(got.Txs))
	}
	if info := w.pool.Info(); info.TemplateTxs != 2 || info.TemplateWeight != got.Weight {
		t.Errorf("Info shows a template of %d transactions and weight %d", info.TemplateTxs, info.TemplateWeight)
	}
}

func TestTemplateCache(t *testing.T) {
	w := newWorld(t)
	w.accept(spend(1000, 1, w.coin(1e8)))
	first := w.template(TemplateOptions{})
	w.clock = w.clock.Add(time.Minute)
	second := w.template(TemplateOptions{CoinbaseScript: []byte{txscript.OP_TRUE}})
	if &first.Txs[0] != &second.Txs[0] {
		t.Error("the choice was made again although nothing had changed")
	}
	if got, want := second.Block.Header.Timestamp, w.clock; got.Unix() != want.Unix() {
		t.Errorf("time of the second is %v, want %v", got, want)
	}
	if second.Block.Transactions[0].TxOut[0].PkScript[0] != txscript.OP_TRUE {
		t.Error("the second pays to the script of the first")
	}
	w.accept(spend(1000, 1, w.coin(1e8)))
	third := w.template(TemplateOptions{})
	if len(third.Txs) != 2 || third.Generation == first.Generation {
		t.Errorf("after a change: %d transactions, generation %d", len(third.Txs), third.Generation)
	}
	w.chain.mine(third.Txs...)
	if fourth := w.template(TemplateOptions{}); len(fourth.Txs) != 0 || fourth.Height != 2 || fourth.Prev.Hash != w.chain.top().Hash {
		t.Errorf("after a block: %d transactions at height %d", len(fourth.Txs), fourth.Height)
	}
}

func TestTemplateTime(t *testing.T) {
	w := newWorld(t, func(p *params.Params, _ *Config) { p.PoW.MinSpacing = time.Minute })
	least := w.chain.top().Header.Timestamp.Add(time.Minute)
	w.clock = least.Add(-time.Second)
	if got := w.template(TemplateOptions{}); !got.Block.Header.Timestamp.Equal(least) || got.MinTime != uint32(least.Unix()) {
		t.Errorf("time %v, least %d, want %v", got.Block.Header.Timestamp, got.MinTime, least)
	}
	w.clock = least.Add(time.Hour)
	if got := w.template(TemplateOptions{}).Block.Header.Timestamp; !got.Equal(w.clock) {
		t.Errorf("time %v, want that of the clock", got)
	}
}

// A template waits for the pool to hear of the best block.
func TestTemplateWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tx := spend(1000, 1, w.coin(1e8))
		w.accept(tx)
		var held []chain.Event
		w.chain.sink = func(ev chain.Event) { held = append(held, ev) }
		w.chain.mine(tx)
		made := make(chan *Template)
		go func() { made <- w.template(TemplateOptions{}) }()
		synctest.Wait()
		for _, ev := range held {
			w.pool.HandleEvent(ev)
		}
		if got := <-made; len(got.Txs) != 0 || got.Height != 2 {
			t.Errorf("template of height %d with %d transactions", got.Height, len(got.Txs))
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.chain.sink = func(chain.Event) {}
		w.chain.mine()
		if _, err := w.pool.Template(ctx, TemplateOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Template with a context that is done: %v", err)
		}
	})
}

func TestTemplateTooMuchText(t *testing.T) {
	w := newWorld(t)
	w.template(TemplateOptions{Text: make([]byte, maxText)})
	if _, err := w.pool.Template(context.Background(), TemplateOptions{Text: make([]byte, maxText+1)}); err == nil {
		t.Error("a text that is too long was taken")
	}
}

// real is a pool on a real chain.
type real struct {
	*chaintest.Harness
	t    *testing.T
	pool *Pool
}

func newReal(t *testing.T) *real {
	h := chaintest.New(t, chaintest.Options{})
	pool := New(Config{
		Chain: h.Chain, Params: h.Params, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}),
		Now: func() time.Time { return h.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour) },
	})
	t.Cleanup(h.Chain.Subscribe(pool.HandleEvent))
	return &real{h, t, pool}
}

// mine solves a template with the given extra nonce; the chain must take it.
func (r *real) mine(opts TemplateOptions, extraNonce uint64) *consensus.Block {
	r.t.Helper()
	opts.CoinbaseScript = chaintest.AnyoneCanSpend()
	tpl, err := r.pool.Template(context.Background(), opts)
	if err != nil {
		r.t.Fatalf("Template: %v", err)
	}
	if err := r.Chain.CheckProposal(context.Background(), consensus.NewBlock(tpl.Block)); err != nil {
		r.t.Fatalf("the chain refuses the template: %v", err)
	}
	msg := tpl.WithExtraNonce(extraNonce)
	chaintest.Solve(&msg.Header)
	b := consensus.NewBlock(msg)
	if res, err := r.Chain.AcceptBlock(context.Background(), b); err != nil || res != chain.ResultConnected {
		r.t.Fatalf("the chain refuses the block: %d, %v", res, err)
	}
	return b
}

// The chain takes what templates make: at the heights where BIP34's encoding
// changes, with witnesses and without, with packages of many shapes.
func TestTemplateIsValid(t *testing.T) {
	r := newReal(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var outs []output
	seen := make(map[chainhash.Hash]bool)
	mined := 0
	for height := 1; height <= 135; height++ {
		for range rng.IntN(6) {
			if len(outs) == 0 {
				break
			}
			at := rng.IntN(len(outs))
			tx := spend(200+int64(rng.IntN(9000)), 1+rng.IntN(4), outs[at])
			if err := r.pool.Accept(context.Background(), tx); err != nil {
				continue
			}
			outs = slices.Delete(outs, at, at+1)
			for n := range tx.Msg.TxOut {
				outs = append(outs, outputOf(tx, n))
			}
		}
		b := r.mine(TemplateOptions{Text: []byte("test"), MaxWeight: reservedWeight + 3000}, rng.Uint64())
		mined += len(b.Txs) - 1
		outs = append(outs, outputOf(b.Txs[0], 0))
		if seen[b.Txs[0].TxID] {
			t.Fatal("two coinbases are equal")
		}
		seen[b.Txs[0].TxID] = true
	}
	if mined < 100 {
		t.Errorf("only %d transactions mined: the test tests little", mined)
	}
}

func TestTemplateFixed(t *testing.T) {
	r := newReal(t)
	b := r.mine(TemplateOptions{}, 0)
	free := spend(0, 2, outputOf(b.Txs[0], 0))
	pooled := spend(1000, 1, outputOf(b.Txs[0], 0)) // contradicts free
	if err := r.pool.Accept(context.Background(), pooled); err != nil {
		t.Fatal(err)
	}
	b = r.mine(TemplateOptions{Fixed: []*consensus.Tx{free, spend(500, 1, outputOf(free, 0))}}, 7)
	if len(b.Txs) != 3 || b.Txs[0].Msg.TxOut[0].Value != 50e8 {
		t.Errorf("%d transactions, coinbase takes %d", len(b.Txs), b.Txs[0].Msg.TxOut[0].Value)
	}
	if b = r.mine(TemplateOptions{Fixed: []*consensus.Tx{}}, 8); len(b.Txs) != 1 {
		t.Errorf("%d transactions in an empty block", len(b.Txs))
	}
}

// Each extra nonce gives another block; the template stays as it was.
func TestExtraNonce(t *testing.T) {
	w := newWorld(t)
	for range 6 {
		w.accept(spend(1000, 1, w.coin(1e8)))
	}
	tpl := w.template(TemplateOptions{})
	before := tpl.Block.Header.MerkleRoot
	roots := map[chainhash.Hash]bool{}
	for _, n := range []uint64{0, 1, 1 << 32, 1<<64 - 1} {
		msg := tpl.WithExtraNonce(n)
		b := consensus.NewBlock(msg)
		if want := consensus.MerkleRoot(consensus.TxIDs(b.Txs)); msg.Header.MerkleRoot != want {
			t.Errorf("extra nonce %d: merkle root %v, want %v", n, msg.Header.MerkleRoot, want)
		}
		roots[msg.Header.MerkleRoot] = true
	}
	if len(roots) != 4 || !roots[before] || tpl.Block.Header.MerkleRoot != before {
		t.Errorf("merkle roots %v, template's %v", roots, tpl.Block.Header.MerkleRoot)
	}
}

// Before BIP141 there is nothing to commit to.
func TestTemplateBeforeSegwit(t *testing.T) {
	w := newWorld(t, func(p *params.Params, _ *Config) { p.Deployments.Segwit = 2 })
	tpl := w.template(TemplateOptions{})
	if tpl.Commitment != nil || len(tpl.Block.Transactions[0].TxOut) != 1 || tpl.Block.Transactions[0].HasWitness() {
		t.Errorf("a commitment before its time: %x", tpl.Commitment)
	}
	w.chain.mine()
	tpl = w.template(TemplateOptions{})
	at := consensus.FindWitnessCommitment(tpl.Block.Transactions[0])
	if at < 0 || !slices.Equal(tpl.Commitment, tpl.Block.Transactions[0].TxOut[at].PkScript) {
		t.Errorf("no commitment: %x", tpl.Commitment)
	}
}
