package p2p_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
	"github.com/charterchain/charter/p2p/transport"
)

func TestBothDialAtOnce(t *testing.T) {
	for seed := range uint64(5) {
		simulate(t, 200+seed, func(t *testing.T, s *p2ptest.Sim) {
			a, b := s.NewNode(), s.NewNode()
			a.AddNodes, b.AddNodes = []string{b.URL()}, []string{a.Addr()}
			a.Start()
			b.Start()
			s.Await("one session, as the same at both ends", time.Minute, func() bool {
				pa, pb := a.P2P.Peers(), b.P2P.Peers()
				return len(pa) == 1 && len(pb) == 1 && pa[0].Inbound != pb[0].Inbound
			})
			id := a.P2P.Peers()[0].ID
			time.Sleep(10 * time.Minute)
			if pa := a.P2P.Peers(); len(pa) != 1 || pa[0].ID != id || b.P2P.Count() != 1 {
				t.Errorf("the session did not stay: %+v", pa)
			}
		})
	}
}

// Of two sessions begun at the same moment from both ends, the one that the
// lower key dialled stays.
func TestLowerKeyDials(t *testing.T) {
	simulate(t, 205, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		a.AddNodes, b.AddNodes = []string{b.URL()}, []string{a.URL()}
		s.Net.Latency = time.Second // neither can know of the other's attempt
		a.Start()
		b.Start()
		time.Sleep(time.Minute)
		ka, kb := a.XOnly(), b.XOnly()
		lowerDialled := string(ka[:]) < string(kb[:]) != a.P2P.Peers()[0].Inbound
		if a.P2P.Count() != 1 || b.P2P.Count() != 1 || !lowerDialled {
			t.Errorf("a: %+v", a.P2P.Peers())
		}
	})
}

// A node that died without a word and comes back is taken, though its old
// session has not been found dead yet.
func TestNewSessionReplacesDeadOne(t *testing.T) {
	simulate(t, 206, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		first := s.DialRaw(9, n)
		s.Await("session", time.Second, func() bool { return n.P2P.Count() == 1 })
		id := n.P2P.Peers()[0].ID
		second := s.DialRaw(9, n)
		s.Await("replaced", time.Second, func() bool {
			peers := n.P2P.Peers()
			return len(peers) == 1 && peers[0].ID != id
		})
		var why *transport.DisconnectedError
		if err := first.End(); !errors.As(err, &why) || why.Code != message.CodeDuplicate {
			t.Errorf("first ended by %v", err)
		}
		if second.Err() != nil {
			t.Errorf("second ended by %v", second.Err())
		}
	})
}

func TestSelfIsRefused(t *testing.T) {
	simulate(t, 207, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		// The first without identity, so it cannot know; the others as a list
		// of seeds may have them.
		n.AddNodes = []string{n.Addr(), n.URL(), n.Addr()}
		n.Start()
		if err := n.P2P.AddNode(n.URL()); err == nil {
			t.Error("own identity was added")
		}
		if err := n.P2P.Connect(n.URL()); err == nil {
			t.Error("own identity was dialled")
		}
		time.Sleep(10 * time.Minute)
		if n.P2P.Count() != 0 {
			t.Errorf("session with itself: %+v", n.P2P.Peers())
		}
	})
}

func TestOtherChainIsRefused(t *testing.T) {
	simulate(t, 208, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		b.Params = p2ptest.Params("other")
		rules := *s.Params
		rules.RulesHash[0] ^= 1
		c.Params = &rules
		b.AddNodes, c.AddNodes = []string{a.URL()}, []string{a.URL()}
		for _, n := range []*p2ptest.Node{a, b, c} {
			n.Start()
		}
		time.Sleep(time.Minute)
		if got := a.P2P.Count() + b.P2P.Count() + c.P2P.Count(); got != 0 {
			t.Errorf("%d sessions", got)
		}
	})
}

func TestWrongIdentityIsRefused(t *testing.T) {
	simulate(t, 209, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		a.Start()
		b.AddNodes = []string{p2p.FormatIdentity(c.XOnly(), s.Params) + "@" + a.Addr()}
		b.Start()
		time.Sleep(time.Minute)
		if b.P2P.Count() != 0 {
			t.Error("connected to another identity than the pinned one")
		}
	})
}

