package p2p_test

import (
	"testing"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/p2ptest"
)

// A node that has started from a snapshot follows the tip, fetches what lies
// below, and is not asked for it before it has it.
func TestHistory(t *testing.T) {
	simulate(t, 250, func(t *testing.T, s *p2ptest.Sim) {
		whole, late, fresh := s.NewNode(), s.NewNode(), s.NewNode()
		blocks := whole.Chain.Mine(600, "history", 1)
		late.Chain.Force(blocks...)
		missing := fromSnapshot(late, blocks)
		late.Start()
		fresh.AddNodes = []string{late.Addr()}
		fresh.Start()
		s.Await("headers", 10*time.Second, func() bool { return fresh.Chain.BestHeader().Height == 600 })
		time.Sleep(2 * time.Minute)
		if len(fresh.P2P.Peers()[0].InFlight) > 0 {
			t.Error("a node is asked for blocks that it said it lacks")
		}
		fresh.Stop()

		whole.AddNodes = []string{late.Addr()}
		whole.Start()
		s.Await("connection", 30*time.Second, func() bool { return late.P2P.Count() == 1 })
		more := whole.Chain.Mine(3, "more", 1)
		s.AwaitTip(10*time.Second, whole, late)
		if _, wanted := missing(); !wanted {
			t.Error("the whole history came before the tip")
		}
		s.Await("history", 5*time.Minute, func() bool { _, wanted := missing(); return !wanted })
		for _, b := range append(blocks, more...) {
			if n := late.Chain.Accepted(b.Hash); n != 1 {
				t.Errorf("block accepted %d times", n)
			}
		}
		// It is a source like any other now.
		whole.Stop()
		fresh.Start()
		s.AwaitTip(5*time.Minute, late, fresh)
	})
}

// The branch with the most work leaves below the snapshot: the node cannot go
// there before it has the history, however far behind it is.
func TestHistoryBeforeOtherBranch(t *testing.T) {
	simulate(t, 251, func(t *testing.T, s *p2ptest.Sim) {
		whole, fork, late := s.NewNode(), s.NewNode(), s.NewNode()
		blocks := whole.Chain.Mine(60, "history", 1)
		fork.Chain.Force(blocks[:40]...)
		fork.Chain.Mine(60, "fork", 1)
		late.Chain.Force(blocks...)
		late.Chain.Stay = true
		missing := fromSnapshot(late, blocks)
		fork.Start()
		late.AddNodes = []string{fork.Addr()}
		late.Start()
		s.Await("headers", 30*time.Second, func() bool { return late.Chain.BestHeader().Height == 100 })
		whole.AddNodes = []string{late.Addr()}
		whole.Start()
		s.Await("history", 5*time.Minute, func() bool { _, wanted := missing(); return !wanted })
	})
}

// fromSnapshot makes n a node that lacks the bodies of blocks, which lie below
// a snapshot, and wants them. missing says what it still lacks.
func fromSnapshot(n *p2ptest.Node, blocks []*consensus.Block) (missing func() (p2p.History, bool)) {
	for _, b := range blocks {
		n.Chain.Lose(b.Hash)
	}
	missing = func() (p2p.History, bool) {
		for i, b := range blocks {
			if info, _ := n.Chain.Lookup(b.Hash); !info.HaveData {
				base, _ := n.Chain.Lookup(blocks[len(blocks)-1].Hash)
				return p2p.History{Next: int32(i + 1), End: base}, true
			}
		}
		return p2p.History{}, false
	}
	n.Change = func(c *p2p.Config) { c.History = missing }
	return missing
}
