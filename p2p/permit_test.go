package p2p_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
	"github.com/charterchain/charter/p2p/transport"
)

// rights is who may connect, the same for all nodes of a simulation. Every
// node's log, from Info on, is kept.
type rights struct {
	mu     sync.Mutex
	barred map[[32]byte]bool
	only   map[[32]byte]bool // nil: all that are not barred
	logs   map[*p2ptest.Node]*bytes.Buffer
}

func newRights(nodes ...*p2ptest.Node) *rights {
	r := &rights{barred: make(map[[32]byte]bool), logs: make(map[*p2ptest.Node]*bytes.Buffer)}
	for _, n := range nodes {
		r.logs[n] = &bytes.Buffer{}
		n.Change = func(c *p2p.Config) {
			c.MayConnect = r.may
			c.Log = slog.New(slog.NewTextHandler(lockedWriter{&r.mu, r.logs[n]}, nil))
		}
	}
	return r
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (r *rights) may(key [32]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.barred[key] || r.only != nil && !r.only[key] {
		return errors.New("not a member")
	}
	return nil
}

// set changes an identity's permission, as a block would for all nodes.
func (r *rights) set(key [32]byte, may bool, nodes ...*p2ptest.Node) {
	r.mu.Lock()
	r.barred[key] = !may
	r.mu.Unlock()
	for _, n := range nodes {
		n.P2P.Recheck()
	}
}

// lines counts the lines of a node's log that hold all of the texts.
func (r *rights) lines(n *p2ptest.Node, texts ...string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := 0
	for line := range strings.Lines(r.logs[n].String()) {
		all := true
		for _, s := range texts {
			all = all && strings.Contains(line, s)
		}
		if all {
			count++
		}
	}
	return count
}

// Revocation ends the sessions at once, both sides say why, once, and the
// peer comes back when it may again.
func TestRevocation(t *testing.T) {
	simulateSealed(t, 400, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		all := []*p2ptest.Node{a, b, c}
		r := newRights(all...)
		b.AddNodes = []string{a.URL()}
		c.AddNodes = []string{a.URL(), b.URL()}
		a.AddNodes = []string{c.URL()} // a pin is no way round it
		for _, n := range all {
			n.Start()
		}
		meet(s, all, 2, 2, 2)
		r.set(c.XOnly(), false, all...)
		began := time.Now()
		meet(s, all, 1, 1, 0)
		if took := time.Since(began); took > time.Second {
			t.Errorf("the sessions ended after %s", took)
		}
		time.Sleep(20 * time.Minute)
		meet(s, all, 1, 1, 0)
		id := p2p.FormatIdentity(c.XOnly(), s.Params)
		for _, n := range []*p2ptest.Node{a, b} {
			if got := r.lines(n, "INFO", "session ended by this node", "revoked", id); got != 1 {
				t.Errorf("%s says %d times that it ended the session", n.Host, got)
			}
			if got := r.lines(n, "INFO", "peer refused", "not-permitted", id); got > 1 {
				t.Errorf("%s says %d times that it refuses the peer", n.Host, got)
			}
		}
		if got := r.lines(c, "INFO", "session ended by peer", "revoked", "ask an administrator", id); got != 2 {
			t.Errorf("c says %d times that its session was ended", got)
		}
		if got := r.lines(c, "INFO", "refused by peer", "not permitted to connect: ask an administrator of the chain to grant connect to "+id); got != 2 {
			t.Errorf("c says %d times that it is refused", got)
		}
		for _, n := range c.P2P.Nodes() {
			if !strings.Contains(n.Problem, "grant connect to "+id) {
				t.Errorf("pinned peer %s: problem %q", n.Node, n.Problem)
			}
		}
		r.set(c.XOnly(), true, all...)
		s.Await("c is back", 2*time.Minute, func() bool { return a.P2P.Count() == 2 && b.P2P.Count() == 2 })
		if n := c.P2P.Nodes()[0]; n.Problem != "" {
			t.Errorf("problem %q with a session", n.Problem)
		}
	})
}

// A pin answers for the peer where this node dials; nowhere else.
func TestPinReplacesPermission(t *testing.T) {
	simulateSealed(t, 401, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		r := newRights(a)
		r.barred[b.XOnly()] = true
		b.Start()
		a.AddNodes = []string{b.URL()}
		a.Start()
		meet(s, []*p2ptest.Node{a, b}, 1, 1)
		a.P2P.Recheck() // it never had the permission, so it did not lose it
		time.Sleep(time.Minute)
		meet(s, []*p2ptest.Node{a, b}, 1, 1)
		a.Stop()
		b.AddNodes, a.AddNodes = nil, []string{b.Addr()} // nobody is expected there
		a.Start()
		time.Sleep(time.Minute)
		meet(s, []*p2ptest.Node{a, b}, 0, 0)
		a.Stop()
		a.Change = func(c *p2p.Config) { // expected, but it is b that dials
			c.MayConnect = r.may
			c.AddNodes = a.Addresses(p2p.FormatIdentity(b.XOnly(), s.Params) + "@10.99.0.1:1")
		}
		a.Start()
		if err := b.P2P.AddNode(a.URL()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		meet(s, []*p2ptest.Node{a, b}, 0, 0)
	})
}

