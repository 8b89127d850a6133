package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/sigcheck/curve"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
	"github.com/charterchain/charter/node/bench/workload"
)

// stagesInstrument tells where the time of a transaction goes: each stage of
// an import by itself, on one core, then all of them together in a node.
func stagesInstrument() instrument {
	return instrument{
		name:     "stages",
		about:    "where the time of one transaction goes: each stage of an import on one core, and their sum",
		standard: workload.P2TR,
		spec: func(o Options, kind workload.Kind) workload.Spec {
			return workload.Spec{Kind: kind, Blocks: or(o.Blocks, 6), Weight: o.Weight, Seed: o.Seed}
		},
		round: stagesRound,
	}
}

func stagesRound(ctx context.Context, j Job) (result Result, err error) {
	c, err := j.open(ctx)
	if err != nil {
		return result, err
	}
	cores := runtime.GOMAXPROCS(1)
	sum, err := j.stages(ctx, c, &result)
	runtime.GOMAXPROCS(cores)
	if err != nil {
		return result, err
	}
	result.add("sum", sum, CPUMicros)
	limit := 1e6 / sum * float64(cores)
	result.add(fmt.Sprintf("limit: the sum spread over %d cores", cores), limit, PerCPU)
	var imported Result
	err = j.inScratch(func(dir string) error {
		return j.withNode(ctx, c, dir, func(n *running) error {
			if err := n.load(ctx, c.Funding); err != nil {
				return err
			}
			return importFull(ctx, j, n, c, &imported)
		})
	})
	if err != nil {
		return result, err
	}
	result.add("import: computing for a transaction", imported.value(importedCPU), CPUMicros)
	result.add("import, until all is on disk", imported.value(importedDurable), PerSecond)
	result.add("its part of the limit", 100*imported.value(importedDurable)/limit, Percent)
	return result, nil
}

// line goes through the stages of an import one after the other. It does what
// the chain does, without what the chain does for other reasons.
type line struct {
	c      *workload.Chain
	store  *store.Store
	cache  *utxo.Cache
	branch branch

	verifier *curve.Verifier
	batch    *curve.Batch
	checker  *sigcheck.Checker

	hints bool

	used  map[string]float64 // microseconds by stage
	order []string           // of the stages
	txs   int
}

// branch is a chain of headers, for rules about times.
type branch []consensus.HeaderFields

func (b branch) Height() int32                          { return int32(len(b) - 1) }
func (b branch) At(height int32) consensus.HeaderFields { return b[height] }

// stages measures all of them and returns their sum for one transaction.
func (j Job) stages(ctx context.Context, c *workload.Chain, result *Result) (sum float64, err error) {
	err = j.inScratch(func(dir string) error {
		cache := int64(j.DBCache) << 20
		s, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: c.Params.Network.Magic, DBCache: cache / 8, MaxBlock: c.Params.Limits.BlockSerialized})
		if err != nil {
			return err
		}
		verifier := curve.New()
		l := &line{
			c: c, store: s, cache: utxo.NewCache(s, cache/8*7, utxo.Stats{}),
			verifier: verifier, batch: verifier.NewBatch(), checker: sigcheck.New(sigcheck.Config{Workers: 1}), hints: j.Hints,
		}
		genesis := &c.Params.GenesisBlock.Header
		l.branch = branch{{Time: uint32(genesis.Timestamp.Unix()), Bits: genesis.Bits}}
		err = errors.Join(l.run(ctx, j), s.Close())
		for _, name := range l.order {
			each := l.used[name] / float64(l.txs)
			result.add(name, each, CPUMicros)
			sum += each
		}
		return err
	})
	return sum, err
}

// run takes the funding blocks through all stages, which is not counted, and
// then the full ones.
func (l *line) run(ctx context.Context, j Job) error {
	for raw, err := range workload.Read(l.c.Funding) {
		if err == nil {
			err = l.block(ctx, raw)
		}
		if err != nil {
			return err
		}
	}
	if err := l.flush(); err != nil {
		return err
	}
	l.used, l.order, l.txs = make(map[string]float64), nil, 0
	size, err := os.Stat(l.c.Blocks)
	if err != nil || size.Size() == 0 {
		return fmt.Errorf("no full blocks: %w", err)
	}
	_, err = j.measure(func() error { return l.full(ctx) })
	return err
}

func (l *line) full(ctx context.Context) error {
	began := cpuTime()
	for raw, err := range workload.Read(l.c.Blocks) {
		if err != nil {
			return err
		}
		l.count("read", began)
		if err := l.block(ctx, raw); err != nil {
			return err
		}
		began = cpuTime()
	}
	return l.flush()
}

