package sigcheck

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Config says what a Checker may use.
type Config struct {
	// Workers is the most goroutines that one call runs scripts in.
	// 0: as many as Go may run at once.
	Workers int

	// CacheEntries bounds the transactions whose success is remembered.
	// 0: none.
	CacheEntries int

	// Recheck is for tests: of so many batches that pass one is also checked
	// signature by signature with btcec. 0: none.
	Recheck int

	// Random is where the factors of batches come from. It must be
	// unpredictable for others, and safe for concurrent use. nil:
	// crypto/rand.
	Random io.Reader
}

// Spend is a transaction, which is no coinbase, and the coins it spends:
// Coins[i] is that of input i. Neither may change during a call.
type Spend struct {
	Tx    *consensus.Tx
	Coins []consensus.Coin
}

// Checker runs scripts and remembers successes. Safe for concurrent use.
type Checker struct {
	workers int
	passed  *passedCache
	checked atomic.Uint64
	skipped atomic.Uint64
}

// New builds a Checker.
func New(cfg Config) *Checker {
	workers := cfg.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &Checker{workers: workers, passed: newPassedCache(cfg.CacheEntries)}
}

// Checked is the number of inputs whose scripts were run so far.
func (c *Checker) Checked() uint64 { return c.checked.Load() }

// Skipped is the number of inputs whose scripts were not run because their
// transaction was known to succeed.
func (c *Checker) Skipped() uint64 { return c.skipped.Load() }

// CheckTx runs the scripts of one transaction and remembers success.
//
// A failure is a *consensus.RuleError with RuleTxScript. With flags that are
// policy and not consensus it does not mean that the transaction breaks a
// rule: the caller then asks again with the flags of the next block.
func (c *Checker) CheckTx(ctx context.Context, tx *consensus.Tx, coins []consensus.Coin, flags txscript.ScriptFlags) error {
	spends := []Spend{{Tx: tx, Coins: coins}}
	if err := c.check(ctx, spends, flags, consensus.RuleTxScript); err != nil {
		return err
	}
	c.passed.add(tx.WTxID, flags)
	return nil
}

// CheckBlock runs the scripts of a block's transactions after the coinbase,
// apart from those that are known to succeed with flags. A failure is a
// *consensus.RuleError with RuleBlockScript.
func (c *Checker) CheckBlock(ctx context.Context, spends []Spend, flags txscript.ScriptFlags) error {
	return c.check(ctx, spends, flags, consensus.RuleBlockScript)
}

func (c *Checker) check(ctx context.Context, spends []Spend, flags txscript.ScriptFlags, rule consensus.Rule) error {
	var jobs []job
	for _, s := range spends {
		if len(s.Coins) != len(s.Tx.Msg.TxIn) {
			return fmt.Errorf("check scripts of %v: %d coins given for %d inputs", s.Tx.TxID, len(s.Coins), len(s.Tx.Msg.TxIn))
		}
		if c.passed.has(s.Tx.WTxID, flags) {
			c.skipped.Add(uint64(len(s.Coins)))
			continue
		}
		jobs = appendJobs(jobs, newTxScripts(s, flags))
	}
	r := run{jobs: jobs, rule: rule}
	r.do(ctx, c.workers)
	c.checked.Add(r.checked.Load())
	return r.result(ctx)
}
