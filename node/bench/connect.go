package bench

import (
	"context"
	"fmt"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/node/bench/workload"
)

// connectInstrument gives a node one full block at a time, in three ways.
func connectInstrument() instrument {
	return instrument{
		name:     "connect",
		about:    "one full block at a time: coins in the cache, coins on disk, payments known to the pool",
		standard: workload.P2TR,
		spec:     poolSpec,
		round:    connectRound,
	}
}

func connectRound(ctx context.Context, j Job) (result Result, err error) {
	c, err := j.open(ctx)
	if err != nil {
		return result, err
	}
	blocks, err := rawBlocks(c)
	if err != nil {
		return result, err
	}
	if len(blocks) < 3 {
		return result, fmt.Errorf("%d full blocks are too few: three at least", len(blocks))
	}
	third := len(blocks) / 3
	warm, cold, known := blocks[:third], blocks[third:2*third], blocks[2*third:3*third]
	err = j.inScratch(func(dir string) error {
		err := j.withNode(ctx, c, dir, func(n *running) error {
			if err := n.load(ctx, c.Funding); err != nil {
				return err
			}
			return j.connectAll(ctx, n, c, warm, "coins in the cache", &result)
		})
		if err != nil {
			return err
		}
		// A new node has an empty cache; the system's may still have the files.
		for _, raw := range cold {
			err := j.withNode(ctx, c, dir, func(n *running) error {
				return j.connectAll(ctx, n, c, [][]byte{raw}, "coins on disk", &result)
			})
			if err != nil {
				return err
			}
		}
		return j.withNode(ctx, c, dir, func(n *running) error {
			for _, raw := range known {
				if err := acceptPayments(ctx, n, c, raw); err != nil {
					return err
				}
			}
			return j.connectAll(ctx, n, c, known, "payments known to the pool", &result)
		})
	})
	result.merge()
	return result, err
}

// connectAll measures each block from AcceptBlock of the decoded block to its
// return, which is after all that is to hear of it, as the pool, did.
func (j Job) connectAll(ctx context.Context, n *running, c *workload.Chain, blocks [][]byte, name string, result *Result) error {
	for _, raw := range blocks {
		b, err := consensus.DecodeBlock(raw, &c.Params.Limits)
		if err != nil {
			return err
		}
		t, err := j.measure(func() error { return connectOne(ctx, n, b) })
		if err != nil {
			return err
		}
		result.add(name, millis(t.wall), Millis)
		result.add(name+": computing for a transaction", micros(t.cpu)/float64(len(b.Txs)), CPUMicros)
	}
	return nil
}

func connectOne(ctx context.Context, n *running, b *consensus.Block) error {
	got, err := n.Chain().AcceptBlock(ctx, b)
	if err != nil {
		return err
	}
	if got != chain.ResultConnected {
		return fmt.Errorf("block %v was not connected: %d", b.Hash, got)
	}
	return nil
}

// acceptPayments takes the payments of a block into the pool.
func acceptPayments(ctx context.Context, n *running, c *workload.Chain, raw []byte) error {
	raws, err := rawPayments(c, [][]byte{raw})
	if err != nil {
		return err
	}
	txs, err := decodeTxs(raws)
	if err != nil {
		return err
	}
	return acceptSpread(ctx, n, txs)
}
