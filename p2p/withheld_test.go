package p2p_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
)

// A peer that tells of a branch with much work and keeps its blocks to
// itself holds up neither the blocks nor the transactions of a peer that
// has delivered or was chosen by the operator, whoever of the two dialled.
func TestWithheldBlocksHoldNobodyUp(t *testing.T) {
	for _, who := range []string{"dials", "is pinned", "delivered"} {
		simulate(t, 230, func(t *testing.T, s *p2ptest.Sim) {
			n, honest := s.NewNode(), s.NewNode()
			switch who {
			case "dials":
				n.AddNodes = []string{honest.Addr()}
			case "is pinned":
				honest.AddNodes = []string{n.Addr()}
				n.Change = func(c *p2p.Config) {
					c.AddNodes = n.Addresses(honest.URL())
					c.Dial = func(context.Context, string) (net.Conn, error) { return nil, errors.New("no way out") }
				}
			case "delivered":
				honest.AddNodes = []string{n.Addr()}
				honest.Chain.Mine(1, "honest", 1)
			}
			n.Start()
			honest.Start()
			s.Await("a session", 10*time.Second, func() bool { return n.P2P.Count() == 1 && honest.P2P.Count() == 1 })
			s.AwaitTip(10*time.Second, honest, n)

			for i := range 5 { // newcomers all the time
				evil := s.DialRaw(9+i, n)
				claim := headersOf(branch(n.Chain.Best(), 16, 1)...)
				go evil.Next(func(m message.Message) bool {
					if get, ok := m.(*message.GetData); ok && i%2 == 1 {
						evil.Tell(&message.NotFound{Items: get.Items}, claim)
					}
					return false
				})
				evil.Tell(claim)
				s.Await("the claim is heard", 5*time.Second, func() bool { return n.P2P.SyncStatus().BestHeight >= n.Chain.Best().Height+16 })
				honest.Chain.Mine(1, "honest", 1)
				s.AwaitTip(5*time.Second, honest, n)
				tx := p2ptest.MakeTx(uint32(1+i), 2, nil)
				honest.Submit(tx)
				s.Await("a transaction", 5*time.Second, func() bool { return n.Pool.Have(tx.WTxID) })
				time.Sleep(10 * time.Second)
			}
		})
	}
}

// Before anybody has delivered anything, a peer that withholds blocks is
// preferred for a short while only.
func TestWithheldBlocksAtFirst(t *testing.T) {
	simulate(t, 231, func(t *testing.T, s *p2ptest.Sim) {
		n, honest := s.NewNode(), s.NewNode()
		honest.AddNodes = []string{n.Addr()}
		honest.Chain.Mine(10, "honest", 1)
		n.Start()
		evil := s.DialRaw(9, n)
		go evil.End()
		evil.Tell(headersOf(branch(n.Chain.Best(), 16, 1)...))
		s.Await("blocks are asked for", 5*time.Second, func() bool { return len(n.P2P.Peers()[0].InFlight) > 0 })
		honest.Start()
		s.AwaitTip(25*time.Second, honest, n)
		if n.P2P.Count() != 2 {
			t.Error("the slow peer was cut, and not only put behind")
		}
		// Its branch has the most work: it may still come.
		for _, p := range n.P2P.Peers() {
			if p.Key == p2ptest.XOnly(p2ptest.Key(9)) && p.BestHeight != 16 {
				t.Errorf("best height %d of the peer, want 16", p.BestHeight)
			}
		}
	})
}
