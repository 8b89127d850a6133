package mempool

import (
	"context"
	"log/slog"
	"slices"
	"sync"
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

	mu    sync.Mutex
	tip   chainhash.Hash // the best block after the last event
	aside *aside         // while a reorganisation is under way, else nil
	moved chan struct{}  // closed and replaced with every event

	unsure    bool                    // permissions changed since what waits was judged
	governing int                     // waiting transactions with records
	records   map[record.MemberID]int // those of them in which a member speaks

	generation uint64               // counts changes of tip and content
	nextFlags  txscript.ScriptFlags // of the block on top of tip

	byTxID  map[chainhash.Hash]*entry
	byWTxID map[chainhash.Hash]*entry
	spent   map[wire.OutPoint]*entry // the entry that spends it
	worst   evictionHeap             // all entries, the first to evict on top
	seq     uint64                   // of the entry added last
	usage   int64                    // estimated memory of all entries
	vsize   int64                    // of all entries
	fees    int64                    // of all entries

	floor   feeFloor
	orphans orphanage
	cached  *cachedTemplate

	templateWeight int64 // see Info
	templateTxs    int
}

// defaultBytes is the budget of a pool for which none is set.
const defaultBytes = 300_000_000

// New makes an empty pool on the chain's present best block. The caller must
// from then on pass every event of the chain to HandleEvent, without a gap.
func New(cfg Config) *Pool {
	p := &Pool{
		chain:   cfg.Chain,
		params:  cfg.Params,
		policy:  cfg.Params.Policy,
		checker: cfg.Checker,
		now:     cfg.Now,
		metrics: cfg.Metrics,
		wake:    make(chan struct{}, 1),
		moved:   make(chan struct{}),
		byTxID:  make(map[chainhash.Hash]*entry),
		byWTxID: make(map[chainhash.Hash]*entry),
		spent:   make(map[wire.OutPoint]*entry),
		orphans: newOrphanage(),
		records: make(map[record.MemberID]int),
	}
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

// lockCaughtUp takes the lock at a moment when the pool has heard of
// everything the chain has done, and returns the block to come. Without
// error the caller holds p.mu.
func (p *Pool) lockCaughtUp(ctx context.Context) (chain.NextBlock, error) {
	for {
		p.mu.Lock()
		next := p.chain.Next()
		if p.aside == nil && !p.unsure && next.Prev.Hash == p.tip {
			return next, nil
		}
		moved := p.moved
		p.mu.Unlock()
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

// Get returns the transaction with the given txid, nil when it is not here.
func (p *Pool) Get(txid chainhash.Hash) *consensus.Tx { return p.find(p.byTxID, txid) }

// GetByWTxID returns the transaction with the given wtxid, or nil.
func (p *Pool) GetByWTxID(wtxid chainhash.Hash) *consensus.Tx { return p.find(p.byWTxID, wtxid) }

func (p *Pool) find(m map[chainhash.Hash]*entry, id chainhash.Hash) *consensus.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := m[id]; e != nil {
		return e.tx
	}
	return nil
}

// Have reports whether the pool, or its orphans, hold a transaction with
// this wtxid.
func (p *Pool) Have(wtxid chainhash.Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byWTxID[wtxid] != nil || p.orphans.byWTxID[wtxid] != nil
}

// Spender returns the transaction in the pool that spends op, or nil.
func (p *Pool) Spender(op wire.OutPoint) *consensus.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.spent[op]; e != nil {
		return e.tx
	}
	return nil
}

// Coin returns the output op of a transaction in the pool, with the height
// of the next block, if it is unspent there.
func (p *Pool) Coin(op wire.OutPoint) (consensus.Coin, bool) {
	next := p.chain.Next().Height
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spent[op] != nil {
		return consensus.Coin{}, false
	}
	return p.outputLocked(op, next)
}

// outputLocked returns an output of a transaction in the pool, spent or not.
func (p *Pool) outputLocked(op wire.OutPoint, height int32) (consensus.Coin, bool) {
	e := p.byTxID[op.Hash]
	if e == nil || int64(op.Index) >= int64(len(e.tx.Msg.TxOut)) {
		return consensus.Coin{}, false
	}
	out := e.tx.Msg.TxOut[op.Index]
	return consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height}, true
}

// Entries returns a description of every transaction, parents before
// children.
func (p *Pool) Entries() []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Entry, 0, len(p.byTxID))
	for _, e := range p.sortedLocked() {
		list = append(list, e.describe())
	}
	return list
}

// sortedLocked returns all entries in the order in which they were added:
// parents before children.
func (p *Pool) sortedLocked() []*entry {
	list := make([]*entry, 0, len(p.byTxID))
	for _, e := range p.byTxID {
		list = append(list, e)
	}
	slices.SortFunc(list, bySeq)
	return list
}

// TxIDs returns the txid of every transaction, parents before children.
func (p *Pool) TxIDs() []chainhash.Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]chainhash.Hash, 0, len(p.byTxID))
	for _, e := range p.sortedLocked() {
		ids = append(ids, e.tx.TxID)
	}
	return ids
}

// Entry describes the transaction with the given txid.
func (p *Pool) Entry(txid chainhash.Hash) (Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byTxID[txid]
	if e == nil {
		return Entry{}, false
	}
	return e.describe(), true
}

// Ancestors describes all transactions in the pool on which txid depends,
// parents before children, without itself; ok is false when it is not here.
func (p *Pool) Ancestors(txid chainhash.Hash) (list []Entry, ok bool) {
	return p.relatives(txid, ancestorsOf)
}

// Descendants describes all transactions in the pool that depend on txid,
// parents before children, without itself; ok is false when it is not here.
func (p *Pool) Descendants(txid chainhash.Hash) (list []Entry, ok bool) {
	return p.relatives(txid, descendantsOf)
}

func (p *Pool) relatives(txid chainhash.Hash, of func(...*entry) map[*entry]struct{}) ([]Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byTxID[txid]
	if e == nil {
		return nil, false
	}
	set := of(e)
	delete(set, e)
	list := make([]Entry, 0, len(set))
	for _, r := range inOrder(set) {
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
	p.mu.Lock()
	defer p.mu.Unlock()
	return Info{
		Count: len(p.byTxID), VSize: p.vsize, Usage: p.usage, MaxUsage: p.policy.MempoolBytes,
		Fees: p.fees, MinFee: p.minFeeLocked(), MinRelayFee: policy.FeeRate(p.policy.MinRelayFee),
		Incremental: p.incremental(), Orphans: len(p.orphans.byWTxID), Generation: p.generation,
		TemplateWeight: p.templateWeight, TemplateTxs: p.templateTxs,
	}
}

// MinFee returns the rate that a transaction must pay to enter now.
func (p *Pool) MinFee() policy.FeeRate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.minFeeLocked()
}

func (p *Pool) minFeeLocked() policy.FeeRate {
	return max(policy.FeeRate(p.policy.MinRelayFee), p.floorLocked())
}

// Generation changes with every change of the pool's content or tip.
func (p *Pool) Generation() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.generation
}
