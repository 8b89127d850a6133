package mempool

import (
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
}

func (d *directory) init() {
	d.byTxID = make(map[chainhash.Hash]*entry)
	d.byWTxID = make(map[chainhash.Hash]*entry)
	d.spent = make(map[wire.OutPoint]*entry)
}

func (d *directory) list(e *entry) {
	d.look.Lock()
	defer d.look.Unlock()
	d.byTxID[e.tx.TxID] = e
	d.byWTxID[e.tx.WTxID] = e
	for _, in := range e.tx.Msg.TxIn {
		d.spent[in.PreviousOutPoint] = e
	}
}

// unlist takes an entry out. tx is its transaction, maybe with another
// witness: one that was just read from a block costs less to look at.
func (d *directory) unlist(e *entry, tx *consensus.Tx) {
	d.look.Lock()
	defer d.look.Unlock()
	delete(d.byTxID, tx.TxID)
	if d.byWTxID[tx.WTxID] == e {
		delete(d.byWTxID, tx.WTxID)
	} else {
		delete(d.byWTxID, e.tx.WTxID)
	}
	for _, in := range tx.Msg.TxIn {
		delete(d.spent, in.PreviousOutPoint)
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
