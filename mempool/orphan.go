package mempool

import (
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Bounds of the orphans.
const (
	maxOrphans          = 100
	maxOrphanBytes      = 4 << 20 // estimated memory of all
	maxOrphansPerSource = 25
	maxOrphanWeight     = 400_000
	orphanLife          = 20 * time.Minute
)

// orphan is a transaction that waits for transactions it depends on.
type orphan struct {
	tx      *consensus.Tx
	source  string
	since   time.Time
	usage   int64
	missing map[chainhash.Hash]struct{} // txids
	ready   bool                        // a parent has come: try again
}

// orphanage holds the orphans. Pool.mu guards it; byWTxID changes under look
// too, so that either is enough to read it.
type orphanage struct {
	look     sync.RWMutex
	byWTxID  map[chainhash.Hash]*orphan
	byParent map[chainhash.Hash]map[*orphan]struct{} // by missing txid
	bySource map[string]int
	usage    int64
	ready    []*orphan // may hold orphans that have left since
}

func newOrphanage() orphanage {
	return orphanage{
		byWTxID:  make(map[chainhash.Hash]*orphan),
		byParent: make(map[chainhash.Hash]map[*orphan]struct{}),
		bySource: make(map[string]int),
	}
}

// keepOrphanLocked makes tx wait for the given inputs and reports whether
// there is room. The oldest orphan gives way when the room for all is used
// up; one source cannot use more than its share.
func (p *Pool) keepOrphanLocked(tx *consensus.Tx, missing []wire.OutPoint, source string) bool {
	o := &p.orphans
	if o.byWTxID[tx.WTxID] != nil {
		return true
	}
	for _, op := range missing {
		if e := p.byTxID[op.Hash]; e != nil && int64(op.Index) >= int64(len(e.tx.Msg.TxOut)) {
			return false // its parent is here and has no such output
		}
	}
	usage := usageOf(tx)
	if tx.Weight > maxOrphanWeight || usage > maxOrphanBytes || o.bySource[source] >= maxOrphansPerSource {
		return false
	}
	for len(o.byWTxID) >= maxOrphans || o.usage+usage > maxOrphanBytes {
		o.remove(o.oldest())
	}
	waits := &orphan{tx: tx, source: source, since: p.now(), usage: usage, missing: make(map[chainhash.Hash]struct{})}
	for _, op := range missing {
		waits.missing[op.Hash] = struct{}{}
	}
	o.add(waits)
	p.metrics.orphans.Set(float64(len(o.byWTxID)))
	// A parent may have come between judging and now.
	for txid := range waits.missing {
		if p.byTxID[txid] != nil {
			o.parentCame(txid)
			p.wakeRun()
		}
	}
	return true
}

func (o *orphanage) has(wtxid chainhash.Hash) bool {
	o.look.RLock()
	defer o.look.RUnlock()
	return o.byWTxID[wtxid] != nil
}

func (o *orphanage) count() int {
	o.look.RLock()
	defer o.look.RUnlock()
	return len(o.byWTxID)
}

func (o *orphanage) add(w *orphan) {
	o.look.Lock()
	o.byWTxID[w.tx.WTxID] = w
	o.look.Unlock()
	o.bySource[w.source]++
	o.usage += w.usage
	for txid := range w.missing {
		if o.byParent[txid] == nil {
			o.byParent[txid] = make(map[*orphan]struct{})
		}
		o.byParent[txid][w] = struct{}{}
	}
}

func (o *orphanage) remove(w *orphan) {
	if o.byWTxID[w.tx.WTxID] != w {
		return
	}
	o.look.Lock()
	delete(o.byWTxID, w.tx.WTxID)
	o.look.Unlock()
	if o.bySource[w.source]--; o.bySource[w.source] == 0 {
		delete(o.bySource, w.source)
	}
	o.usage -= w.usage
	for txid := range w.missing {
		if delete(o.byParent[txid], w); len(o.byParent[txid]) == 0 {
			delete(o.byParent, txid)
		}
	}
}

func (o *orphanage) oldest() *orphan {
	var first *orphan
	for _, w := range o.byWTxID {
		if first == nil || w.since.Before(first.since) {
			first = w
		}
	}
	return first
}

// parentCame marks the orphans that wait for txid.
func (o *orphanage) parentCame(txid chainhash.Hash) (any bool) {
	for w := range o.byParent[txid] {
		if !w.ready {
			w.ready = true
			o.ready = append(o.ready, w)
			any = true
		}
	}
	return any
}

// takeReady takes the next marked orphan out.
func (o *orphanage) takeReady() *orphan {
	for len(o.ready) > 0 {
		w := o.ready[0]
		o.ready[0] = nil
		o.ready = o.ready[1:]
		if o.byWTxID[w.tx.WTxID] == w {
			o.remove(w)
			return w
		}
	}
	return nil
}

// arrivedLocked takes note that tx is in the pool or a block: it is no orphan
// any more, and those that wait for it can be tried.
func (p *Pool) arrivedLocked(tx *consensus.Tx) {
	o := &p.orphans
	if len(o.byWTxID) == 0 {
		return
	}
	if w := o.byWTxID[tx.WTxID]; w != nil {
		o.remove(w)
	}
	if o.parentCame(tx.TxID) {
		p.wakeRun()
	}
	p.metrics.orphans.Set(float64(len(o.byWTxID)))
}

func (p *Pool) wakeRun() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ForgetSource drops the orphans that came from source, a peer that is gone.
func (p *Pool) ForgetSource(source string) {
	p.dropOrphans(func(w *orphan) bool { return w.source == source })
}

func (p *Pool) expireOrphans() {
	limit := p.now().Add(-orphanLife)
	p.dropOrphans(func(w *orphan) bool { return w.since.Before(limit) })
}

func (p *Pool) dropOrphans(drop func(*orphan) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.orphans.byWTxID {
		if drop(w) {
			p.orphans.remove(w)
		}
	}
	p.metrics.orphans.Set(float64(len(p.orphans.byWTxID)))
}
