package p2ptest

import (
	"context"
	"errors"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p"
)

// Versions that decide what becomes of a transaction. All others are taken,
// if their first input spends a transaction of the pool or none that
// MakeTx has made.
const (
	InvalidTxVersion   = 99 // breaks a rule
	RefusedTxVersion   = 98 // against policy
	UndecidedTxVersion = 97 // cannot be judged
)

// RuleBadTx is the rule that InvalidTxVersion breaks.
const RuleBadTx consensus.Rule = "test-bad-tx"

// Pool is a transaction pool in memory. Safe for concurrent use.
type Pool struct {
	OnAccept func(*consensus.Tx)

	mu      sync.Mutex
	byWTxID map[chainhash.Hash]*consensus.Tx
	byTxID  map[chainhash.Hash]*consensus.Tx
	order   []chainhash.Hash
	offered map[chainhash.Hash]int
	held    chan struct{}             // closed when Accept may go on; nil: it may
	orphans map[chainhash.Hash]orphan // by the missing parent's txid
}

// orphan is a transaction that waits for its parent.
type orphan struct {
	tx     *consensus.Tx
	source [32]byte
}

// NewPool returns an empty pool.
func NewPool() *Pool {
	return &Pool{
		byWTxID: make(map[chainhash.Hash]*consensus.Tx),
		byTxID:  make(map[chainhash.Hash]*consensus.Tx),
		offered: make(map[chainhash.Hash]int),
		orphans: make(map[chainhash.Hash]orphan),
	}
}

// noParent is the first input of a transaction that needs no other.
func noParent() chainhash.Hash { return chainhash.HashH([]byte("no parent")) }

// MakeTx builds a transaction; parent nil: it needs none.
func MakeTx(n uint32, version int32, parent *consensus.Tx) *consensus.Tx {
	msg := wire.NewMsgTx(version)
	prev := noParent()
	if parent != nil {
		prev = parent.TxID
	}
	msg.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&prev, n), nil, [][]byte{{byte(n)}}))
	msg.AddTxOut(wire.NewTxOut(int64(n), []byte{0x51}))
	return consensus.NewTx(msg)
}

// Accept implements p2p.Pool, as do the methods below.
func (p *Pool) Accept(_ context.Context, tx *consensus.Tx, source [32]byte) error {
	if held := p.offer(tx); held != nil {
		<-held
	}
	taken, err := p.accept(tx, source)
	for _, t := range taken {
		if p.OnAccept != nil {
			p.OnAccept(t)
		}
	}
	return err
}

// offer counts a transaction, and returns what its judgement waits for.
func (p *Pool) offer(tx *consensus.Tx) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offered[tx.WTxID]++
	return p.held
}

// Hold lets every Accept to come wait until resume is called.
func (p *Pool) Hold() (resume func()) {
	held := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held = nil
		close(held)
	}
}

func (p *Pool) accept(tx *consensus.Tx, source [32]byte) (taken []*consensus.Tx, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch tx.Msg.Version {
	case InvalidTxVersion:
		return nil, &consensus.RuleError{Rule: RuleBadTx}
	case RefusedTxVersion:
		return nil, &p2p.RefusedError{Err: errors.New("against policy")}
	case UndecidedTxVersion:
		return nil, errors.New("disk full")
	}
	prev := tx.Msg.TxIn[0].PreviousOutPoint.Hash
	if prev != noParent() && p.byTxID[prev] == nil {
		p.orphans[prev] = orphan{tx, source}
		return nil, &p2p.RefusedError{Err: errors.New("missing inputs"), Missing: []chainhash.Hash{prev}}
	}
	for tx != nil {
		if p.byWTxID[tx.WTxID] != nil {
			break
		}
		p.byWTxID[tx.WTxID], p.byTxID[tx.TxID] = tx, tx
		p.order = append(p.order, tx.WTxID)
		taken = append(taken, tx)
		parent := tx.TxID
		tx = p.orphans[parent].tx
		delete(p.orphans, parent)
	}
	return taken, nil
}

func (p *Pool) ForgetSource(source [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for parent, o := range p.orphans {
		if o.source == source {
			delete(p.orphans, parent)
		}
	}
}

// Orphans returns how many transactions of a peer wait for their parents.
func (p *Pool) Orphans(source [32]byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for _, o := range p.orphans {
		if o.source == source {
			count++
		}
	}
	return count
}

// Offered returns how often a transaction was handed to Accept.
func (p *Pool) Offered(wtxid chainhash.Hash) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offered[wtxid]
}

// Len returns the number of transactions.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.order)
}

func (p *Pool) Have(wtxid chainhash.Hash) bool {
	_, ok := p.Get(wtxid)
	return ok
}

func (p *Pool) Get(wtxid chainhash.Hash) (*consensus.Tx, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx := p.byWTxID[wtxid]
	return tx, tx != nil
}

func (p *Pool) GetByTxID(txid chainhash.Hash) (*consensus.Tx, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx := p.byTxID[txid]
	return tx, tx != nil
}

func (p *Pool) WTxIDs(max int) []chainhash.Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]chainhash.Hash(nil), p.order[:min(max, len(p.order))]...)
}
