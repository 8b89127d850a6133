package bench

import (
	"context"
	"time"

	"github.com/charterchain/charter/node/bench/workload"
)

// importInstrument imports full blocks into a fresh folder, with nothing
// known before.
func importInstrument() instrument {
	return instrument{
		name:     "import",
		about:    "full blocks from a file into a fresh node: transactions a second, memory",
		standard: workload.P2TR,
		spec: func(o Options, kind workload.Kind) workload.Spec {
			return workload.Spec{Kind: kind, Blocks: or(o.Blocks, 25), Weight: o.Weight, Seed: o.Seed}
		},
		round: importRound,
	}
}

func importRound(ctx context.Context, j Job) (result Result, err error) {
	c, err := j.open(ctx)
	if err != nil {
		return result, err
	}
	err = j.inScratch(func(dir string) error {
		return j.withNode(ctx, c, dir, func(n *running) error {
			if err := n.load(ctx, c.Funding); err != nil {
				return err
			}
			return importFull(ctx, j, n, c, &result)
		})
	})
	if peak := peakMemory(); peak > 0 {
		result.add("peak resident memory", float64(peak)/(1<<20), MiB)
	}
	return result, err
}

// importFull measures the full blocks: until the last one is connected, and
// until all is on disk.
func importFull(ctx context.Context, j Job, n *running, c *workload.Chain, result *Result) error {
	before := n.Chain().Best().ChainTxs
	file := c.Blocks
	if j.Hints {
		file = hinted(c)
	}
	t, err := j.measure(func() error { return n.load(ctx, file) })
	if err != nil {
		return err
	}
	txs := float64(n.Chain().Best().ChainTxs - before)
	began := time.Now()
	if err := n.Chain().Flush(ctx); err != nil {
		return err
	}
	withFlush := t.wall + time.Since(began)
	result.add("transactions", txs/t.wall.Seconds(), PerSecond)
	result.add(importedDurable, txs/withFlush.Seconds(), PerSecond)
	result.add(importedCPU, micros(t.cpu)/txs, CPUMicros)
	return nil
}

// Names of two figures: that with the last flush, and the time of all cores
// without it.
const (
	importedDurable = "the same until all is on disk"
	importedCPU     = "computing for a transaction"
)

// or is n, or standard where n is 0.
func or(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}
