package mempool

import (
	"iter"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// directory finds entries. What is in it changes under Pool.mu and under its
// own lock, which is held for moments only: so looking up does not wait for
// long work on the pool, such as a block with thousands of its transactions.
type directory struct {
	look    sync.RWMutex
	byTxID  map[chainhash.Hash]*entry
	byWTxID map[chainhash.Hash]*entry
	spent   map[wire.OutPoint]*entry // the entry that spends it

	first, last *entry // all entries by seq; Pool.mu alone guards the links
}

func (d *directory) init() {
	d.byTxID = make(map[chainhash.Hash]*entry)
	d.byWTxID = make(map[chainhash.Hash]*entry)
	d.spent = make(map[wire.OutPoint]*entry)
}

// list adds an entry, whose seq is the highest so far.
func (d *directory) list(e *entry) {
	d.look.Lock()
	d.byTxID[e.tx.TxID] = e
	d.byWTxID[e.tx.WTxID] = e
	for _, in := range e.tx.Msg.TxIn {
		d.spent[in.PreviousOutPoint] = e
	}
	d.look.Unlock()
	if e.prev = d.last; e.prev != nil {
		e.prev.next = e
	} else {
		d.first = e
	}
	d.last = e
}

func (d *directory) unlist(e *entry) {
	d.look.Lock()
	delete(d.byTxID, e.tx.TxID)
	delete(d.byWTxID, e.tx.WTxID)
	for _, in := range e.tx.Msg.TxIn {
		delete(d.spent, in.PreviousOutPoint)
	}
	d.look.Unlock()
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		d.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		d.last = e.prev
	}
	e.prev, e.next = nil, nil
}

// all goes through the entries in the order in which they were added: parents
// before children. Pool.mu held; none may be added or leave meanwhile.
func (d *directory) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for e := d.first; e != nil && yield(e); e = e.next {
		}
	}
}

// Get returns the transaction with the given txid, nil when it is not here.
func (p *Pool) Get(txid chainhash.Hash) *consensus.Tx { return p.find(p.byTxID, txid) }

// GetByWTxID returns the transaction with the given wtxid, or nil.
func (p *Pool) GetByWTxID(wtxid chainhash.Hash) *consensus.Tx { return p.find(p.byWTxID, wtxid) }

func (p *Pool) find(m map[chainhash.Hash]*entry, id chainhash.Hash) *consensus.Tx {
	p.look.RLock()
	defer p.look.RUnlock()
	if e := m[id]; e != nil {
		return e.tx
	}
	return nil
}

// Have reports whether the pool, or its orphans, hold a transaction with
// this wtxid.
func (p *Pool) Have(wtxid chainhash.Hash) bool {
	return p.GetByWTxID(wtxid) != nil || p.orphans.has(wtxid)
}

// Spender returns the transaction in the pool that spends op, or nil.
func (p *Pool) Spender(op wire.OutPoint) *consensus.Tx {
	p.look.RLock()
	defer p.look.RUnlock()
	if e := p.spent[op]; e != nil {
		return e.tx
	}
	return nil
}

// Coin returns the output op of a transaction in the pool, with the height
// of the next block, if it is unspent there.
func (p *Pool) Coin(op wire.OutPoint) (consensus.Coin, bool) {
	next := p.chain.Next().Height
	p.look.RLock()
	defer p.look.RUnlock()
	if p.spent[op] != nil {
		return consensus.Coin{}, false
	}
	return p.output(op, next)
}

// output returns an output of a transaction in the pool, spent or not.
func (d *directory) output(op wire.OutPoint, height int32) (consensus.Coin, bool) {
	e := d.byTxID[op.Hash]
	if e == nil || int64(op.Index) >= int64(len(e.tx.Msg.TxOut)) {
		return consensus.Coin{}, false
	}
	out := e.tx.Msg.TxOut[op.Index]
	return consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height}, true
}
