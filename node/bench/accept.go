package bench

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/node/bench/workload"
)

// acceptInstrument offers payments to the pool by its Go API.
func acceptInstrument() instrument {
	return instrument{
		name:     "accept",
		about:    "payments into the pool, from as many goroutines as there are cores, and one by one",
		standard: workload.P2TR,
		spec:     poolSpec,
		round:    acceptRound,
	}
}

// singly is how many payments are offered one by one, at the end.
const singly = 1000

func acceptRound(ctx context.Context, j Job) (result Result, err error) {
	c, txs, err := j.payments(ctx)
	if err != nil {
		return result, err
	}
	alone := min(singly, len(txs)/4)
	many, few := txs[:len(txs)-alone], txs[len(txs)-alone:]
	err = j.inScratch(func(dir string) error {
		return j.withNode(ctx, c, dir, func(n *running) error {
			if err := n.load(ctx, c.Funding); err != nil {
				return err
			}
			t, err := j.measure(func() error { return acceptSpread(ctx, n, many) })
			if err != nil {
				return err
			}
			result.add("transactions", float64(len(many))/t.wall.Seconds(), PerSecond)
			result.add("computing for a transaction", micros(t.cpu)/float64(len(many)), CPUMicros)
			began := time.Now()
			for _, tx := range few {
				if err := n.Pool().Accept(ctx, tx); err != nil {
					return err
				}
			}
			result.add("one that comes alone", micros(time.Since(began))/float64(len(few)), Micros)
			return nil
		})
	})
	return result, err
}

// payments returns the payments of the job's chain, decoded one by one: all,
// or as many as it asks for.
func (j Job) payments(ctx context.Context) (*workload.Chain, []*consensus.Tx, error) {
	c, err := j.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	blocks, err := rawBlocks(c)
	if err != nil {
		return nil, nil, err
	}
	raws, err := rawPayments(c, blocks)
	if err != nil {
		return nil, nil, err
	}
	if j.Txs > 0 {
		raws = raws[:min(j.Txs, len(raws))]
	}
	txs, err := decodeTxs(raws)
	return c, txs, err
}

// acceptSpread offers txs from as many goroutines as there are cores.
func acceptSpread(ctx context.Context, n *running, txs []*consensus.Tx) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(txs) {
					return nil
				}
				if err := n.Pool().Accept(ctx, txs[i]); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
