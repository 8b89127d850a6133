package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool"
	"github.com/charterchain/charter/mempool/policy"
	"github.com/charterchain/charter/node/bench/workload"
)

// templateInstrument builds templates on a full pool. Signatures play no part
// in that: the payments have none unless a kind is asked for.
func templateInstrument() instrument {
	return instrument{
		name:     "template",
		about:    "a full pool of 300 MB: its first template, and a new one after each change",
		standard: workload.Anyone,
		spec: func(o Options, kind workload.Kind) workload.Spec {
			s := workload.Spec{Kind: kind, Blocks: or(o.Blocks, 40), Weight: o.Weight, Seed: o.Seed}
			s.Coins = s.Blocks * s.MostPayments() // many payments, but not most, spend others in the pool
			return s
		},
		round: templateRound,
	}
}

// changes is how many transactions come after the pool is full, each followed
// by a template.
const changes = 21

func templateRound(ctx context.Context, j Job) (result Result, err error) {
	c, txs, err := j.payments(ctx)
	if err != nil {
		return result, err
	}
	err = j.inScratch(func(dir string) error {
		return j.withNode(ctx, c, dir, func(n *running) error {
			if err := n.load(ctx, c.Funding); err != nil {
				return err
			}
			later, err := fill(ctx, n, txs)
			if err != nil {
				return err
			}
			return templates(ctx, j, n, later, &result)
		})
	})
	result.merge()
	return result, err
}

// fill takes transactions into the pool until it is nearly full, and returns
// those that are left, which are as many as there are to be changes.
func fill(ctx context.Context, n *running, txs []*consensus.Tx) (later []*consensus.Tx, err error) {
	for len(txs) > 2*changes {
		if info := n.Pool().Info(); info.Usage > info.MaxUsage/1000*995 {
			break
		}
		batch := txs[:min(500, len(txs)-2*changes)]
		for _, tx := range batch {
			if err := offer(ctx, n, tx); err != nil {
				return nil, err
			}
		}
		txs = txs[len(batch):]
	}
	return txs, nil
}

// offer is Accept where policy and missing parents are no failure: of
// payments that spend each other some have too many ancestors.
func offer(ctx context.Context, n *running, tx *consensus.Tx) error {
	err := n.Pool().Accept(ctx, tx)
	var refused *policy.Error
	var missing *mempool.MissingInputsError
	if errors.As(err, &refused) || errors.As(err, &missing) {
		return nil
	}
	return err
}

func templates(ctx context.Context, j Job, n *running, later []*consensus.Tx, result *Result) error {
	info := n.Pool().Info()
	result.add("pool's transactions", float64(info.Count), Count)
	result.add("pool's memory by its own account", float64(info.Usage)/(1<<20), MiB)
	opts := mempool.TemplateOptions{CoinbaseScript: []byte{0x51}}
	began := time.Now()
	first, err := n.Pool().Template(ctx, opts)
	if err != nil {
		return err
	}
	result.add("first template", millis(time.Since(began)), Millis)
	result.add("its transactions", float64(len(first.Txs)), Count)
	made := 0
	t, err := j.measure(func() error {
		for _, tx := range later {
			before := n.Pool().Info().Generation
			if err := offer(ctx, n, tx); err != nil {
				return err
			}
			if n.Pool().Info().Generation == before {
				continue
			}
			began := time.Now()
			if _, err := n.Pool().Template(ctx, opts); err != nil {
				return err
			}
			result.add("template after one more transaction", millis(time.Since(began)), Millis)
			if made++; made == changes {
				break
			}
		}
		return nil
	})
	if made == 0 && err == nil {
		return fmt.Errorf("of %d transactions none was taken into the full pool", len(later))
	}
	if made > 0 {
		result.add("computing for a transaction and its template", micros(t.cpu)/float64(made), CPUMicros)
	}
	return err
}
