package sigcheck

import (
	"context"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Pending is the check of a block's scripts that [Checker.Begin] began.
type Pending struct {
	c      *Checker
	spends []Spend
	flags  txscript.ScriptFlags
}

// Begin queues the scripts of a block's transactions after the coinbase and
// returns at once.
func (c *Checker) Begin(spends []Spend, flags txscript.ScriptFlags, hints Hints) *Pending {
	return &Pending{c: c, spends: spends, flags: flags}
}

// Wait returns the outcome.
func (p *Pending) Wait(ctx context.Context) error {
	return p.c.check(ctx, p.spends, p.flags, consensus.RuleBlockScript)
}

// Hints are those of the whole block; nil if not all are known.
func (p *Pending) Hints() Hints { return nil }

// Abandon drops what has not begun.
func (p *Pending) Abandon() {}
