package p2p

import (
	"context"
	"sync"

	"github.com/charterchain/charter/chain/consensus"
)

// maxJudging is how many transactions the pool is asked about at once: enough
// for their signatures to be checked together when all cores are busy.
const maxJudging = 16

// feed hands the transactions to the pool in the order in which they arrived:
// several at once, but none before what it spends is judged.
func (r *txRelay) feed(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		next, ok := r.next()
		if !ok {
			select {
			case <-r.arrivals:
			case <-ctx.Done():
				return
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		work.Go(func() {
			r.judge(ctx, next.from, next.tx)
			r.judged(next.tx)
		})
	}
}

// next takes the first transaction of the queue, if it can be judged now.
func (r *txRelay) next() (next arrivedTx, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.queue = nil // let the array go
		return next, false
	}
	if next = r.queue[0]; len(r.judging) >= maxJudging || r.dependsLocked(next.tx) {
		return next, false // judged calls again
	}
	r.queue[0] = arrivedTx{}
	r.queue = r.queue[1:]
	r.judging[next.tx.TxID] = true
	return next, true
}

// dependsLocked reports whether tx spends an output of a transaction that is
// being judged, or is that one with another witness.
func (r *txRelay) dependsLocked(tx *consensus.Tx) bool {
	if r.judging[tx.TxID] {
		return true
	}
	for _, in := range tx.Msg.TxIn {
		if r.judging[in.PreviousOutPoint.Hash] {
			return true
		}
	}
	return false
}

// judged makes room for another one.
func (r *txRelay) judged(tx *consensus.Tx) {
	r.mu.Lock()
	r.queued -= int64(tx.Size)
	delete(r.waiting, tx.WTxID)
	delete(r.judging, tx.TxID)
	r.mu.Unlock()
	signal(r.arrivals)
	r.wake()
}