func TestMayConnectDecides(t *testing.T) {
	simulate(t, 210, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		a.Change = func(cfg *p2p.Config) {
			cfg.MayConnect = func(key [32]byte) error {
				if key != b.XOnly() {
					return errors.New("not a member")
				}
				return nil
			}
		}
		b.AddNodes, c.AddNodes = []string{a.Addr()}, []string{a.Addr()}
		for _, n := range []*p2ptest.Node{a, b, c} {
			n.Start()
		}
		time.Sleep(10 * time.Second)
		if peers := a.P2P.Peers(); len(peers) != 1 || peers[0].Key != b.XOnly() {
			t.Errorf("%+v", peers)
		}
	})
}

func TestUnreachablePeerIsDialledLessAndLess(t *testing.T) {
	simulate(t, 211, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		n.Connect = []string{"10.200.0.1:1"}
		n.Start()
		time.Sleep(time.Hour)
		// One in 30 s, more at first, half the wait left out at most.
		if got := s.Net.Dials(); got < 120 || got > 250 {
			t.Errorf("%d attempts in an hour", got)
		}
	})
}

func TestConnectOnlyDialsNobodyElse(t *testing.T) {
	simulate(t, 212, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 3)
		d := s.NewNode()
		d.Connect = []string{nodes[2].URL()}
		d.Start()
		time.Sleep(10 * time.Minute)
		for _, p := range d.P2P.Peers() {
			if !p.Inbound && p.Addr != nodes[2].Addr() {
				t.Errorf("dialled %s", p.Addr)
			}
		}
	})
}

func TestAddressesSpread(t *testing.T) {
	simulate(t, 213, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 5)
		s.Await("everybody knows everybody", 10*time.Minute, func() bool {
			for _, n := range nodes {
				if n.P2P.Count() != len(nodes)-1 {
					return false
				}
			}
			return true
		})
	})
}

func TestOperatorsMethods(t *testing.T) {
	simulate(t, 214, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		a.Change = func(cfg *p2p.Config) { cfg.MaxOutbound = 1 }
		a.Start()
		b.Start()
		is := func(err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
		}
		is(a.P2P.AddNode(b.URL()), nil)
		is(a.P2P.AddNode(b.Addr()), p2p.ErrNodeAdded)
		meet(s, []*p2ptest.Node{a, b}, 1, 1)
		nodes := a.P2P.Nodes()
		if len(nodes) != 1 || nodes[0] != (p2p.NodeInfo{Node: b.URL(), Connected: true, Addr: b.Addr()}) {
			t.Errorf("nodes %+v", nodes)
		}
		if got := a.P2P.Info(); got.Outbound != 1 || got.Inbound != 0 || got.Key != a.XOnly() || !got.Active || got.BytesSent == 0 {
			t.Errorf("info %+v", got)
		}
		is(a.P2P.Disconnect("1.2.3.4:5"), p2p.ErrNotConnected)
		is(a.P2P.DisconnectID(99), p2p.ErrNotConnected)
		is(a.P2P.Disconnect(b.Addr()), nil)
		meet(s, []*p2ptest.Node{a, b}, 0, 0)
		meet(s, []*p2ptest.Node{a, b}, 1, 1) // it is pinned
		is(a.P2P.RemoveNode(b.Addr()), nil)
		is(a.P2P.RemoveNode(b.Addr()), p2p.ErrNodeUnknown)
		if a.P2P.Count() != 1 {
			t.Error("removing a pin ended the session")
		}
		is(b.P2P.DisconnectID(b.P2P.Peers()[0].ID), nil)
		meet(s, []*p2ptest.Node{a, b}, 0, 0)
		is(a.P2P.Connect(b.Addr()), nil)
		meet(s, []*p2ptest.Node{a, b}, 1, 1)
		if err := a.P2P.AddNode("no port here:"); err == nil {
			t.Error("malformed address was added")
		}
		for i := range 100 {
			if err := a.P2P.AddNode(fmt.Sprintf("10.99.0.%d:1", i+1)); err != nil {
				is(err, p2p.ErrTooManyNodes)
				return
			}
		}
		t.Error("no bound on pinned nodes")
	})
}

