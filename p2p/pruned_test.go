package p2p_test

import (
	"testing"
	"time"

	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/p2ptest"
)

// A pruned node is not asked for what it said it does not have, but for the
// blocks it kept; and does not fetch again what it has pruned.
func TestPrunedPeer(t *testing.T) {
	simulate(t, 240, func(t *testing.T, s *p2ptest.Sim) {
		pruned, whole, fresh := s.NewNode(), s.NewNode(), s.NewNode()
		blocks := whole.Chain.Mine(400, "history", 1)
		pruned.Chain.Force(blocks...)
		old := blocks[:111] // the last 289 are there
		for _, b := range old {
			pruned.Chain.Lose(b.Hash)
		}
		pruned.Change = func(c *p2p.Config) { c.Pruned = true }
		fresh.AddNodes = []string{pruned.Addr()}
		pruned.Start()
		fresh.Start()
		s.Await("headers", 10*time.Second, func() bool { return fresh.Chain.BestHeader().Height == 400 })
		time.Sleep(2 * time.Minute)
		if h := fresh.Chain.Best().Height; h != 0 || fresh.P2P.Count() != 1 || len(fresh.P2P.Peers()[0].InFlight) > 0 {
			t.Fatalf("at height %d, with %d sessions", h, fresh.P2P.Count())
		}
		whole.AddNodes = []string{fresh.Addr(), pruned.Addr()}
		whole.Start()
		s.AwaitTip(time.Minute, whole, fresh, pruned)
		time.Sleep(2 * time.Minute) // longer than it takes to look for lost blocks
		whole.Stop()
		more := pruned.Chain.Mine(5, "more", 1)
		s.AwaitTip(time.Minute, pruned, fresh)
		for _, b := range old {
			if pruned.Chain.Accepted(b.Hash) > 0 {
				t.Fatal("a pruned block was fetched again")
			}
		}
		if fresh.Chain.Accepted(more[0].Hash) != 1 {
			t.Error("a pruned node does not serve its last blocks")
		}
	})
}
