package chain_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestPermissionsCrash stops the disk at every few changes of a run over a
// tree of blocks with changes of permissions. What is left must open at a block
// with its permissions, no block may have become invalid by it, and all blocks
// again lead to the same end.
func TestPermissionsCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	tree := growPermTree(t, rng, 28)
	order := rng.Perm(len(tree.blocks))
	whole := tree.open(t, 8<<20)
	if err := tree.offerAll(whole, inOrder(len(tree.blocks))); err != nil {
		t.Fatal(err)
	}
	want := permState(t, whole)
	bad := make([]bool, len(tree.blocks)) // what breaks a rule, or stands on that
	for i := range tree.blocks {
		bad[i] = tree.breaks(t, i, bad)
	}
	counted := storetest.New()
	if err := tree.runOn(counted, order); err != nil {
		t.Fatal(err)
	}
	total := counted.Changes()
	var group errgroup.Group
	group.SetLimit(16)
	for k := 3; k <= total; k += max(1, total/12) {
		group.Go(func() error {
			d := storetest.New()
			d.StopAt(k, k%2 == 0)
			if err := tree.runOn(d, order); consensus.AsRule(err) != nil {
				return fmt.Errorf("a stopped disk broke a rule: %w", err)
			}
			return tree.after(d.Crash(storetest.Loss(k%3)), bad, want)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// breaks reports whether a block breaks a rule, on a node that sees nothing but
// its branch. bad says it of those made before it.
func (t *permTree) breaks(tb testing.TB, i int, bad []bool) bool {
	index := make(map[chainhash.Hash]int)
	for j, b := range t.blocks[:i+1] {
		index[b.Hash] = j
	}
	var branch []int
	for at, ok := i, true; ok; at, ok = index[t.blocks[at].Header.PrevBlock] {
		if at != i && bad[at] {
			return true
		}
		branch = append(branch, at)
	}
	h := t.open(tb, 8<<20)
	defer h.Close()
	for _, j := range slices.Backward(branch) {
		if _, err := h.Chain.AcceptBlock(tb.Context(), t.blocks[j]); consensus.AsRule(err) != nil {
			return true
		} else if err != nil {
			tb.Fatal(err)
		}
	}
	return false
}

func (t *permTree) openOn(d *storetest.Disk) (*chaintest.Node, error) {
	return chaintest.OpenNode(t.net.Params, func(s *store.Config, c *chain.Config) {
		s.Dir, s.FS, s.FileSize = "/data", d, 4000
		c.SettleDepth, c.CacheBytes = 1000, 1 // flushes at each block
		c.Checker = sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256})
	})
}

// runOn offers all blocks in this order, up to the first error of the disk.
func (t *permTree) runOn(d *storetest.Disk, order []int) error {
	n, err := t.openOn(d)
	if err != nil {
		return err
	}
	defer n.Store.Close()
	for at, i := range order {
		for _, next := range order[at:min(at+at%4, len(order))] { // at times blocks are handed ahead
			n.Chain.Ahead(t.blocks[next], nil)
		}
		if err := t.offerTo(n.Chain, i); err != nil {
			return err
		}
	}
	return n.Chain.Close()
}

// after opens what a stopped disk left and offers all blocks again.
func (t *permTree) after(d *storetest.Disk, bad []bool, want []byte) error {
	n, err := t.openOn(d)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer n.Store.Close()
	for i, b := range t.blocks {
		if info, ok := n.Chain.Lookup(b.Hash); ok && info.State == chain.StateInvalid && !bad[i] {
			return fmt.Errorf("block %d became invalid: %q", i, n.Chain.Explain(b.Hash).Why)
		}
	}
	for i := range t.blocks {
		if err := t.offerTo(n.Chain, i); err != nil {
			return err
		}
	}
	got, err := permStateOf(n.Chain)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("all blocks again lead to %v", n.Chain.Best().Hash)
	}
	return n.Chain.Close()
}
