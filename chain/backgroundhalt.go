package chain

import (
	"context"
	"fmt"
	"path"
)

// checkHistory checks blocks below the snapshot, as far as they are here, and
// says where it halts. An error means that it cannot go on for now, or that
// the storage failed, or that the snapshot is wrong.
func (c *Chain) checkHistory(ctx context.Context) error {
	err := c.checkBlocks(ctx)
	switch {
	case err == nil:
		c.goesOn()
	case ctx.Err() == nil && c.failure.get() == nil: // otherwise Run says it
		c.halted(err)
	}
	return err
}

// halted notes why the check cannot go on. It is told once, until goesOn.
func (c *Chain) halted(err error) {
	c.mu.Lock()
	s := c.snap
	if s == nil {
		c.mu.Unlock()
		return
	}
	known := s.halt != ""
	s.halt = err.Error()
	c.mu.Unlock()
	if known {
		c.log.Debug("check below the UTXO snapshot still halts", "err", err)
		return
	}
	c.log.Warn("the check below the UTXO snapshot halts; the node goes on without it, and does not mine", "checked", s.at.height, "of", s.base.height,
		"err", err, "retry", backgroundRetry, "todo", haltAdvice)
}

var haltAdvice = "look at the disk and its log. If nothing but files in " + path.Join("indexes", backgroundName) +
	" cannot be read: stop the node, remove that folder, start again; the check then begins at genesis"

// goesOn notes that the check has got further, or waits for a block only.
func (c *Chain) goesOn() {
	c.mu.Lock()
	s := c.snap
	if s == nil || s.halt == "" {
		c.mu.Unlock()
		return
	}
	s.halt = ""
	c.mu.Unlock()
	c.log.Info("the check below the UTXO snapshot goes on again", "checked", s.at.height, "of", s.base.height)
}

// haltWarning says why the check below a UTXO snapshot halts, and what to do;
// empty: it does not.
func (c *Chain) haltWarning() string {
	b, ok := c.Background()
	if !ok || b.Halt == "" {
		return ""
	}
	return fmt.Sprintf("the check below the UTXO snapshot halts after height %d of %d: %s; it is tried again every %v; %s",
		b.Checked.Height, b.Base.Height, b.Halt, backgroundRetry, haltAdvice)
}
