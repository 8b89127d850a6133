package bench

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/node/bench/workload"
)

// flushInstrument writes coins to disk. Only the coins matter: the payments
// carry no signatures unless a kind is asked for.
func flushInstrument() instrument {
	return instrument{
		name:     "flush",
		about:    "a million new coins on their way to disk, and small blocks that come meanwhile",
		standard: workload.Anyone,
		spec: func(o Options, kind workload.Kind) workload.Spec {
			weight := o.Weight
			if weight == 0 {
				weight = 100_000
			}
			return workload.Spec{Kind: kind, Blocks: or(o.Blocks, 500), Weight: weight, Coins: or(o.Txs, 1_000_000), Seed: o.Seed}
		},
		round: flushRound,
	}
}

// flushCache is a --dbcache that holds all coins of the bench unwritten, MiB.
const flushCache = 1024

func flushRound(ctx context.Context, j Job) (result Result, err error) {
	c, err := j.open(ctx)
	if err != nil {
		return result, err
	}
	j.DBCache = max(j.DBCache, flushCache)
	for _, disturbed := range []bool{false, true} {
		err := j.inScratch(func(dir string) error {
			return j.withNode(ctx, c, dir, func(n *running) error {
				if err := n.load(ctx, c.Funding); err != nil {
					return err
				}
				if disturbed {
					return flushBeside(ctx, n, c, &result)
				}
				return j.flushAlone(ctx, n, c, dir, &result)
			})
		})
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

func (j Job) flushAlone(ctx context.Context, n *running, c *workload.Chain, dir string, result *Result) error {
	coins := float64(n.Chain().Stats().Coins)
	t, err := j.measure(func() error { return n.Chain().Flush(ctx) })
	if err != nil {
		return err
	}
	result.add("coins", coins, Count)
	result.add("time", millis(t.wall), Millis)
	result.add("coins to disk", coins/t.wall.Seconds(), PerSecond)
	result.add("computing for a coin", micros(t.cpu)/coins, CPUMicros)
	size, err := sizeOf(filepath.Join(dir, c.Params.Name, "chainstate"))
	result.add("on disk for a coin", float64(size)/coins, Bytes)
	return err
}

// flushBeside gives the node blocks while it flushes, and takes the time of
// the slowest.
func flushBeside(ctx context.Context, n *running, c *workload.Chain, result *Result) error {
	done := make(chan error, 1)
	go func() { done <- n.Chain().Flush(ctx) }()
	blocks := 0
	var slowest time.Duration
	for raw, err := range workload.Read(c.Blocks) {
		if err != nil {
			return err
		}
		b, err := consensus.DecodeBlock(raw, &c.Params.Limits)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := connectOne(ctx, n, b); err != nil {
			return err
		}
		slowest = max(slowest, time.Since(began))
		blocks++
		select {
		case err := <-done:
			result.add("blocks that came during another flush", float64(blocks), Count)
			result.add("the slowest of them", millis(slowest), Millis)
			return err
		default:
		}
	}
	result.add("blocks that came during another flush", float64(blocks), Count)
	result.add("the slowest of them", millis(slowest), Millis)
	return <-done
}

// sizeOf is the sum of the sizes of the files below dir.
func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
