package p2p_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
	"github.com/charterchain/charter/p2p/transport"
)

// signed makes an entry of Presence.
func signed(s *p2ptest.Sim, key *btcec.PrivateKey, number uint64, height uint32) message.PresenceEntry {
	e := message.PresenceEntry{Key: p2ptest.XOnly(key), Number: number, Height: height}
	digest := e.Digest(s.Params.GenesisHash)
	sig, err := schnorr.Sign(key, digest[:])
	if err != nil {
		s.T.Fatal(err)
	}
	copy(e.Signature[:], sig.Serialize())
	return e
}

func tell(r *p2ptest.Raw, e message.PresenceEntry) {
	r.Tell(&message.Presence{Entries: []message.PresenceEntry{e}})
}

// heard is what a peer was told about a key, in order.
type heard struct {
	mu      sync.Mutex
	numbers []uint64
}

func (h *heard) list() []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.numbers)
}

// hear collects what a peer is told about a key.
func hear(r *p2ptest.Raw, key [32]byte) *heard {
	h := &heard{}
	go r.Next(func(m message.Message) bool {
		switch m := m.(type) {
		case *message.GetHeaders:
			r.Tell(&message.Headers{})
		case *message.Presence:
			for _, e := range m.Entries {
				if e.Key == key {
					h.mu.Lock()
					h.numbers = append(h.numbers, e.Number)
					h.mu.Unlock()
				}
			}
		}
		return false
	})
	return h
}

// Nodes know of each other through others, and notice when one is gone or
// may not connect any more.
func TestPresence(t *testing.T) {
	simulateSealed(t, 420, func(t *testing.T, s *p2ptest.Sim) {
		var nodes []*p2ptest.Node
		for i := range 4 { // in a line: Connect dials nobody else
			n := s.NewNode()
			n.Connect = []string{"10.99.0.1:1"}
			if i > 0 {
				n.Connect = []string{nodes[i-1].URL()}
			}
			nodes = append(nodes, n)
		}
		r := newRights(nodes...)
		for _, n := range nodes {
			n.Start()
		}
		const within = 30 * time.Second // three times the spacing
		has := func(n *p2ptest.Node, others ...*p2ptest.Node) bool {
			present := n.P2P.Present(within)
			for _, o := range others {
				if !slices.Contains(present, o.XOnly()) {
					return false
				}
			}
			return len(present) == len(others)
		}
		s.Await("all know of all", 30*time.Second, func() bool {
			return has(nodes[0], nodes[1:]...) && has(nodes[3], nodes[:3]...)
		})
		time.Sleep(10 * time.Minute)
		if !has(nodes[0], nodes[1:]...) || nodes[0].P2P.Count() != 1 {
			t.Errorf("after a while %d are present, with %d sessions", len(nodes[0].P2P.Present(within)), nodes[0].P2P.Count())
		}
		nodes[3].Stop()
		s.Await("the last one is missed", within+10*time.Second, func() bool { return has(nodes[0], nodes[1], nodes[2]) })
		r.set(nodes[2].XOnly(), false, nodes[:3]...)
		if !has(nodes[0], nodes[1]) {
			t.Error("who may not connect is present")
		}
	})
}

