package p2p

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// slowPool takes every transaction, when it is told to.
type slowPool struct {
	Pool
	mu    sync.Mutex
	asked []*consensus.Tx
	free  map[chainhash.Hash]chan struct{} // by wtxid
}

func (p *slowPool) Have(chainhash.Hash) bool { return false }

func (p *slowPool) Accept(_ context.Context, tx *consensus.Tx, _ [32]byte) error {
	p.mu.Lock()
	p.asked = append(p.asked, tx)
	free := make(chan struct{})
	p.free[tx.WTxID] = free
	p.mu.Unlock()
	<-free
	return nil
}

func (p *slowPool) judge(tx *consensus.Tx) { close(p.free[tx.WTxID]) }

func feedTx(n uint32, witness byte, parents ...*consensus.Tx) *consensus.Tx {
	msg := wire.NewMsgTx(2)
	msg.LockTime = n
	in := &wire.TxIn{Witness: wire.TxWitness{{witness}}}
	for _, parent := range parents {
		in.PreviousOutPoint.Hash = parent.TxID
	}
	msg.AddTxIn(in)
	msg.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	return consensus.NewTx(msg)
}

// The pool is asked about several transactions at once, but about none whose
// parent it is still judging, and never about more than the bound.
func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &slowPool{free: make(map[chainhash.Hash]chan struct{})}
		r := newTxRelay(&Network{cfg: Config{Pool: pool, Metrics: NewMetrics(nil), Now: time.Now}})
		from := &peer{}
		put := func(txs ...*consensus.Tx) {
			r.mu.Lock()
			for _, tx := range txs {
				r.queue = append(r.queue, arrivedTx{from, tx})
				r.queued += int64(tx.Size)
				r.waiting[tx.WTxID] = true
			}
			r.mu.Unlock()
			signal(r.arrivals)
		}
		expect := func(when string, want ...*consensus.Tx) {
			t.Helper()
			synctest.Wait()
			if !sameSet(pool.asked, want) {
				t.Fatalf("%s the pool was asked about %d transactions, want %d", when, len(pool.asked), len(want))
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			r.feed(ctx)
			close(done)
		}()
		parent, other := feedTx(1, 1), feedTx(2, 1)
		child, again, last := feedTx(3, 1, parent), feedTx(2, 2), feedTx(4, 1)
		put(parent, other, child, again, last)
		expect("at first", parent, other)
		pool.judge(parent)
		expect("after the parent", parent, other, child)
		pool.judge(other)
		expect("after the other witness", parent, other, child, again, last)
		pool.judge(child)
		pool.judge(again)
		pool.judge(last)
		synctest.Wait()
		pool.asked = nil
		var many []*consensus.Tx
		for n := range uint32(maxJudging + 1) {
			many = append(many, feedTx(10+n, 1))
		}
		put(many...)
		expect("of many", many[:maxJudging]...)
		pool.judge(many[3])
		expect("after one of many", many...)
		for i, tx := range many {
			if i != 3 {
				pool.judge(tx)
			}
		}
		synctest.Wait()
		if r.mu.Lock(); len(r.queue)+len(r.waiting)+len(r.judging) != 0 || r.queued != 0 {
			t.Errorf("left over: %d in the queue, %d waiting, %d judged, %d bytes", len(r.queue), len(r.waiting), len(r.judging), r.queued)
		}
		r.mu.Unlock()
		stop()
		<-done
	})
}

func sameSet(a, b []*consensus.Tx) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(tx *consensus.Tx) bool { return !slices.Contains(b, tx) })
}
