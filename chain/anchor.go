package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Anchor is a block that is known from elsewhere to be in the chain, such as
// the settled one in the line by which a node joins. Height 0: there is none.
type Anchor struct {
	Height int32
	Hash   chainhash.Hash
}

// ErrOtherHistory is returned for blocks on a branch that has another block at
// the height of the anchor. They break no rule, and are not judged: who runs
// the node decides by the settings which history is meant.
var ErrOtherHistory = errors.New("another history than the settled block of the settings has")

// checkAnchor refuses what is not on the branch of the anchor.
func (c *Chain) checkAnchor(n *node) error {
	a := c.cfg.Anchor
	if a.Height == 0 || n.height < a.Height {
		return nil
	}
	if at := n.ancestor(a.Height); at.hash != a.Hash {
		c.otherHistory.Store(true)
		return fmt.Errorf("%w: at height %d it has %v, the settled block is %v", ErrOtherHistory, a.Height, at.hash, a.Hash)
	}
	return nil
}

// checkAnchored refuses to start on a best branch without the anchor.
func (c *Chain) checkAnchored() error {
	if err := c.checkAnchor(c.tip()); err != nil {
		return fmt.Errorf("the stored chain: %w; if the settings are right, begin with an empty folder", err)
	}
	return nil
}

// anchorWarning says that this node is offered another history than the one
// that its settings name; "" once it has that one.
func (c *Chain) anchorWarning() string {
	a := c.cfg.Anchor
	if !c.otherHistory.Load() || c.Best().Height >= a.Height {
		return ""
	}
	return fmt.Sprintf("peers offer another history than the settings ask for: settled block %v at height %d; "+
		"compare the line by which this node joined with an administrator, or leave the setting out to follow these peers", a.Hash, a.Height)
}
