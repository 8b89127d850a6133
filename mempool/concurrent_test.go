package mempool

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// Transactions arrive and templates are made while blocks come and go: nobody
// waits for ever, no template contradicts the block that it builds on, and the
// pool is in order at the end.
func TestConcurrent(t *testing.T) {
	const rounds, enough = 20, 50
	r := newReal(t)
	r.Next("a1").Accept()
	for range 60 {
		r.mine(TemplateOptions{}, 0)
	}
	all := &outputs{}
	for h := int32(1); h <= 60; h++ {
		info, _ := r.Chain.AtHeight(h)
		b, err := r.Chain.ReadBlock(info.Hash)
		if err != nil {
			t.Fatal(err)
		}
		all.add(outputOf(b.Txs[0], 0))
	}
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	var accepted atomic.Int64
	for i := range 3 {
		work.Go(func() { r.arrive(ctx, all, uint64(i), &accepted) })
	}
	work.Go(func() { r.propose(ctx) })
	for n := 0; n < rounds || accepted.Load() < enough && n < 100*rounds; n++ {
		if b := r.mineLoosely(all); b != nil {
			if err := r.Chain.Invalidate(ctx, b.Hash); err != nil {
				t.Error(err)
			}
			r.mineLoosely(all)
			r.mineLoosely(all)
			if err := r.Chain.Reconsider(ctx, b.Hash); err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	work.Wait()
	if accepted.Load() < enough {
		t.Errorf("%d transactions were accepted, too few to tell anything", accepted.Load())
	}
	r.mine(TemplateOptions{}, 1<<40)
}

// outputs are what transactions of the test may spend.
type outputs struct {
	mu   sync.Mutex
	list []output
}

func (o *outputs) add(out output) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, out)
}

// pick returns one, more often a late one than an early one.
func (o *outputs) pick(rng *rand.Rand) output {
	o.mu.Lock()
	defer o.mu.Unlock()
	if late := len(o.list) - 20; late > 0 && rng.IntN(4) > 0 {
		return o.list[late+rng.IntN(20)]
	}
	return o.list[rng.IntN(len(o.list))]
}

// arrive offers random spends of coins and of each other until ctx ends.
func (r *real) arrive(ctx context.Context, all *outputs, seed uint64, accepted *atomic.Int64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for ctx.Err() == nil {
		from := all.pick(rng)
		if from.amount < 100_000 {
			continue
		}
		tx := spend(500+int64(rng.IntN(5000)), 1+rng.IntN(3), from)
		if rng.IntN(4) == 0 {
			r.pool.Test(ctx, []*consensus.Tx{tx})
		}
		if r.pool.Accept(ctx, tx) == nil {
			accepted.Add(1)
			all.add(outputOf(tx, 0))
		}
	}
}

// propose asks the chain about templates until ctx ends.
func (r *real) propose(ctx context.Context) {
	for ctx.Err() == nil {
		tpl, err := r.pool.Template(ctx, TemplateOptions{CoinbaseScript: chaintest.AnyoneCanSpend()})
		if err != nil {
			continue
		}
		err = r.Chain.CheckProposal(ctx, consensus.NewBlock(tpl.Block))
		if consensus.AsRule(err) != nil {
			r.t.Errorf("the chain refuses a template: %v", err)
		}
	}
}

// mineLoosely solves a template; another block may have come before it.
func (r *real) mineLoosely(all *outputs) *consensus.Block {
	tpl, err := r.pool.Template(context.Background(), TemplateOptions{CoinbaseScript: chaintest.AnyoneCanSpend()})
	if err != nil {
		r.t.Fatal(err)
	}
	msg := tpl.WithExtraNonce(rand.Uint64())
	chaintest.Solve(&msg.Header)
	b := consensus.NewBlock(msg)
	if _, err := r.Chain.AcceptBlock(context.Background(), b); err != nil {
		r.t.Errorf("the chain refuses a block: %v", err)
		return nil
	}
	all.add(outputOf(b.Txs[0], 0))
	return b
}
