package p2p_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/p2ptest"
)

// simulate runs a scenario in virtual time and stops its nodes at the end.
// A goroutine that is left behind then fails the test.
func simulate(t *testing.T, seed uint64, scenario func(t *testing.T, s *p2ptest.Sim)) {
	t.Helper()
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

// meet waits until each node has as many sessions as count says.
func meet(s *p2ptest.Sim, nodes []*p2ptest.Node, count ...int) {
	s.T.Helper()
	s.Await("sessions", time.Minute, func() bool {
		for i, n := range nodes {
			if n.P2P.Count() != count[i] {
				return false
			}
		}
		return true
	})
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
		if st := c.P2P.SyncStatus(); st != (p2p.SyncStatus{Peers: 1, BestHeight: 301}) {
			t.Errorf("sync status %+v", st)
		}
	})
}

func TestEachBlockIsFetchedOnce(t *testing.T) {
	simulate(t, 2, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		blocks := a.Chain.Mine(200, "a", 1)
		b.Chain.Force(blocks...)
		c.AddNodes = []string{a.URL(), b.URL()}
		for _, n := range []*p2ptest.Node{a, b, c} {
			n.Start()
		}
		s.AwaitTip(time.Minute, a, c)
		for _, blk := range blocks {
			if got := c.Chain.Accepted(blk.Hash); got != 1 {
				t.Fatalf("block %s was taken in %d times", blk.Hash, got)
			}
		}
		for _, p := range c.P2P.Peers() {
			if p.LastBlock.IsZero() {
				t.Errorf("%s gave no block: the work was not shared", p.Addr)
			}
		}
	})
}

func TestTransactionReachesAllOnce(t *testing.T) {
	simulate(t, 3, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 4)
		if err := nodes[3].P2P.AddNode(nodes[0].URL()); err != nil { // now a ring
			t.Fatal(err)
		}
		meet(s, nodes, 2, 2, 2, 2)
		tx := p2ptest.MakeTx(1, 2, nil)
		nodes[0].Submit(tx)
		s.Await("the transaction everywhere", 5*time.Second, func() bool {
			return !slices.ContainsFunc(nodes, func(n *p2ptest.Node) bool { return !n.Pool.Have(tx.WTxID) })
		})
		time.Sleep(time.Minute)
		for _, n := range nodes {
			if got := n.Pool.Offered(tx.WTxID); got != 1 {
				t.Errorf("%s was given the transaction %d times", n.Host, got)
			}
		}
	})
}

func TestPoolsMeetOnConnect(t *testing.T) {
	simulate(t, 4, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		parent := p2ptest.MakeTx(1, 2, nil)
		a.Submit(parent)
		a.Submit(p2ptest.MakeTx(2, 2, parent))
		b.Submit(p2ptest.MakeTx(3, 2, nil))
		b.AddNodes = []string{a.URL()}
		a.Start()
		b.Start()
		s.Await("equal pools", 10*time.Second, func() bool { return a.Pool.Len() == 3 && b.Pool.Len() == 3 })
	})
}

func TestKilledNodeCatchesUp(t *testing.T) {
	simulate(t, 5, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 3)
		a, b := nodes[0], nodes[1]
		a.Chain.Mine(20, "a", 1)
		s.AwaitTip(time.Minute, a, nodes...)
		b.Kill()
		a.Chain.Mine(5, "a", 1)
		b.Start()
		s.AwaitTip(time.Minute, a, nodes...)
	})
}

func TestPartitionHeals(t *testing.T) {
	for _, tc := range []struct {
		name         string
		left, right  int
		wantLeftWins bool
	}{
		{"two against three", 2, 3, false},
		{"one against thirty", 1, 30, false},
		{"many more than a window of headers is told", 40, 5, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			simulate(t, 6, func(t *testing.T, s *p2ptest.Sim) {
				nodes := line(s, 3)
				a, b, c := nodes[0], nodes[1], nodes[2]
				a.Chain.Mine(10, "common", 1)
				s.AwaitTip(time.Minute, a, nodes...)
				s.Net.Cut(b.Host, c.Host)
				a.Chain.Mine(tc.left, "left", 1)
				c.Chain.Mine(tc.right, "right", 1)
				s.AwaitTip(time.Minute, a, b)
				left, right := a.Chain.Best().Hash, c.Chain.Best().Hash
				s.Net.Heal(b.Host, c.Host)
				s.AwaitTip(2*time.Minute, a, nodes...)
				want := right
				if tc.wantLeftWins {
					want = left
				}
				if got := b.Chain.Best().Hash; got != want {
					t.Errorf("tip %s, want %s", got, want)
				}
			})
		})
	}
}

func TestLongReorganisation(t *testing.T) {
	simulate(t, 7, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		a.Chain.Mine(1300, "a", 1) // longer than the window
		b.Chain.Mine(1299, "b", 1)
		b.AddNodes = []string{a.URL()}
		a.Start()
		b.Start()
		s.AwaitTip(5*time.Minute, a, b)
	})
}

// Branches that need several Headers messages, each side knowing its own.
func TestLongBranchesMeet(t *testing.T) {
	simulate(t, 15, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		a.Chain.Mine(2105, "a", 1)
		b.Chain.Mine(2100, "b", 1)
		b.AddNodes = []string{a.URL()}
		a.Start()
		b.Start()
		s.AwaitTip(5*time.Minute, a, b)
		// Headers of both branches, 400 KB, and the bodies of one.
		if got := b.P2P.Info(); got.BytesSent > 500_000 || got.BytesRecv > 2_000_000 {
			t.Errorf("%d bytes sent, %d received", got.BytesSent, got.BytesRecv)
		}
	})
}

