package sigcheck

import (
	"context"
	"crypto/rand"
	"io"
	"runtime"
	"sync"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck/curve"
)

// Config says what a Checker may use.
type Config struct {
	// Workers is the most goroutines that check at the same time, callers
	// who help included. 0: as many as Go may run at once.
	Workers int

	// CacheEntries bounds the transactions whose success is remembered.
	// 0: none.
	CacheEntries int

	// Recheck is for tests: of so many batches that pass one is also checked
	// signature by signature with btcec, the first one included. 0: none.
	Recheck int

	// Random is where the factors of batches come from. It must be
	// unpredictable for others, and safe for concurrent use. nil:
	// crypto/rand.
	Random io.Reader
}

// Spend is a transaction, which is no coinbase, and the coins it spends:
// Coins[i] is that of input i. Neither may ever change: a call that ends
// early leaves workers behind that read them still.
type Spend struct {
	Tx    *consensus.Tx
	Coins []consensus.Coin
}

// Checker checks scripts and remembers successes. Safe for concurrent use.
type Checker struct {
	workers int
	recheck uint64
	random  io.Reader
	verify  *curve.Verifier
	passed  *passedCache
	counts  counts

	mu      sync.Mutex // guards the fields below, and some of each Pending
	queue   []*Pending // in order of arrival, but that what Wait was called for comes first; all with inputs nobody took yet
	queued  int        // those inputs
	running int        // workers: goroutines and callers who help
	idle    []*worker  // memory for those to come
}

// New builds a Checker.
func New(cfg Config) *Checker {
	c := &Checker{
		workers: cfg.Workers,
		recheck: uint64(max(cfg.Recheck, 0)),
		random:  cfg.Random,
		verify:  curve.New(),
		passed:  newPassedCache(cfg.CacheEntries),
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	if c.random == nil {
		c.random = rand.Reader
	}
	return c
}

// CheckTx checks the scripts of one transaction and remembers success: at
// once in the caller's goroutine if a worker is to spare, else together with
// whatever else is queued.
//
// A failure is a *consensus.RuleError with RuleTxScript. With flags that are
// policy and not consensus it does not mean that the transaction breaks a
// rule: the caller then asks again with the flags of the next block.
func (c *Checker) CheckTx(ctx context.Context, tx *consensus.Tx, coins []consensus.Coin, flags txscript.ScriptFlags) error {
	p := c.newPending([]Spend{{Tx: tx, Coins: coins}}, flags, consensus.RuleTxScript, nil)
	if err := p.checkNow(ctx); err != nil {
		return err
	}
	c.passed.add(tx.WTxID, flags, p.parities)
	return nil
}

// CheckBlock checks the scripts of a block's transactions after the coinbase,
// apart from those that are known to succeed with flags. A failure is a
// *consensus.RuleError with RuleBlockScript.
func (c *Checker) CheckBlock(ctx context.Context, spends []Spend, flags txscript.ScriptFlags) error {
	return c.newPending(spends, flags, consensus.RuleBlockScript, nil).checkNow(ctx)
}

// Begin queues what CheckBlock checks and returns at once. Of hints with
// another length than the block's nothing is used.
func (c *Checker) Begin(spends []Spend, flags txscript.ScriptFlags, hints Hints) *Pending {
	p := c.newPending(spends, flags, consensus.RuleBlockScript, hints)
	c.enqueue(p, false)
	return p
}