// What a hostile peer does with presences.
func TestPresenceHostile(t *testing.T) {
	setup := func(s *p2ptest.Sim) (n *p2ptest.Node, evil *p2ptest.Raw, told *heard) {
		n = s.NewNode()
		n.Chain.Mine(10, "a", 1)
		r := newRights(n)
		r.barred[p2ptest.XOnly(p2ptest.Key(31))] = true
		n.Start()
		evil = s.DialRaw(9, n)
		told = hear(s.DialRaw(10, n), p2ptest.XOnly(p2ptest.Key(30)))
		hear(evil, [32]byte{})
		return n, evil, told
	}
	present := func(n *p2ptest.Node, i int, within time.Duration) bool {
		return slices.Contains(n.P2P.Present(within), p2ptest.XOnly(p2ptest.Key(i)))
	}
	t.Run("forged", func(t *testing.T) {
		simulateSealed(t, 421, func(t *testing.T, s *p2ptest.Sim) {
			n, evil, _ := setup(s)
			e := signed(s, p2ptest.Key(30), 1, 10)
			e.Number++
			tell(evil, e)
			<-evil.Done()
			var why *transport.DisconnectedError
			if err := evil.Err(); !errors.As(err, &why) || why.Code != message.CodeProtocol || !strings.Contains(why.Reason, "not signed") {
				t.Errorf("ended by %v", err)
			}
			if present(n, 30, time.Hour) {
				t.Error("it counts as present")
			}
		})
	})
	t.Run("replayed", func(t *testing.T) {
		simulateSealed(t, 422, func(t *testing.T, s *p2ptest.Sim) {
			n, evil, told := setup(s)
			e := signed(s, p2ptest.Key(30), 5, 10)
			tell(evil, e)
			s.Await("present", time.Second, func() bool { return present(n, 30, 10*time.Second) })
			for range 10 {
				time.Sleep(8 * time.Second)
				tell(evil, e)
				tell(evil, signed(s, p2ptest.Key(30), 4, 10))
			}
			time.Sleep(time.Second)
			if present(n, 30, 20*time.Second) {
				t.Error("an old presence counts as a new one")
			}
			if len(told.list()) != 1 || evil.Err() != nil {
				t.Errorf("passed on %v; the peer was cut: %v", told.list(), evil.Err())
			}
		})
	})
	t.Run("too often", func(t *testing.T) {
		simulateSealed(t, 423, func(t *testing.T, s *p2ptest.Sim) {
			_, evil, told := setup(s)
			for i := range uint64(100) { // in 20 s, twice the spacing
				tell(evil, signed(s, p2ptest.Key(30), i+1, 10))
				time.Sleep(200 * time.Millisecond)
			}
			if got := len(told.list()); got < 2 || got > 3 {
				t.Errorf("%d presences of a node were passed on in 20 s", got)
			}
		})
	})
	t.Run("flood", func(t *testing.T) {
		simulateSealed(t, 424, func(t *testing.T, s *p2ptest.Sim) {
			_, evil, _ := setup(s)
			e := signed(s, p2ptest.Key(30), 1, 10)
			for range 1000 {
				tell(evil, e)
			}
			<-evil.Done()
			var why *transport.DisconnectedError
			if err := evil.Err(); !errors.As(err, &why) || why.Code != message.CodeProtocol {
				t.Errorf("ended by %v", err)
			}
		})
	})
	t.Run("stale, and of a stranger", func(t *testing.T) {
		simulateSealed(t, 425, func(t *testing.T, s *p2ptest.Sim) {
			n, evil, told := setup(s)
			n.Chain.Mine(20, "more", 1) // now at 30
			tell(evil, signed(s, p2ptest.Key(30), 1, 13))
			tell(evil, signed(s, p2ptest.Key(31), 1, 30))
			time.Sleep(time.Second)
			if present(n, 30, time.Minute) || present(n, 31, time.Minute) || len(told.list()) > 0 || evil.Err() != nil {
				t.Errorf("taken, passed on %v, or blamed: %v", told.list(), evil.Err())
			}
			tell(evil, signed(s, p2ptest.Key(30), 1, 14))
			s.Await("the oldest that counts", time.Second, func() bool { return present(n, 30, time.Minute) })
		})
	})
}

// A node whose clock was set back goes on above what it said before.
func TestPresenceNumbersGoUp(t *testing.T) {
	simulateSealed(t, 426, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		raw := s.DialRaw(9, n)
		told := hear(raw, n.XOnly())
		s.Await("a presence", 11*time.Second, func() bool { return len(told.list()) > 0 })
		const later = 1 << 60
		tell(raw, signed(s, n.Key, later, 10))
		s.Await("a higher one", 21*time.Second, func() bool { return slices.Max(told.list()) > later })
	})
}

// On a chain without seals nobody says anything.
func TestNoPresenceWithoutSeals(t *testing.T) {
	simulate(t, 427, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		raw := s.DialRaw(9, n)
		if raw.PeerHello().Features.Has(message.FeaturePresence) {
			t.Error("the feature is announced")
		}
		s.Await("session", time.Second, func() bool { return n.P2P.Count() == 1 })
		if got := n.P2P.Present(time.Hour); len(got) != 1 || got[0] != p2ptest.XOnly(p2ptest.Key(9)) {
			t.Errorf("present: %x", got)
		}
	})
}
