package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/charterchain/charter/chain/permission"
)

// KnowsUpgrade reports whether this program has the rules of a deployment that
// members can schedule. So far there is none.
func KnowsUpgrade(string) bool { return false }

// knowsUpgrades returns an error that wraps ErrUnknownUpgrade where a rule is
// in force in the block at height that this program does not know.
func (c *Chain) knowsUpgrades(state *permission.State, height int32) error {
	for _, u := range state.Upgrades() {
		if u.Height <= uint32(height) && !KnowsUpgrade(u.Deployment) {
			return fmt.Errorf("%w: %q, in force from height %d", ErrUnknownUpgrade, u.Deployment, u.Height)
		}
	}
	return nil
}

// moveOn is activateBest where no block was offered. That the program is too old
// for the next block is no error then, see UpgradeNeeded. change held.
func (c *Chain) moveOn(ctx context.Context) error {
	if err := c.activateBest(ctx, nil); !errors.Is(err, ErrUnknownUpgrade) {
		return err
	}
	return nil
}

// UpgradeNeeded returns an error that wraps ErrUnknownUpgrade where the members
// scheduled a rule that this program does not know, from when on whatever.
func (c *Chain) UpgradeNeeded() error {
	state := c.Permissions()
	if state == nil {
		return nil
	}
	return c.knowsUpgrades(state, 1<<31-1)
}
