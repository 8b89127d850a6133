package p2p_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/p2p/p2ptest"
)

// simulate runs a scenario in virtual time and stops its nodes at the end.
// A goroutine that is left behind then fails the test.
func simulate(t *testing.T, seed uint64, scenario func(t *testing.T, s *p2ptest.Sim)) {
	synctest.Test(t, func(t *testing.T) {
		s := p2ptest.NewSim(t, seed)
		defer s.StopAll()
		scenario(t, s)
	})
}

// line returns nodes that run, each dialling the one before it.
func line(s *p2ptest.Sim, count int) []*p2ptest.Node {
	var nodes []*p2ptest.Node
	for i := range count {
		n := s.NewNode()
		if i > 0 {
			n.AddNodes = []string{nodes[i-1].URL()}
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.Start()
	}
	return nodes
}

func TestThreeNodesSync(t *testing.T) {
	simulate(t, 1, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		a.Chain.Mine(300, "a", 1)
		b.AddNodes = []string{a.URL()}
		c.AddNodes = []string{b.URL()}
		for _, n := range []*p2ptest.Node{a, b, c} {
			n.Start()
		}
		s.AwaitTip(time.Minute, a, b, c)

		// And blocks that are made later follow at once.
		a.Chain.Mine(1, "a", 1)
		s.AwaitTip(3*time.Second, a, b, c)
		st := c.P2P.SyncStatus()
		if st.BestHeight != 301 || st.Syncing || st.Peers != 1 {
			t.Errorf("sync status %+v", st)
		}
	})
}
