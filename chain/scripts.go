package chain

import (
	"context"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
)

// scriptCheck is the check of the scripts of a block, under way. nil: there is
// nothing to check.
type scriptCheck struct {
	c       *Chain
	n       *node
	spends  []sigcheck.Spend
	flags   txscript.ScriptFlags
	pending *sigcheck.Pending
	ahead   bool // pending was begun before the coins of the block were judged
}

// beginScripts queues the scripts of b, the block n, which spends these coins,
// or finds that this was done ahead. Other rules come first: what it says
// counts for a block only that breaks none of them.
func (c *Chain) beginScripts(b *consensus.Block, n *node, spent [][]consensus.Coin) *scriptCheck {
	spends := spendsOf(b, spent)
	s := &scriptCheck{c: c, n: n, spends: spends, flags: consensus.ScriptFlags(n.height, b.Hash, c.p)}
	if s.pending = c.lookahead.begun(n, s.flags, spends); s.pending != nil {
		s.ahead = true
	} else {
		s.pending = c.cfg.Checker.Begin(spends, s.flags, c.hintsFor(b.Hash, nil))
	}
	return s
}

// wait returns the outcome, and takes part in the work until it is there. What
// was begun ahead has a say only if all scripts pass, so that the outcome never
// depends on it.
func (s *scriptCheck) wait(ctx context.Context) error {
	if s == nil {
		return nil
	}
	err := s.pending.Wait(ctx)
	if err != nil && s.ahead && ctx.Err() == nil {
		s.pending, s.ahead = s.c.cfg.Checker.Begin(s.spends, s.flags, nil), false
		err = s.pending.Wait(ctx)
	}
	if err != nil {
		if !s.ahead {
			s.pending.Abandon() // nobody else knows of it
		}
		return err
	}
	return s.c.keepHints(s.n, s.spends, s.pending.Hints())
}

// checkScripts runs the scripts of b, the block n, which spends these coins.
func (c *Chain) checkScripts(ctx context.Context, b *consensus.Block, n *node, spent [][]consensus.Coin) error {
	return c.beginScripts(b, n, spent).wait(ctx)
}