func TestInboundSlots(t *testing.T) {
	simulate(t, 215, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		n.Change = func(cfg *p2p.Config) { cfg.MaxInbound = 2 }
		pinned := s.NewNode()
		n.AddNodes = []string{p2p.FormatIdentity(pinned.XOnly(), s.Params) + "@10.77.0.1:1"} // cannot be dialled
		n.Start()
		s.DialRaw(10, n)
		s.DialRaw(11, n)
		third := s.DialRaw(12, n)
		var why *transport.DisconnectedError
		if err := third.End(); !errors.As(err, &why) || why.Code != message.CodeFull {
			t.Errorf("third ended by %v", err)
		}
		pinned.AddNodes = []string{n.URL()}
		pinned.Start() // has a slot of its own
		s.Await("pinned peer", 10*time.Second, func() bool { return n.P2P.Count() == 3 })
	})
}

func TestHalfOpenLinksAreBounded(t *testing.T) {
	simulate(t, 216, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		var open []net.Conn
		for range 10 { // all from one network
			nc, err := s.Net.Dial(t.Context(), p2ptest.Host(20), n.Addr())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, nc)
		}
		time.Sleep(time.Second)
		alive := 0
		for _, nc := range open {
			nc.SetReadDeadline(time.Now().Add(time.Millisecond))
			var timeout net.Error
			if _, err := nc.Read(make([]byte, 1)); errors.As(err, &timeout) && timeout.Timeout() {
				alive++
			}
		}
		if alive != 4 {
			t.Errorf("%d half-open links from one network, want 4", alive)
		}
		s.DialRaw(21, n) // others still get in
		for _, nc := range open {
			nc.Close()
		}
	})
}

func TestParentsOfOrphansAreFetched(t *testing.T) {
	simulate(t, 217, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		parent := p2ptest.MakeTx(1, 2, nil)
		child := p2ptest.MakeTx(2, 2, parent)
		raw := s.DialRaw(9, n)
		raw.Tell(&message.Inv{Items: []message.InvItem{{Kind: message.InvWTx, Hash: child.WTxID}}})
		go raw.Next(func(m message.Message) bool {
			get, ok := m.(*message.GetData)
			if !ok {
				return false
			}
			switch get.Items[0] {
			case message.InvItem{Kind: message.InvWTx, Hash: child.WTxID}:
				raw.Tell(&message.Tx{Tx: child.Msg})
			case message.InvItem{Kind: message.InvTx, Hash: parent.TxID}:
				raw.Tell(&message.Tx{Tx: parent.Msg})
			}
			return false
		})
		s.Await("parent and child", 5*time.Second, func() bool { return n.Pool.Len() == 2 })
	})
}

// What waits for its parents is counted to the peer that sent it, and does
// not outlive the session, even if it was judged after the session's end.
func TestOrphansGoWithTheirPeer(t *testing.T) {
	simulate(t, 219, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		orphan := func(i uint32) *consensus.Tx {
			return p2ptest.MakeTx(i, 2, p2ptest.MakeTx(i+100, 2, nil))
		}
		first, second := s.DialRaw(9, n), s.DialRaw(10, n)
		firstKey, secondKey := p2ptest.XOnly(p2ptest.Key(9)), p2ptest.XOnly(p2ptest.Key(10))
		first.Tell(&message.Tx{Tx: orphan(1).Msg}, &message.Tx{Tx: orphan(2).Msg})
		second.Tell(&message.Tx{Tx: orphan(3).Msg})
		s.Await("orphans", 5*time.Second, func() bool {
			return n.Pool.Orphans(firstKey) == 2 && n.Pool.Orphans(secondKey) == 1
		})
		first.Hangup()
		s.Await("those of the peer that left are gone", 5*time.Second, func() bool { return n.Pool.Orphans(firstKey) == 0 })
		if got := n.Pool.Orphans(secondKey); got != 1 {
			t.Errorf("%d orphans of the peer that stayed, want 1", got)
		}

		resume := n.Pool.Hold() // the pool is slow to judge
		second.Tell(&message.Tx{Tx: orphan(4).Msg})
		s.Await("a judgement under way", 5*time.Second, func() bool { return n.Pool.Offered(orphan(4).WTxID) == 1 })
		second.Hangup()
		s.Await("the end of the session", 5*time.Second, func() bool { return n.P2P.Count() == 0 })
		resume()
		synctest.Wait()
		if got := n.Pool.Orphans(secondKey); got != 0 {
			t.Errorf("%d orphans of a peer that had left, want none", got)
		}
	})
}