func TestSilentPeerDoesNotStopSync(t *testing.T) {
	simulate(t, 8, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		blocks := a.Chain.Mine(200, "a", 1)
		b.Chain.Force(blocks...)
		c.Chain.Delay = 20 * time.Millisecond
		c.AddNodes = []string{a.URL(), b.URL()}
		for _, n := range []*p2ptest.Node{a, b, c} {
			n.Start()
		}
		s.Await("a few blocks", time.Minute, func() bool { return c.Chain.Best().Height >= 20 })
		s.Net.Silence(a.Host, true)
		s.AwaitTip(30*time.Second, a, c)
		s.Await("the silent session is cut", 5*time.Minute, func() bool { return c.P2P.Count() == 1 })
	})
}

func TestSlowPeerLosesItsShare(t *testing.T) {
	simulate(t, 9, func(t *testing.T, s *p2ptest.Sim) {
		slow, fast, n := s.NewNode(), s.NewNode(), s.NewNode()
		blocks := slow.Chain.Mine(800, "a", 1)
		fast.Chain.Force(blocks...)
		s.Net.Slow(slow.Host, 500*time.Millisecond) // about three blocks a second
		s.Net.Slow(fast.Host, 50*time.Millisecond)
		n.AddNodes = []string{slow.URL(), fast.URL()}
		for _, n := range []*p2ptest.Node{slow, fast, n} {
			n.Start()
		}
		// The fast one alone needs 14 s for blocks and headers.
		s.AwaitTip(30*time.Second, slow, n)
		got := make(map[string]uint64)
		for _, p := range n.P2P.Peers() {
			got[p.Addr] = p.BytesRecv
		}
		if got[slow.Addr()] == 0 || got[slow.Addr()] > got[fast.Addr()]/3 {
			t.Errorf("bytes by peer %v", got)
		}
	})
}

func TestSwitchOffAndOn(t *testing.T) {
	simulate(t, 10, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 3)
		a, b, c := nodes[0], nodes[1], nodes[2]
		meet(s, nodes, 1, 2, 1)
		c.P2P.SetActive(false)
		if c.P2P.Active() {
			t.Error("still active")
		}
		meet(s, nodes, 1, 1, 0)
		if err := c.P2P.Connect(a.Addr()); err == nil {
			t.Error("dialled while switched off")
		}
		a.Chain.Mine(2, "a", 1)
		c.Chain.Mine(3, "c", 1)
		tx := p2ptest.MakeTx(1, 2, nil)
		a.Submit(tx)
		time.Sleep(time.Hour)
		if b.Chain.Best().Height != 2 || c.Chain.Best().Height != 3 || c.Pool.Len() != 0 {
			t.Error("something went through a network that is off")
		}
		c.P2P.SetActive(true)
		s.Await("prompt reconnection", 2*time.Second, func() bool { return c.P2P.Count() > 0 })
		s.AwaitTip(5*time.Second, c, nodes...)
		s.Await("the transaction at c", 5*time.Second, func() bool { return c.Pool.Have(tx.WTxID) })
	})
}

// The side that was not switched off dials again as well, even where it had
// been waiting for long.
func TestSwitchOnIsFoundByTheOtherSide(t *testing.T) {
	simulate(t, 11, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 2)
		meet(s, nodes, 1, 1)
		nodes[0].P2P.SetActive(false) // the other one dials
		meet(s, nodes, 0, 0)
		time.Sleep(10 * time.Minute)
		nodes[0].P2P.SetActive(true)
		s.Await("reconnection", 31*time.Second, func() bool { return nodes[0].P2P.Count() == 1 })
	})
}

func TestShutdownIsQuickAndTellsPeers(t *testing.T) {
	simulate(t, 12, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 4)
		meet(s, nodes, 1, 2, 2, 1)
		s.Net.Silence(nodes[2].Host, true) // even when a peer has died
		if took := nodes[1].Stop(); took > 5*time.Second {
			t.Errorf("shutdown took %s", took)
		}
		meet(s, nodes[:1], 0)
	})
}

func TestPingIsMeasured(t *testing.T) {
	simulate(t, 13, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 2)
		meet(s, nodes, 1, 1)
		time.Sleep(10 * time.Second)
		p := nodes[0].P2P.Peers()[0]
		if p.Ping < 2*s.Net.Latency || p.Ping > 4*s.Net.Latency || p.MinPing != p.Ping {
			t.Errorf("ping %s, least %s, with latency %s", p.Ping, p.MinPing, s.Net.Latency)
		}
		if p.BytesRecv == 0 || p.BytesSent == 0 || p.LastRecv.IsZero() || p.LastSend.IsZero() || p.UserAgent != "sim/10.2.0.1" {
			t.Errorf("%+v", p)
		}
	})
}

func TestSilentPeerIsCut(t *testing.T) {
	simulate(t, 14, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 2)
		meet(s, nodes, 1, 1)
		s.Net.Silence(nodes[1].Host, true)
		s.Await("cut", 4*time.Minute, func() bool { return nodes[0].P2P.Count() == 0 })
	})
}
