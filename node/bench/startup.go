package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/node/bench/workload"
)

// longTxs is how many payments the long chain has, and longCoins how many
// coins it begins with: at its end it has as many as both together.
const (
	longTxs   = 2_000_000
	longCoins = 1_000_000
)

// startupInstrument imports a long chain and starts nodes on it. It takes two
// processes: the first ends without closing its node, as if it were killed.
func startupInstrument() instrument {
	return instrument{
		name:     "startup",
		about:    "a chain of 2,000,000 transactions and 3,000,000 coins: throughput near its start and end, start of a node on it",
		standard: workload.P2TR,
		spec: func(o Options, kind workload.Kind) workload.Spec {
			s := workload.Spec{Kind: kind, Blocks: o.Blocks, Weight: o.Weight, Seed: o.Seed}
			txs := or(o.Txs, longTxs)
			s.Coins = max(txs*longCoins/longTxs, 2*s.MostInputs())
			if s.Blocks == 0 {
				s.Blocks = (txs + s.MostPayments() - 1) / s.MostPayments()
			}
			return s
		},
		phases: []func(context.Context, Job) (Result, error){importLong, startLong},
	}
}

// unflushed is how many blocks at the end of the chain the kill leaves
// unwritten.
const unflushed = 10

func importLong(ctx context.Context, j Job) (result Result, err error) {
	c, err := j.open(ctx)
	if err != nil {
		return result, err
	}
	n, err := j.start(ctx, c, j.Data)
	if err != nil {
		return result, err
	}
	err = importParts(ctx, j, n, c, &result)
	if peak := peakMemory(); peak > 0 {
		result.add("import: peak resident memory", float64(peak)/(1<<20), MiB)
	}
	if err != nil || !j.Alone {
		return result, errors.Join(err, n.close())
	}
	return result, nil // the process ends, and the node is as if it were killed
}

// importParts imports all but the last blocks, flushes, and imports those.
func importParts(ctx context.Context, j Job, n *running, c *workload.Chain, result *Result) error {
	if err := n.load(ctx, c.Funding); err != nil {
		return err
	}
	tail := min(unflushed, c.Spec.Blocks/3)
	blocks := c.Spec.Blocks - tail
	ends, err := workload.Ends(c.Blocks)
	if err != nil || len(ends) != c.Spec.Blocks {
		return fmt.Errorf("%s has %d blocks, not %d: %w", c.Blocks, len(ends), c.Spec.Blocks, err)
	}
	f, err := os.Open(c.Blocks)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newTenths(n.Chain(), blocks)
	if _, err := j.measure(func() error { return loadPart(ctx, n, f, 0, ends[blocks-1], r.report) }); err != nil {
		return err
	}
	first, firstCPU := r.between(1, 2)
	last, lastCPU := r.between(3, 4)
	all, allCPU := r.between(0, 5)
	result.add("import: from 5 to 15 % of the blocks", first, PerSecond)
	result.add("import: from 85 to 95 %", last, PerSecond)
	if first > 0 {
		result.add("import: the latter by the former", 100*last/first, Percent)
	}
	result.add("import: all", all, PerSecond)
	result.add("import: computing for a transaction, from 5 to 15 %", firstCPU, CPUMicros)
	result.add("import: computing for a transaction, from 85 to 95 %", lastCPU, CPUMicros)
	result.add("import: computing for a transaction, all", allCPU, CPUMicros)
	if err := n.Chain().Flush(ctx); err != nil {
		return err
	}
	if err := loadPart(ctx, n, f, ends[blocks-1], ends[len(ends)-1], nil); err != nil {
		return err
	}
	result.add("transactions", float64(n.Chain().Best().ChainTxs), Count)
	result.add("coins", float64(n.Chain().Stats().Coins), Count)
	return nil
}

// loadPart imports the blocks between two places of a file.
func loadPart(ctx context.Context, n *running, f *os.File, from, to int64, report func(chain.ImportProgress)) error {
	part := io.NewSectionReader(f, from, to-from)
	return n.Chain().NewImporter(report).Read(ctx, chain.ImportSource{Name: f.Name(), R: part, At: part})
}

// tenths watches an import. The blocks at either end are left out of what is
// compared: while a pipeline fills it is slow, and while it empties fast.
type tenths struct {
	c      *chain.Chain
	blocks int
	marks  []mark // at the start, after 5, 15, 85, 95 and 100 % of the blocks
}

// mark is how many transactions there were at a time, and what all cores had
// computed.
type mark struct {
	at  time.Time
	cpu time.Duration
	txs int64
}

func newTenths(c *chain.Chain, blocks int) *tenths {
	t := &tenths{c: c, blocks: blocks}
	t.mark()
	return t
}

func (t *tenths) mark() { t.marks = append(t.marks, mark{time.Now(), cpuTime(), t.c.Best().ChainTxs}) }

func (t *tenths) report(p chain.ImportProgress) {
	at := [...]int{0, 5, 15, 85, 95, 100}
	for len(t.marks) < len(at) && 100*p.Accepted >= at[len(t.marks)]*t.blocks {
		t.mark()
	}
}

// between is transactions a second between two marks, and the microseconds
// that were computed for each; 0 where there was no time between.
func (t *tenths) between(from, to int) (rate, each float64) {
	if to >= len(t.marks) {
		return 0, 0
	}
	a, b := t.marks[from], t.marks[to]
	txs := float64(b.txs - a.txs)
	if !b.at.After(a.at) || txs == 0 {
		return 0, 0
	}
	return txs / b.at.Sub(a.at).Seconds(), micros(b.cpu-a.cpu) / txs
}

// startLong starts nodes on what importLong left: first as after a kill, then
// as after a clean stop.
func startLong(ctx context.Context, j Job) (result Result, err error) {
	c, err := j.open(ctx)
	if err != nil {
		return result, err
	}
	want := int32(0)
	for _, name := range []string{"start after a kill, ten blocks not flushed", "start after a clean stop"} {
		began := time.Now()
		n, err := j.openNode(ctx, c, j.Data)
		if err != nil {
			return result, err
		}
		err = n.Chain().CatchUp(ctx)
		took := time.Since(began)
		height := n.Chain().Best().Height
		if err := errors.Join(err, n.Close()); err != nil {
			return result, err
		}
		if want != 0 && height != want {
			return result, fmt.Errorf("%s: height %d, not %d", name, height, want)
		}
		want = height
		result.add(name, millis(took), Millis)
	}
	return result, nil
}
