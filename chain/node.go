package chain

import (
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/store"
)

// status holds what is known of a block, as stored in its index row.
type status uint8

// The bits are part of the row format: never renumber them.
const (
	statusData         status = 1 << iota // body is in a block file at node.data
	statusUndo                            // undo record is in an undo file at node.undo
	statusValid                           // was connected once: breaks no rule
	statusFailed                          // breaks the rule in node.broken, or the operator said so
	statusFailedParent                    // descends from a failed block
	statusPruned                          // body or undo data was here and was removed to save space
	statusUndecided                       // it is open if its member may seal it: the permissions as of its parent are not known
)

// node is a block in the index. The fields above the line never change
// once the node is in the index; those below are guarded by Chain.mu.
type node struct {
	hash   chainhash.Hash
	parent *node // nil for genesis
	jump   *node // an ancestor further back, see jumpFrom; nil for genesis
	height int32
	time   uint32
	bits   uint32
	work   *big.Int // of the branch up to and with this block
	header wire.BlockHeader
	seal   *nodeSeal // nil for genesis and where mining is everybody's; fixed once the block is decided

	// --- guarded by Chain.mu ---

	status   status
	data     store.Location
	undo     store.Location
	broken   *consensus.RuleError // where statusFailed
	txCount  int32                // known once the body was here
	chainTxs int64                // 0 unless the bodies of it and of all ancestors were here
	dirty    bool                 // row differs from the one on disk
	saved    bool                 // row is on disk, or on its way there
	precious int64                // number of the call of Precious that named it, the last if several; 0: none
	left     *permission.State    // permissions after it, where it was on the best branch since the start and is not any more
	presumed *permission.State    // permissions after it if it breaks no rule, where its body is here and they were found; see presume.go
	plain    bool                 // its body came since the start and is plain
	child    *node                // one of its children
	sibling  *node                // another child of its parent
	restarts int32                // restart blocks on the branch up to and with it
}

// newNode makes the node of header on top of parent (nil for genesis).
func newNode(header *wire.BlockHeader, hash chainhash.Hash, parent *node) *node {
	n := &node{
		hash:   hash,
		parent: parent,
		time:   uint32(header.Timestamp.Unix()),
		bits:   header.Bits,
		work:   consensus.Work(header.Bits),
		header: *header,
	}
	if parent != nil {
		n.height = parent.height + 1
		n.work.Add(n.work, parent.work)
		n.jump = jumpFrom(parent)
	}
	return n
}

// jumpFrom returns the ancestor that a child of parent points back to. The
// distances are those of skew-binary numbers, so that any ancestor is
// O(log n) steps away, and depend on the height alone, so that branches of
// equal height have jumps of equal height.
//
// Source: Myers, "An applicative random-access stack", 1983.
func jumpFrom(parent *node) *node {
	if parent.jump == nil {
		return parent
	}
	last := parent.height - parent.jump.height
	if parent.jump.jump != nil && parent.jump.height-parent.jump.jump.height == last {
		return parent.jump.jump
	}
	return parent
}

// ancestor returns the block at height on the branch that ends in n, or
// nil when height is not between 0 and n.height.
func (n *node) ancestor(height int32) *node {
	if n == nil || height < 0 || height > n.height {
		return nil
	}
	at := n
	for at.height > height {
		if at.jump.height >= height {
			at = at.jump
		} else {
			at = at.parent
		}
	}
	return at
}

// fork returns the last block that the branches of a and b share.
func fork(a, b *node) *node {
	if a.height > b.height {
		a = a.ancestor(b.height)
	} else {
		b = b.ancestor(a.height)
	}
	for a != b {
		if a.jump != b.jump {
			a, b = a.jump, b.jump
		} else {
			a, b = a.parent, b.parent
		}
	}
	return a
}

// Height implements consensus.Ancestry.
func (n *node) Height() int32 { return n.height }

// At implements consensus.Ancestry.
func (n *node) At(height int32) consensus.HeaderFields {
	a := n.ancestor(height)
	return consensus.HeaderFields{Time: a.time, Bits: a.bits}
}

func (n *node) medianTime() time.Time {
	return time.Unix(consensus.MedianTimePast(n), 0)
}

// failed reports whether n may not be on the best branch. Chain.mu held.
func (n *node) failed() bool { return n.status&(statusFailed|statusFailedParent) != 0 }

func (n *node) state() State {
	switch {
	case n.failed():
		return StateInvalid
	case n.status&statusValid != 0:
		return StateValid
	case n.txCount > 0:
		return StateStored
	}
	return StateHeader
}

// better reports whether the branch of a is to be preferred to that of b:
// more work, and of equal work the one last called precious, else the one
// whose body was stored first.
// Chain.mu held.
func better(a, b *node) bool {
	if c := a.work.Cmp(b.work); c != 0 {
		return c > 0
	}
	if a.precious != b.precious {
		return a.precious > b.precious
	}
	if a.data.File != b.data.File {
		return a.data.File < b.data.File
	}
	return a.data.Offset < b.data.Offset
}
