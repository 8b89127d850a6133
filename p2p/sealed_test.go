package p2p_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
	"github.com/charterchain/charter/p2p/transport"
)

// simulateSealed is simulate on a chain that restricts mining.
func simulateSealed(t *testing.T, seed uint64, scenario func(t *testing.T, s *p2ptest.Sim)) {
	t.Helper()
	simulate(t, seed, func(t *testing.T, s *p2ptest.Sim) {
		s.Params = p2ptest.SealedParams("sealed")
		scenario(t, s)
	})
}

// sealed makes a Headers message with proofs.
func sealed(n *p2ptest.Node, blocks ...*consensus.Block) *message.Headers {
	m := &message.Headers{}
	for _, b := range blocks {
		m.Entries = append(m.Entries, n.Chain.Entry(b))
	}
	return m
}

// Headers are fetched as blocks are judged: never more than the chain holds,
// hardly any twice, from several peers alike; blocks come in order.
func TestSealedSync(t *testing.T) {
	simulateSealed(t, 300, func(t *testing.T, s *p2ptest.Sim) {
		a, b, c := s.NewNode(), s.NewNode(), s.NewNode()
		const height = 2600 // more than are held undecided
		blocks := a.Chain.Mine(height, "a", 1)
		b.Chain.Force(blocks...)
		c.AddNodes = []string{a.URL(), b.URL()}
		most := 0
		c.Chain.OnJudged = func() { most = max(most, c.Chain.Undecided()) }
		for _, n := range []*p2ptest.Node{a, b, c} {
			n.Start()
		}
		s.AwaitTip(2*time.Minute, a, c)
		if most == 0 || most > p2ptest.MaxUndecided {
			t.Errorf("%d undecided headers at a time", most)
		}
		if early := c.Chain.Early(); early > 0 {
			t.Errorf("%d blocks came before their parents", early)
		}
		entry := a.Chain.Entry(blocks[0])
		block := 81 + len(blocks[0].Txs[0].Msg.TxOut[0].PkScript) + 100
		limit := uint64(height * (3*entry.EncodedSize() + block)) // headers of both peers, and a bit
		if got := c.P2P.Info().BytesRecv; got > limit {
			t.Errorf("%d bytes received, want at most %d", got, limit)
		}
		for _, p := range c.P2P.Peers() {
			if p.LastBlock.IsZero() {
				t.Errorf("%s gave no block", p.Addr)
			}
		}
		a.Chain.Mine(1, "a", 1) // announced with its proof
		s.AwaitTip(3*time.Second, a, b, c)
		if st := c.P2P.SyncStatus(); st.Lag != 0 || st.Ahead != 0 || st.BestHeight != height+1 || st.Syncing {
			t.Errorf("sync status %+v", st)
		}
	})
}

func TestSealedHostile(t *testing.T) {
	tests := []struct {
		name   string
		send   func(n *p2ptest.Node) message.Message
		want   message.Code
		reason string
	}{
		{"header without proof", func(n *p2ptest.Node) message.Message {
			return headersOf(branch(n.Chain.Best(), 1, 1)...)
		}, message.CodeProtocol, "no seal proof"},
		{"second header without proof", func(n *p2ptest.Node) message.Message {
			m := sealed(n, branch(n.Chain.Best(), 2, 1)...)
			m.Entries[1].Proof = nil
			return m
		}, message.CodeProtocol, "no seal proof"},
		{"proof of another block", func(n *p2ptest.Node) message.Message {
			bs := branch(n.Chain.Best(), 2, 1)
			m := sealed(n, bs...)
			m.Entries[0].Proof = m.Entries[1].Proof
			return m
		}, message.CodeInvalidData, "test-bad-proof"},
		{"sealer who may not", func(n *p2ptest.Node) message.Message {
			return sealed(n, branch(n.Chain.Best(), 1, p2ptest.BadSealerVersion)...)
		}, message.CodeInvalidData, "test-bad-sealer"},
	}
	for i, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			simulateSealed(t, uint64(310+i), func(t *testing.T, s *p2ptest.Sim) {
				n := oneNode(s)
				evil := s.DialRaw(9, n)
				evil.Tell(tc.send(n))
				var why *transport.DisconnectedError
				if err := evil.End(); !errors.As(err, &why) || why.Code != tc.want || !strings.Contains(why.Reason, tc.reason) {
					t.Errorf("ended by %v, want code %s and %q", err, tc.want, tc.reason)
				}
			})
		})
	}
}

