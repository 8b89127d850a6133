package mempool

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// TestResult says what Accept would have returned for Tx.
type TestResult struct {
	Tx    *consensus.Tx
	Err   error // nil: it would be accepted
	Fee   int64 // smallest unit; 0 with Err
	VSize int64 // as policy counts; 0 with Err
}

// Test judges transactions as Accept does and changes nothing. Each may
// depend on those before it that would be accepted.
func (p *Pool) Test(ctx context.Context, txs []*consensus.Tx) []TestResult {
	others := &overlay{
		entries: make(map[chainhash.Hash]*entry, len(txs)),
		spent:   make(map[wire.OutPoint]chainhash.Hash),
	}
	results := make([]TestResult, len(txs))
	for i, tx := range txs {
		results[i].Tx = tx
		e, err := p.test(ctx, tx, others)
		if err != nil {
			results[i].Err = err
			continue
		}
		p.mu.RLock() // the entry's ancestors may lie in the pool
		others.add(e)
		p.mu.RUnlock()
		results[i].Fee, results[i].VSize = e.fee, e.vsize
	}
	return results
}

func (p *Pool) test(ctx context.Context, tx *consensus.Tx, others *overlay) (*entry, error) {
	if err := p.checkAlone(tx); err != nil {
		return nil, err
	}
	if others.entry(tx.TxID) != nil {
		return nil, ErrInPool
	}
	for {
		next, err := p.lockCaughtUp(ctx, false)
		if err != nil {
			return nil, err
		}
		e, coins, err := p.judgeLocked(tx, next, others, false)
		ok := p.stillLocked()
		p.mu.RUnlock()
		if !ok {
			continue
		}
		if err == nil {
			err = p.checkScripts(ctx, tx, coins, next.Flags)
		}
		return e, err
	}
}

// overlay holds transactions that are treated as if they were in the pool.
// A nil overlay holds none.
type overlay struct {
	entries map[chainhash.Hash]*entry // by txid
	spent   map[wire.OutPoint]chainhash.Hash
}

func (o *overlay) add(e *entry) {
	e.seq = overlaySeq + uint64(len(o.entries))
	o.entries[e.tx.TxID] = e
	e.down.add(e)
	for _, a := range e.ancestors() {
		if o.entries[a.tx.TxID] == a {
			a.down.add(e)
		}
	}
	for _, in := range e.tx.Msg.TxIn {
		o.spent[in.PreviousOutPoint] = e.tx.TxID
	}
}

func (o *overlay) entry(txid chainhash.Hash) *entry {
	if o == nil {
		return nil
	}
	return o.entries[txid]
}

func (o *overlay) spender(op wire.OutPoint) (chainhash.Hash, bool) {
	if o == nil {
		return chainhash.Hash{}, false
	}
	txid, ok := o.spent[op]
	return txid, ok
}

func (o *overlay) output(op wire.OutPoint, height int32) (consensus.Coin, bool) {
	e := o.entry(op.Hash)
	if e == nil || int64(op.Index) >= int64(len(e.tx.Msg.TxOut)) {
		return consensus.Coin{}, false
	}
	out := e.tx.Msg.TxOut[op.Index]
	return consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height}, true
}
