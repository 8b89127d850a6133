package mempool

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/mempool/policy"
)

// Chain is what the pool reads of the chain. Its methods must not take the
// lock under which the chain sends events.
type Chain interface {
	Best() chain.BlockInfo
	Next() chain.NextBlock
	Ancestry() consensus.Ancestry // of the best block
	Coin(op wire.OutPoint) (consensus.Coin, bool, error)
}

// Checker checks all scripts of a transaction: nil, a *consensus.RuleError,
// or another error where it could not decide.
type Checker interface {
	CheckTx(ctx context.Context, tx *consensus.Tx, coins []consensus.Coin, flags txscript.ScriptFlags) error
}

// Config is what a Pool needs. Chain, Params, Checker and Now must be given.
type Config struct {
	Chain   Chain
	Params  *params.Params
	Checker Checker
	Now     func() time.Time
	Log     *slog.Logger   // nil: no log
	Metrics *Metrics       // nil: none
	Policy  *params.Policy // the operator's settings; nil: those of the chain file
}

// Pool is the set of transactions that wait for a block. It is safe for
// concurrent use.
type Pool struct {
	chain   Chain
	params  *params.Params
	policy  params.Policy
	checker Checker
	now     func() time.Time
	log     *slog.Logger
	metrics *Metrics

	notify notifier
	wake   chan struct{} // capacity 1: Run has work
	made   lastTemplate

	choosing sync.Mutex // held for one choice for a template, inside mu

	generation atomic.Uint64 // counts changes of tip and content, under mu

	directory // reading needs either mu or its own lock, writing both

	// What judges without changing anything holds mu for reading.
	mu    sync.RWMutex
	tip   chainhash.Hash // the best block after the last event
	aside *aside         // while a reorganisation is under way, else nil
	moved chan struct{}  // closed and replaced with every event
	heard uint64         // events so far

	unsure    bool                    // permissions changed since what waits was judged
	governing map[*entry]struct{}     // waiting transactions with records
	records   map[record.MemberID]int // those of them in which a member speaks

	nextFlags txscript.ScriptFlags // of the block on top of tip

	best   ranking // what pays most per virtual byte, with its ancestors, on top
	worth  ranking // what a full pool lets go of first on top
	roster roster
	seq    uint64 // of the entry added last
	usage  int64  // estimated memory of all entries
	vsize  int64  // of all entries
	fees   int64  // of all entries

	floor   feeFloor
	orphans orphanage
}

// defaultBytes is the budget of a pool for which none is set.
const defaultBytes = 300_000_000

// New makes an empty pool on the chain's present best block. The caller must
// from then on pass every event of the chain to HandleEvent, without a gap.
func New(cfg Config) *Pool {
	p := &Pool{
		chain:     cfg.Chain,
		params:    cfg.Params,
		policy:    cfg.Params.Policy,
		checker:   cfg.Checker,
		now:       cfg.Now,
		metrics:   cfg.Metrics,
		wake:      make(chan struct{}, 1),
		moved:     make(chan struct{}),
		best:      ranking{kind: rankPackage},
		worth:     ranking{kind: rankWorth, lowest: true},
		orphans:   newOrphanage(),
		governing: make(map[*entry]struct{}),
		records:   make(map[record.MemberID]int),
	}
	p.directory.init()
	p.best = ranking{kind: rankPackage, of: &p.roster}
	p.worth = ranking{kind: rankWorth, of: &p.roster, lowest: true}
	if cfg.Policy != nil {
		p.policy = *cfg.Policy
	}
	if p.policy.MempoolBytes <= 0 {
		p.policy.MempoolBytes = defaultBytes
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p.log = cfg.Log.With("pkg", "mempool")
	if p.metrics == nil {
		p.metrics = NewMetrics(nil)
	}
	next := cfg.Chain.Next()
	p.tip, p.nextFlags = next.Prev.Hash, next.Flags
	return p
}

// lockCaughtUp takes the lock, for reading where changes is false, at a
// moment when the pool has heard of everything the chain has done, and
// returns the block to come. Without error the caller holds the lock.
func (p *Pool) lockCaughtUp(ctx context.Context, changes bool) (chain.NextBlock, error) {
	lock := p.mu.RLocker()
	if changes {
		lock = &p.mu
	}
	for {
		lock.Lock()
		next := p.chain.Next()
		if p.aside == nil && !p.unsure && next.Prev.Hash == p.tip {
			return next, nil
		}
		moved := p.moved
		lock.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return chain.NextBlock{}, context.Cause(ctx)
		}
	}
}