// A transaction that its announcer does not deliver is asked of another.
func TestSilentAnnouncer(t *testing.T) {
	simulate(t, 218, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		tx := p2ptest.MakeTx(1, 2, nil)
		inv := &message.Inv{Items: []message.InvItem{{Kind: message.InvWTx, Hash: tx.WTxID}}}
		silent, helpful := s.DialRaw(9, n), s.DialRaw(10, n)
		silent.Tell(inv)
		go silent.End()
		time.Sleep(100 * time.Millisecond)
		helpful.Tell(inv)
		go helpful.Next(func(m message.Message) bool {
			if m.Type() == message.TypeGetData {
				helpful.Tell(&message.Tx{Tx: tx.Msg})
			}
			return false
		})
		s.Await("the transaction", 10*time.Second, func() bool { return n.Pool.Have(tx.WTxID) })
	})
}

// Transactions that come so late that others were asked are no flood.
func TestLateTransactionsAreNoOffence(t *testing.T) {
	simulate(t, 220, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		raw := s.DialRaw(9, n)
		var txs []message.Message
		inv := &message.Inv{}
		for i := range uint32(90) {
			tx := p2ptest.MakeTx(i, 2, nil)
			txs = append(txs, &message.Tx{Tx: tx.Msg})
			inv.Items = append(inv.Items, message.InvItem{Kind: message.InvWTx, Hash: tx.WTxID})
		}
		raw.Tell(inv)
		go raw.End()
		time.Sleep(time.Minute)
		raw.Tell(txs...)
		s.Await("all transactions", 5*time.Second, func() bool { return n.Pool.Len() == len(txs) })
		if raw.Err() != nil {
			t.Errorf("ended by %v", raw.Err())
		}
		raw.Tell(txs...) // again: that is one
		s.Await("cut", 5*time.Second, func() bool { return n.P2P.Count() == 0 })
	})
}

func TestServing(t *testing.T) {
	simulate(t, 219, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		parent := p2ptest.MakeTx(1, 2, nil)
		n.Submit(parent)
		best := n.Chain.Best()
		raw := s.DialRaw(9, n)
		unknown := chainhash.HashH([]byte("unknown"))
		raw.Tell(&message.GetHeaders{Locator: []chainhash.Hash{unknown, s.Params.GenesisHash}, Stop: best.Prev},
			&message.GetData{Items: []message.InvItem{
				{Kind: message.InvBlock, Hash: best.Hash},
				{Kind: message.InvWTx, Hash: parent.WTxID},
				{Kind: message.InvTx, Hash: parent.TxID},
				{Kind: message.InvBlock, Hash: unknown},
				{Kind: message.InvWTx, Hash: unknown},
			}})
		var headers, txs, blocks int
		missing := raw.Next(func(m message.Message) bool {
			switch m := m.(type) {
			case *message.Headers:
				headers += len(m.Entries)
			case *message.Block:
				blocks++
				if chainhash.DoubleHashH(m.Raw[:80]) != best.Hash {
					t.Error("another block")
				}
			case *message.Tx:
				txs++
			}
			return m.Type() == message.TypeNotFound
		}).(*message.NotFound)
		if headers != 9 || blocks != 1 || txs != 2 || len(missing.Items) != 2 {
			t.Errorf("%d headers, %d blocks, %d transactions, not found %v", headers, blocks, txs, missing.Items)
		}
	})
}