// Undecided headers are bounded, make nobody wait, are no offence, and go
// with the peer that brought them.
func TestUndecidedFlood(t *testing.T) {
	simulateSealed(t, 320, func(t *testing.T, s *p2ptest.Sim) {
		n, honest := s.NewNode(), s.NewNode()
		n.Start()
		honest.AddNodes = []string{n.Addr()}
		honest.Start()
		honest.Chain.Mine(1, "honest", 1)
		s.AwaitTip(10*time.Second, honest, n)
		evil := s.DialRaw(9, n)
		fake := branch(n.Chain.Best(), 5000, 1)
		at := 0
		go evil.Next(func(m message.Message) bool { // no block ever comes
			if m.Type() == message.TypeGetHeaders && at < len(fake) {
				part := fake[at:min(at+message.MaxHeaders, len(fake))]
				at += len(part)
				m := sealed(n, part...)
				m.More = at < len(fake)
				evil.Tell(m)
			}
			return false
		})
		s.Await("the claim is heard", 5*time.Second, func() bool { return n.P2P.SyncStatus().Ahead >= 2000 })
		if st := n.P2P.SyncStatus(); st.Lag > 0 || st.Syncing || st.BestHeight > 2 {
			t.Errorf("undecided headers show in the sync status: %+v", st)
		}
		for range 5 {
			honest.Chain.Mine(1, "honest", 1)
			s.AwaitTip(5*time.Second, honest, n)
			time.Sleep(5 * time.Second)
		}
		if held := n.Chain.Undecided(); held == 0 || held > p2ptest.MaxUndecided {
			t.Errorf("%d undecided headers", held)
		}
		if evil.Err() != nil {
			t.Errorf("cut: %v", evil.Err())
		}
		evil.Hangup()
		s.Await("the headers go with the peer", 5*time.Second, func() bool { return n.Chain.Undecided() == 0 })
	})
}

// A second variant of a block is nobody's fault, and is not passed on until
// a block builds on it.
func TestVariants(t *testing.T) {
	simulateSealed(t, 321, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		first := n.Chain.Mine(3, "a", 1)[2]
		n.Start()
		second := p2ptest.Variant(first)
		child := p2ptest.MakeBlock(info(second, 3), "b", 1)
		other := s.DialRaw(8, n)
		var mu sync.Mutex // guards told and asked
		var told []chainhash.Hash
		asked := 0
		go other.Next(func(m message.Message) bool {
			switch m := m.(type) {
			case *message.GetHeaders:
				other.Tell(&message.Headers{})
			case *message.Headers:
				mu.Lock()
				defer mu.Unlock()
				for _, e := range m.Entries {
					told = append(told, e.Header.BlockHash())
				}
			}
			return false
		})
		raw := s.DialRaw(9, n)
		blocks := []*consensus.Block{second, child}
		go raw.Next(func(m message.Message) bool {
			if m.Type() == message.TypeGetHeaders {
				mu.Lock()
				asked++
				mu.Unlock()
				raw.Tell(sealed(n, second)) // as one does that follows it
			}
			if get, ok := m.(*message.GetData); ok {
				for _, it := range get.Items {
					raw.Tell(blockByHash(blocks)(it.Hash))
				}
			}
			return false
		})
		raw.Tell(sealed(n, second))
		time.Sleep(20 * time.Second)
		mu.Lock()
		if raw.Err() != nil || n.Chain.Best().Hash != first.Hash || len(told) > 0 || asked > 2 {
			t.Fatalf("ended by %v, tip %v, %d headers told, asked %d times", raw.Err(), n.Chain.Best().Hash, len(told), asked)
		}
		mu.Unlock()
		raw.Tell(sealed(n, second, child))
		s.Await("the branch on the second variant", 5*time.Second, func() bool { return n.Chain.Best().Hash == child.Hash })
		s.Await("it is passed on", 5*time.Second, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(told) > 0 && told[len(told)-1] == child.Hash
		})
	})
}

// Miners that stand on blocks of equal work meet on one of them, whoever
// heard of which first.
func TestEqualWorkMeets(t *testing.T) {
	for seed := range uint64(4) {
		simulateSealed(t, 330+seed, func(t *testing.T, s *p2ptest.Sim) {
			nodes := line(s, 3)
			s.Net.Cut(nodes[0].Host, nodes[1].Host)
			s.Net.Cut(nodes[0].Host, nodes[2].Host)
			nodes[0].Chain.Mine(2, "left"+string(rune('a'+seed)), 1)
			nodes[2].Chain.Mine(2, "right", 1)
			s.Net.Heal(nodes[0].Host, nodes[1].Host)
			s.Net.Heal(nodes[0].Host, nodes[2].Host)
			s.AwaitTip(2*time.Minute, nodes[0], nodes...)
		})
	}
}