// block takes one block through the stages.
func (l *line) block(ctx context.Context, raw []byte) error {
	p := l.c.Params
	began := cpuTime()
	b, err := consensus.DecodeBlock(raw, &p.Limits)
	if err != nil {
		return err
	}
	began = l.count("decode, transaction ids", began)
	if err := errors.Join(consensus.CheckBlock(b, p), consensus.CheckBlockContext(b, l.branch, p)); err != nil {
		return err
	}
	began = l.count("rules without coins, merkle trees", began)
	if err := l.lookup(b); err != nil {
		return err
	}
	began = l.count("coins looked up ahead", began)
	view := utxo.NewView(l.cache)
	spends, err := l.connect(view, b)
	if err != nil {
		return err
	}
	l.count("connect: coins, amounts, locks", began)
	if err := l.scripts(ctx, b, spends); err != nil {
		return err
	}
	began = cpuTime()
	spent := make([][]consensus.Coin, len(spends))
	for i := range spends {
		spent[i] = spends[i].Coins
	}
	undo := utxo.EncodeUndo(spent)
	if _, err := l.store.AppendBlock(b.Hash, raw); err != nil {
		return err
	}
	if _, err := l.store.AppendUndo(b.Hash, b.Header.PrevBlock, undo); err != nil {
		return err
	}
	began = l.count("block and undo data written", began)
	l.cache.Apply(view)
	l.count("coins applied to the cache", began)
	l.branch = append(l.branch, consensus.HeaderFields{Time: uint32(b.Header.Timestamp.Unix()), Bits: b.Header.Bits})
	l.txs += len(b.Txs)
	return nil
}

// count adds what was computed since began to a stage and returns the time
// now.
func (l *line) count(stage string, began time.Duration) time.Duration {
	now := cpuTime()
	if l.used == nil {
		return now // not counted yet
	}
	if _, ok := l.used[stage]; !ok {
		l.order = append(l.order, stage)
	}
	l.used[stage] += micros(now - began)
	return now
}

// lookup finds the coins that b spends, as it is done ahead of connecting.
func (l *line) lookup(b *consensus.Block) error {
	var ops []wire.OutPoint
	for _, tx := range b.Txs[1:] {
		for _, in := range tx.Msg.TxIn {
			ops = append(ops, in.PreviousOutPoint)
		}
	}
	return l.cache.Lookup(ops, make([]consensus.Coin, len(ops)), make([]bool, len(ops)))
}

// connect does for a block what needs its coins, but for the scripts.
func (l *line) connect(view *utxo.View, b *consensus.Block) ([]sigcheck.Spend, error) {
	height := l.branch.Height() + 1
	flags := consensus.ScriptFlags(height, b.Hash, l.c.Params)
	view.Load(b)
	spends := make([]sigcheck.Spend, 0, len(b.Txs)-1)
	for i, tx := range b.Txs {
		coins, err := view.ConnectTx(tx, height, i == 0)
		if err != nil {
			return nil, err
		}
		consensus.SigOpCost(tx, coins, flags)
		if i == 0 {
			continue
		}
		if _, err := consensus.CheckTxInputs(tx, coins, height, l.c.Params); err != nil {
			return nil, err
		}
		if err := consensus.CheckSequenceLocks(tx, coins, l.branch, l.c.Params); err != nil {
			return nil, err
		}
		spends = append(spends, sigcheck.Spend{Tx: tx, Coins: coins})
	}
	return spends, nil
}

// flush commits the coins.
func (l *line) flush() error {
	began := cpuTime()
	frozen := l.cache.Freeze()
	if frozen == nil {
		return errors.New("a flush is under way")
	}
	if err := l.store.SyncFiles(); err != nil {
		return err
	}
	var best [32]byte
	height := l.branch.Height()
	best[0] = byte(height) // a state of its own; nothing reads it
	err := l.store.Commit(store.Commit{Best: best, Height: height, Meta: frozen.Stats().Encode(), Each: frozen.Each})
	if err != nil {
		return err
	}
	l.cache.Release(frozen)
	l.count("coins written at the end", began)
	return nil
}

// scripts checks what the block's inputs have to show, in batches as the
// checker makes them.
func (l *line) scripts(ctx context.Context, b *consensus.Block, spends []sigcheck.Spend) (err error) {
	flags := consensus.ScriptFlags(l.branch.Height()+1, b.Hash, l.c.Params)
	began := cpuTime()
	sigs, rest := collect(spends, flags)
	l.count("signature hashes", began)
	var odd []bool
	if l.hints {
		if odd, err = parities(l.verifier, sigs); err != nil {
			return err
		}
	}
	began = cpuTime()
	for from := 0; from < len(sigs); from += batchSize {
		if err := check(l.verifier, l.batch, sigs, odd, from, min(from+batchSize, len(sigs))); err != nil {
			return err
		}
	}
	began = l.count("signatures", began)
	if len(rest) > 0 {
		if err := l.checker.CheckBlock(ctx, rest, flags); err != nil {
			return err
		}
		l.count("scripts that the interpreter runs", began)
	}
	return nil
}
