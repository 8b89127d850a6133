package sigcheck

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/charterchain/charter/chain/consensus"
)

// TestInterleaved has many goroutines begin, wait for, abandon and cancel
// checks of blocks and transactions of all sizes, some of which fail. Each
// outcome is the one that the block has, or says that the check was given up;
// nobody waits for ever, and nothing is left.
func TestInterleaved(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			c := New(Config{Workers: 1 + int(seed%3)})
			var group sync.WaitGroup
			for n := range 12 {
				rng := rand.New(rand.NewPCG(seed, uint64(n)))
				group.Go(func() {
					for k := range 25 {
						interleave(t, c, rng, 10_000*n+100*k)
					}
				})
			}
			group.Wait()
			synctest.Wait()
			if len(c.queue) != 0 || c.queued != 0 || c.running != 0 || len(c.idle) > c.workers {
				t.Errorf("seed %d: left: %d queued with %d inputs, %d workers, memory of %d", seed, len(c.queue), c.queued, c.running, len(c.idle))
			}
		})
	}
}

// interleave makes one check of scripts without signatures.
func interleave(t *testing.T, c *Checker, rng *rand.Rand, id int) {
	var spends []Spend
	first := "" // what the first failure says
	for n := range 1 + rng.IntN(3) {
		scripts := make([][]byte, 1+rng.IntN([]int{3, 40, 700}[rng.IntN(3)]))
		for i := range scripts {
			scripts[i] = pass()
		}
		fails := len(scripts)
		for range rng.IntN(3) {
			at := rng.IntN(len(scripts))
			scripts[at], fails = fail(), min(fails, at)
		}
		s := scripted(id+n, scripts...)
		if spends = append(spends, s); first == "" && fails < len(scripts) {
			first = fmt.Sprintf("input %d of transaction %v", fails, s.Tx.TxID)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var err error
	gaveUp := false
	switch rng.IntN(5) {
	case 0:
		s := spends[0]
		if err = c.CheckTx(ctx, s.Tx, s.Coins, allConsensus); !strings.Contains(first, s.Tx.TxID.String()) {
			first = ""
		}
	case 1:
		err = c.CheckBlock(ctx, spends, allConsensus)
	case 2: // cancelled while it waits
		gaveUp = true
		go cancel()
		err = c.CheckBlock(ctx, spends, allConsensus)
	case 3: // abandoned by another, perhaps too late
		gaveUp = true
		p := c.Begin(spends, allConsensus, nil)
		go p.Abandon()
		err = p.Wait(ctx)
		p.Abandon()
	default: // waits are given up, the check is not
		p := c.Begin(spends, allConsensus, nil)
		go cancel()
		if err := p.Wait(ctx); err != nil && consensus.AsRule(err) == nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the wait that was cancelled: %v", err)
		}
		err = p.Wait(t.Context())
	}
	switch {
	case gaveUp && (errors.Is(err, errAbandoned) || errors.Is(err, context.Canceled)) && consensus.AsRule(err) == nil:
	case first == "" && err == nil:
	case first != "" && consensus.AsRule(err) != nil && strings.Contains(consensus.AsRule(err).Detail, first):
	default:
		t.Errorf("got %v, want a failure of %q", err, first)
	}
}