// A restart is taken though it has less work, and what it leaves behind does
// not keep later blocks from being fetched.
func TestRestartHasLessWork(t *testing.T) {
	simulateSealed(t, 340, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 3)
		a, b, c := nodes[0], nodes[1], nodes[2]
		a.Chain.Mine(10, "common", 1)
		s.AwaitTip(time.Minute, a, nodes...)
		s.Net.Cut(a.Host, c.Host)
		s.Net.Cut(b.Host, c.Host)
		a.Chain.Mine(3, "old", 1)
		s.AwaitTip(time.Minute, a, b)
		c.Chain.Mine(1, "new", p2ptest.RestartVersion)
		s.Net.Heal(a.Host, c.Host)
		s.Net.Heal(b.Host, c.Host)
		s.AwaitTip(2*time.Minute, c, nodes...)
		for range 3 {
			c.Chain.Mine(1, "new", 1)
			s.AwaitTip(5*time.Second, c, nodes...)
		}
		// And once more within sessions that know of a heavier branch.
		at, _ := c.Chain.Ancestor(c.Chain.Best().Hash, 12)
		c.Chain.Force(p2ptest.MakeBlock(at, "newer", p2ptest.RestartVersion))
		s.AwaitTip(20*time.Second, c, nodes...)
	})
}

// Blocks that have arrived wait for a lower one that does not come, and do
// not keep it from being asked of another peer.
func TestSealedLowestBlockIsLate(t *testing.T) {
	simulateSealed(t, 341, func(t *testing.T, s *p2ptest.Sim) {
		n, honest := s.NewNode(), s.NewNode()
		blocks := honest.Chain.Mine(600, "a", 1)
		n.Start()
		raw := s.DialRaw(9, n)
		go serve(raw, sealed(n, blocks...), blockByHash(blocks[1:]))
		s.Await("as many blocks as may wait are here", time.Minute, func() bool {
			return len(n.P2P.Peers()) > 0 && n.P2P.Peers()[0].BytesRecv > 255*150
		})
		time.Sleep(5 * time.Second)
		if n.Chain.Early() > 0 || n.Chain.Best().Height > 0 {
			t.Fatal("blocks were judged before their parents")
		}
		honest.AddNodes = []string{n.URL()}
		honest.Start()
		s.AwaitTip(time.Minute, honest, n)
		if n.Chain.Early() > 0 {
			t.Error("blocks were judged before their parents")
		}
	})
}

// Software that is too old for the chain stays below the rule that it does not
// know: it asks for no block twice and blames nobody.
func TestTooOldForTheChain(t *testing.T) {
	simulateSealed(t, 343, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 2)
		a, b := nodes[0], nodes[1]
		b.Chain.TooOld(6)
		b.Chain.Delay = 50 * time.Millisecond // there are still some to come when the first would be asked for again
		blocks := a.Chain.Mine(400, "a", 1)
		s.Await("what it can judge", time.Minute, func() bool { return b.Chain.Best().Height == 5 })
		time.Sleep(2 * time.Minute)
		blocks = append(blocks, a.Chain.Mine(1, "a", 1)...)
		time.Sleep(2 * time.Minute)
		for _, block := range blocks {
			if n := b.Chain.Accepted(block.Hash); n != 1 {
				t.Errorf("block %v was offered to the chain %d times", block.Hash, n)
			}
		}
		if b.Chain.Best().Height != 5 || len(b.P2P.Peers()) != 1 {
			t.Errorf("height %d, %d peers", b.Chain.Best().Height, len(b.P2P.Peers()))
		}
	})
}

// A node without the proof of a seal says what it has, and no more.
func TestHeadersEndWhereProofsDo(t *testing.T) {
	simulateSealed(t, 342, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		at, _ := n.Chain.Ancestor(n.Chain.Best().Hash, 5)
		n.Chain.LoseProof(at.Hash)
		raw := s.DialRaw(9, n)
		raw.Tell(&message.GetHeaders{Locator: []chainhash.Hash{s.Params.GenesisHash}})
		m := raw.Next(func(m message.Message) bool { return m.Type() == message.TypeHeaders }).(*message.Headers)
		if len(m.Entries) != 4 || m.More {
			t.Errorf("%d headers, more: %v", len(m.Entries), m.More)
		}
		if err := raw.Send(context.Background(), &message.Ping{Nonce: 1}); err != nil {
			t.Error(err)
		}
	})
}
