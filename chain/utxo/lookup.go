package utxo

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

const (
	lookupChunk = 128 // outpoints looked up in memory between two chances for a writer
	readsAlone  = 32  // fewer reads of the backend are not worth a goroutine
)

// Lookup finds the coins of many outpoints at once, for any goroutine:
// found[i] says whether there is one at ops[i], and coins[i] is it. The three
// slices have the same length. After an error they are of no use. What is not
// in memory is read on all cores, and kept while there is room.
//
// Lookup may see some outpoints as they were before Apply, and others after.
func (c *Cache) Lookup(ops []wire.OutPoint, coins []consensus.Coin, found []bool) error {
	l := lookup{c: c, ops: ops, coins: coins, found: found}
	return l.run()
}

// Prefetch reads the coins at ops that are not in memory, for a view that
// will soon ask for them. Errors are left for that view to meet.
func (c *Cache) Prefetch(ops []wire.OutPoint) {
	l := lookup{c: c, ops: ops}
	_ = l.run()
}

// lookup is one batch. Without coins it is there for what it leaves in the cache.
type lookup struct {
	c       *Cache
	ops     []wire.OutPoint
	coins   []consensus.Coin
	found   []bool
	scripts byteSlab
	missing []int    // places in ops of what is not in memory
	epochs  []uint64 // of the cache when that was seen, one per chunk
}

func (l *lookup) run() error {
	l.scripts.reserve(len(l.ops) * 36)
	for from := 0; from < len(l.ops); from += lookupChunk {
		if err := l.memory(from, min(from+lookupChunk, len(l.ops))); err != nil {
			return err
		}
	}
	if len(l.missing) == 0 {
		return nil
	}
	slices.SortFunc(l.missing, func(a, b int) int { return ComparePoints(&l.ops[a], &l.ops[b]) })
	workers := min(runtime.GOMAXPROCS(0), len(l.missing)/readsAlone)
	if workers < 2 {
		return l.disk(l.missing)
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		part := l.missing[len(l.missing)*w/workers : len(l.missing)*(w+1)/workers]
		wg.Go(func() { errs[w] = l.disk(part) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// memory looks through the layers in memory.
func (l *lookup) memory(from, to int) error {
	l.c.gate.RLock()
	defer l.c.gate.RUnlock()
	l.epochs = append(l.epochs, l.c.epoch)
	for i := from; i < to; i++ {
		k := toOutpoint(&l.ops[i])
		coin, known, exists, err := l.c.findGated(&l.ops[i], &k, k.hash(l.c.seed), &l.scripts)
		if err != nil {
			return err
		}
		if !known {
			l.missing = append(l.missing, i)
		}
		if l.coins != nil {
			l.coins[i], l.found[i] = coin, exists
		}
	}
	return nil
}

// disk reads from the backend. It runs on several parts of missing at once.
func (l *lookup) disk(missing []int) error {
	var scripts byteSlab
	scripts.reserve(len(missing) * 36)
	keep := make([]fetched, 0, min(len(missing), lookupChunk))
	epoch := uint64(0)
	flush := func() {
		l.c.remember(keep, epoch)
		keep = keep[:0]
	}
	defer flush()
	for _, i := range missing {
		value, err := l.c.read(&l.ops[i])
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		if l.coins != nil {
			if l.coins[i], err = decodeCoin(value, &scripts); err != nil {
				return damagedCoin(l.ops[i], err)
			}
			l.found[i] = true
		}
		if e := l.epochs[i/lookupChunk]; e != epoch || len(keep) == cap(keep) {
			flush()
			epoch = e
		}
		k := toOutpoint(&l.ops[i])
		keep = append(keep, fetched{k, k.hash(l.c.seed), value})
	}
	return nil
}

// read returns the row of the backend at op, nil if there is none.
func (c *Cache) read(op *wire.OutPoint) ([]byte, error) {
	var key [maxKey]byte
	value, ok, err := c.backend.Get(appendKey(key[:0], op))
	if err != nil {
		return nil, fmt.Errorf("coin %v: %w", *op, err)
	}
	if !ok {
		return nil, nil
	}
	if len(value) == 0 {
		return []byte{}, nil
	}
	return value, nil
}
