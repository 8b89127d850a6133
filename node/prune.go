package node

import (
	"errors"
	"fmt"
)

// pruneTarget is how many bytes block and undo files may take; 0: any.
func (n *Node) pruneTarget() int64 {
	if mib := int64(n.opts.Config.Prune); mib > 1 {
		return mib << 20
	}
	return 0
}

// checkPruned refuses to run on a pruned folder as if it held everything.
func (n *Node) checkPruned() error {
	pruned, err := n.store.Pruned()
	if err != nil || !pruned || n.opts.Config.Prune > 0 {
		return err
	}
	return fmt.Errorf("old blocks in %s were pruned: start with --prune (--prune 1 removes no more of them); "+
		"to keep all blocks again remove the folders blocks, index, chainstate and indexes in it, and they are fetched from peers", n.opts.Dir)
}

// holdPruning keeps the blocks that an index has not read yet, and refuses an
// index whose blocks are gone.
func (n *Node) holdPruning() error {
	pruned := n.chain.PruneStatus().Height
	var errs []error
	for _, s := range n.indexes.Status() {
		if s.Height < pruned {
			errs = append(errs, fmt.Errorf("the %s is at height %d, and blocks up to height %d are pruned: "+
				"it can no longer be built; switch it off, or fetch all blocks again into an empty data folder", s.Name, s.Height, pruned))
		}
	}
	n.chain.HoldPruning(n.indexesNeed)
	return errors.Join(errs...)
}

// indexesNeed returns the lowest height whose data an index still has to read.
func (n *Node) indexesNeed() (height int32, ok bool) {
	for _, s := range n.indexes.Status() {
		if at, known := n.chain.Lookup(s.Hash); s.Height >= 0 && (!known || !at.OnBest) {
			return 0, true // it has to go back first
		}
	}
	return n.indexes.Needs()
}