// A node that is catching up dials those it knows and takes nobody else.
func TestCatchingUp(t *testing.T) {
	simulateSealed(t, 402, func(t *testing.T, s *p2ptest.Sim) {
		behind, known, other, unknown := s.NewNode(), s.NewNode(), s.NewNode(), s.NewNode()
		r := newRights(other)
		isBehind := true
		r.barred[known.XOnly()] = true // says the old state
		behind.Change = func(c *p2p.Config) {
			c.MayConnect = r.may
			c.Behind = func() bool { r.mu.Lock(); defer r.mu.Unlock(); return isBehind }
		}
		behind.AddNodes = []string{known.URL(), unknown.Addr()}
		other.AddNodes = []string{behind.Addr()}
		for _, n := range []*p2ptest.Node{behind, known, other, unknown} {
			n.Start()
		}
		time.Sleep(time.Minute)
		if peers := behind.P2P.Peers(); len(peers) != 1 || peers[0].Key != known.XOnly() {
			t.Errorf("sessions of a node that is behind: %+v", peers)
		}
		if r.lines(other, "INFO", "refused by peer", "not-serving") != 1 {
			t.Error("the other node does not say why it is refused")
		}
		r.mu.Lock()
		isBehind = false
		r.mu.Unlock()
		s.Await("everybody gets in", 2*time.Minute, func() bool { return behind.P2P.Count() == 3 })
	})
}

// The claims of a stranger do not make a node keep to itself; those of a
// peer that it chose do.
func TestWhoseClaimsCount(t *testing.T) {
	simulateSealed(t, 403, func(t *testing.T, s *p2ptest.Sim) {
		n, ahead := s.NewNode(), s.NewNode()
		n.Start()
		evil := s.DialRaw(9, n)
		claim := branch(n.Chain.Best(), 500, 1)
		go serve(evil, sealed(n, claim...), func(chainhash.Hash) message.Message { return nil })
		s.Await("the claim is heard", 5*time.Second, func() bool { return n.P2P.SyncStatus().Ahead == 500 })
		s.DialRaw(10, n)
		evil.Hangup()
		s.Await("one session", 5*time.Second, func() bool { return n.P2P.Count() == 1 })

		ahead.Chain.Mine(300, "a", 1)
		n.Chain.Delay = 20 * time.Millisecond
		ahead.Start()
		if err := n.P2P.AddNode(ahead.URL()); err != nil {
			t.Fatal(err)
		}
		s.Await("it syncs", 10*time.Second, func() bool { return n.Chain.Best().Height > 20 })
		var why *transport.RefusedError
		if _, err := s.TryDialRaw(11, n); !errors.As(err, &why) || why.Code != message.CodeNotServing {
			t.Errorf("a node that is catching up answered %v", err)
		}
		s.AwaitTip(2*time.Minute, ahead, n)
		s.DialRaw(11, n)
	})
}

// Strangers cannot fill the log.
func TestStrangersInTheLog(t *testing.T) {
	simulateSealed(t, 404, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		r := newRights(n)
		r.only = map[[32]byte]bool{}
		n.Start()
		for i := range 60 {
			var why *transport.RefusedError
			if _, err := s.TryDialRaw(20+i, n); !errors.As(err, &why) || why.Code != message.CodeNotPermitted {
				t.Fatalf("stranger %d: %v", i, err)
			}
		}
		if got := r.lines(n, "peer refused"); got == 0 || got > 25 {
			t.Errorf("%d lines about 60 strangers", got)
		}
	})
}

// A node that joins gets the chain file before anybody asks whether it may
// connect, and then hears what to do.
func TestJoin(t *testing.T) {
	simulateSealed(t, 405, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		r := newRights(n)
		r.only = map[[32]byte]bool{}
		change := n.Change
		n.Change = func(c *p2p.Config) {
			change(c)
			c.ChainFile = func() ([]byte, error) { return []byte("format = 1\n"), nil }
			c.Behind = func() bool { return true } // whatever state it is in
		}
		n.Start()
		nc, err := s.Net.Dial(context.Background(), p2ptest.Host(9), n.Addr())
		if err != nil {
			t.Fatal(err)
		}
		file, err := transport.FetchChainFile(context.Background(), nc, transport.FetchConfig{
			GenesisHash: s.Params.GenesisHash, PeerKey: n.XOnly(), Now: time.Now, Rand: p2ptest.NewEntropy(1),
		})
		if err != nil || string(file) != "format = 1\n" {
			t.Fatalf("chain file %q, %v", file, err)
		}
		n.Stop()
		n.Change = change
		n.Start()
		_, err = s.TryDialRaw(9, n)
		id := p2p.FormatIdentity(p2ptest.XOnly(p2ptest.Key(9)), s.Params)
		if err == nil || !strings.Contains(err.Error(), "ask an administrator of the chain to grant connect to "+id) {
			t.Errorf("joining node is told %v", err)
		}
	})
}

func TestManySeeds(t *testing.T) {
	simulate(t, 406, func(t *testing.T, s *p2ptest.Sim) {
		a, b := s.NewNode(), s.NewNode()
		var seeds []string
		for i := range 100 {
			seeds = append(seeds, fmt.Sprintf("10.99.0.%d:1", i+1))
		}
		a.AddNodes = []string{b.URL()}
		a.Change = func(c *p2p.Config) { c.Seeds = a.Addresses(seeds...) }
		a.Start()
		b.Start()
		meet(s, []*p2ptest.Node{a, b}, 1, 1)
		if got := len(a.P2P.Nodes()); got != 64 {
			t.Errorf("%d pinned peers, want 64", got)
		}
	})
}

// An address that leads to the node itself is not dialled for ever.
func TestSelfIsDialledOnce(t *testing.T) {
	simulate(t, 407, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		n.AddNodes = []string{n.Addr()}
		n.Start()
		time.Sleep(time.Hour)
		if got := s.Net.Dials(); got > 3 {
			t.Errorf("dialled itself %d times", got)
		}
		if nodes := n.P2P.Nodes(); len(nodes) != 1 || nodes[0].Problem == "" {
			t.Errorf("%+v", nodes)
		}
		if err := n.P2P.RemoveNode(n.Addr()); err != nil {
			t.Error(err)
		}
	})
}