// stillLocked reports whether what was read from the chain since
// lockCaughtUp is of one state. While p.mu is held the chain can change once
// at most, since it then waits for HandleEvent.
func (p *Pool) stillLocked() bool { return p.chain.Best().Hash == p.tip }

// Entries returns a description of every transaction, parents before
// children.
func (p *Pool) Entries() []Entry {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]Entry, 0, len(p.byTxID))
	for e := range p.roster.all() {
		list = append(list, e.describe())
	}
	return list
}

// TxIDs returns the txid of every transaction, parents before children.
func (p *Pool) TxIDs() []chainhash.Hash {
	p.mu.RLock()
	defer p.mu.RUnlock()
	ids := make([]chainhash.Hash, 0, len(p.byTxID))
	for e := range p.roster.all() {
		ids = append(ids, e.tx.TxID)
	}
	return ids
}

// WTxIDs returns the wtxid of the limit transactions that came first, parents
// before children.
func (p *Pool) WTxIDs(limit int) []chainhash.Hash {
	p.mu.RLock()
	defer p.mu.RUnlock()
	ids := make([]chainhash.Hash, 0, min(limit, len(p.byTxID)))
	for e := range p.roster.all() {
		if len(ids) == limit {
			break
		}
		ids = append(ids, e.tx.WTxID)
	}
	return ids
}

// Entry describes the transaction with the given txid.
func (p *Pool) Entry(txid chainhash.Hash) (Entry, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	e := p.byTxID[txid]
	if e == nil {
		return Entry{}, false
	}
	return e.describe(), true
}

// Ancestors describes all transactions in the pool on which txid depends,
// parents before children, without itself; ok is false when it is not here.
func (p *Pool) Ancestors(txid chainhash.Hash) (list []Entry, ok bool) {
	return p.relatives(txid, (*entry).ancestors)
}

// Descendants describes all transactions in the pool that depend on txid,
// parents before children, without itself; ok is false when it is not here.
func (p *Pool) Descendants(txid chainhash.Hash) (list []Entry, ok bool) {
	return p.relatives(txid, (*entry).descendants)
}

func (p *Pool) relatives(txid chainhash.Hash, of func(*entry) []*entry) ([]Entry, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	e := p.byTxID[txid]
	if e == nil {
		return nil, false
	}
	others := inOrder(of(e))
	list := make([]Entry, 0, len(others))
	for _, r := range others {
		list = append(list, r.describe())
	}
	return list, true
}

// Info is a summary of the pool.
type Info struct {
	Count       int            // transactions
	VSize       int64          // of all of them, in virtual bytes
	Usage       int64          // estimated memory in bytes
	MaxUsage    int64          // the budget for it
	Fees        int64          // of all of them, in smallest units
	MinFee      policy.FeeRate // what a newcomer must pay now: the larger of MinRelayFee and the pool's floor
	MinRelayFee policy.FeeRate
	Incremental policy.FeeRate // by which the floor rises above what was evicted
	Orphans     int
	Generation  uint64 // changes with every change of content or tip

	// Of the last template of the pool's transactions; 0 before the first.
	TemplateWeight int64 // of the whole block
	TemplateTxs    int   // without the coinbase
}

// Info returns a summary of the pool.
func (p *Pool) Info() Info {
	p.mu.RLock()
	defer p.mu.RUnlock()
	weight, txs := p.made.size()
	return Info{
		Count: len(p.byTxID), VSize: p.vsize, Usage: p.usage, MaxUsage: p.policy.MempoolBytes,
		Fees: p.fees, MinFee: p.minFeeLocked(), MinRelayFee: policy.FeeRate(p.policy.MinRelayFee),
		Incremental: p.incremental(), Orphans: p.orphans.count(), Generation: p.generation.Load(),
		TemplateWeight: weight, TemplateTxs: txs,
	}
}

// MinFee returns the rate that a transaction must pay to enter now.
func (p *Pool) MinFee() policy.FeeRate {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.minFeeLocked()
}

func (p *Pool) minFeeLocked() policy.FeeRate {
	return max(policy.FeeRate(p.policy.MinRelayFee), p.floorLocked())
}

// Generation changes with every change of the pool's content or tip. It never
// waits.
func (p *Pool) Generation() uint64 { return p.generation.Load() }
