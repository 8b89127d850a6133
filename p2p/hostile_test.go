package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
	"github.com/charterchain/charter/p2p/transport"
)

// oneNode returns a node that runs, with ten blocks.
func oneNode(s *p2ptest.Sim) *p2ptest.Node {
	n := s.NewNode()
	n.Chain.Mine(10, "a", 1)
	n.Start()
	return n
}

func headersOf(blocks ...*consensus.Block) *message.Headers {
	m := &message.Headers{}
	for _, b := range blocks {
		m.Entries = append(m.Entries, message.HeaderEntry{Header: b.Header})
	}
	return m
}

// branch makes blocks on prev, the last one with the given version.
func branch(prev p2p.BlockInfo, count int, lastVersion int32) []*consensus.Block {
	var out []*consensus.Block
	for i := range count {
		version := int32(1)
		if i == count-1 {
			version = lastVersion
		}
		b := p2ptest.MakeBlock(prev, "evil", version)
		prev = p2p.BlockInfo{Hash: b.Hash, Height: prev.Height + 1, Time: b.Header.Timestamp}
		out = append(out, b)
	}
	return out
}

func repeat(count int, make func(i int) message.Message) []message.Message {
	var out []message.Message
	for i := range count {
		out = append(out, make(i))
	}
	return out
}

// What no honest peer sends ends the session with a reason, and the
// identity is refused for a while.
func TestHostilePeerIsCut(t *testing.T) {
	txOf := func(n uint32, version int32) *message.Tx {
		return &message.Tx{Tx: p2ptest.MakeTx(n, version, nil).Msg}
	}
	blockOf := func(b *consensus.Block) message.Message { return &message.Block{Block: b.Msg()} }
	items := func(kind message.InvKind, count int) []message.InvItem {
		out := make([]message.InvItem, count)
		for i := range out {
			out[i] = message.InvItem{Kind: kind, Hash: chainhash.HashH([]byte(fmt.Sprint("nothing", i)))}
		}
		return out
	}
	tests := []struct {
		name string
		send func(n *p2ptest.Node) []message.Message
		want message.Code

		reason string // part of what the peer is told
	}{
		{"header that breaks a rule", func(n *p2ptest.Node) []message.Message {
			return []message.Message{headersOf(branch(n.Chain.Best(), 1, p2ptest.BadHeaderVersion)...)}
		}, message.CodeInvalidData, "test-bad-header"},
		{"headers that do not follow each other", func(n *p2ptest.Node) []message.Message {
			bs := branch(n.Chain.Best(), 3, 1)
			return []message.Message{headersOf(bs[0], bs[2])}
		}, message.CodeProtocol, "not the child"},
		{"headers out of nowhere, again and again", func(n *p2ptest.Node) []message.Message {
			bs := branch(n.Chain.Best(), 3, 1)
			return repeat(100, func(int) message.Message { return headersOf(bs[2]) })
		}, message.CodeProtocol, "connect to nothing"},
		{"pong without ping", func(*p2ptest.Node) []message.Message {
			return repeat(2, func(int) message.Message { return &message.Pong{Nonce: 1} })
		}, message.CodeProtocol, "answers no ping"},
		{"flood of pings", func(*p2ptest.Node) []message.Message {
			return repeat(200, func(int) message.Message { return &message.Ping{Nonce: 1} })
		}, message.CodeProtocol, "too many"},
		{"flood of transactions", func(*p2ptest.Node) []message.Message {
			return repeat(200, func(i int) message.Message { return txOf(uint32(i), 2) })
		}, message.CodeUnsolicited, "transactions"},
		{"flood of blocks", func(n *p2ptest.Node) []message.Message {
			bs := branch(n.Chain.Best(), 100, 1)
			return repeat(100, func(i int) message.Message { return blockOf(bs[i]) })
		}, message.CodeUnsolicited, "blocks"},
		{"flood of addresses", func(*p2ptest.Node) []message.Message {
			return repeat(100, func(int) message.Message { return &message.Peers{} })
		}, message.CodeProtocol, "too many"},
		{"flood of requests for addresses", func(*p2ptest.Node) []message.Message {
			return repeat(100, func(int) message.Message { return &message.GetPeers{} })
		}, message.CodeProtocol, "too many"},
		{"flood of requests for blocks", func(n *p2ptest.Node) []message.Message {
			tip := make([]message.InvItem, message.MaxInventory)
			for i := range tip {
				tip[i] = message.InvItem{Kind: message.InvBlock, Hash: n.Chain.Best().Hash}
			}
			return repeat(200, func(int) message.Message { return &message.GetData{Items: tip} })
		}, message.CodeProtocol, "asked for at a time"},
		{"flood of inventory", func(*p2ptest.Node) []message.Message {
			return repeat(2000, func(int) message.Message { return &message.Inv{Items: items(message.InvWTx, 1)} })
		}, message.CodeProtocol, "too many"},
		{"inventory of a kind for requests only", func(*p2ptest.Node) []message.Message {
			return []message.Message{&message.Inv{Items: items(message.InvTx, 1)}}
		}, message.CodeProtocol, "kind"},
		{"seal proof where nothing is sealed", func(n *p2ptest.Node) []message.Message {
			m := headersOf(branch(n.Chain.Best(), 1, 1)...)
			m.Entries[0].Proof = &message.SealProof{Coinbase: []byte{
				1, 0, 0, 0, 1, 50: 0}}
			return []message.Message{m}
		}, message.CodeProtocol, "seal"},
		{"compact filters, which this node did not announce", func(*p2ptest.Node) []message.Message {
			return []message.Message{&message.Filters{}}
		}, message.CodeProtocol, ""},
		{"transaction that breaks a rule", func(*p2ptest.Node) []message.Message {
			return []message.Message{txOf(1, p2ptest.InvalidTxVersion)}
		}, message.CodeInvalidData, "test-bad-tx"},
	}
	for i, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			simulate(t, uint64(100+i), func(t *testing.T, s *p2ptest.Sim) {
				n := oneNode(s)
				evil := s.DialRaw(9, n)
				go evil.Tell(tc.send(n)...)
				var why *transport.DisconnectedError
				if err := evil.End(); !errors.As(err, &why) || why.Code != tc.want || !strings.Contains(why.Reason, tc.reason) {
					t.Fatalf("ended by %v, want code %s and %q", err, tc.want, tc.reason)
				}
				s.Await("the session is gone", 5*time.Second, func() bool { return n.P2P.Count() == 0 })
				if tip := n.Chain.Best().Height; tip != 10 {
					t.Errorf("tip is at %d", tip)
				}
				again, began := s.DialRaw(9, n), time.Now()
				if err := again.End(); !errors.As(err, &why) || time.Since(began) > time.Second {
					t.Errorf("the peer was taken again, until %v", err)
				}
				time.Sleep(11 * time.Minute)
				s.DialRaw(9, n)
				s.Await("taken again after a while", time.Second, func() bool { return n.P2P.Count() == 1 })
			})
		})
	}
}

func TestGarbageOnTheWire(t *testing.T) {
	simulate(t, 130, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		for i := range 5 {
			nc, err := s.Net.Dial(context.Background(), p2ptest.Host(5), n.Addr())
			if err != nil {
				t.Fatal(err)
			}
			nc.Write([]byte(fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", i)))
			s.Await("half-open link is dropped", 6*time.Second, func() bool {
				nc.SetReadDeadline(time.Now().Add(time.Millisecond))
				_, err := nc.Read(make([]byte, 1000))
				return err != nil && !errors.Is(err, context.DeadlineExceeded)
			})
			nc.Close()
		}
		if n.P2P.Count() != 0 {
			t.Error("a session came of it")
		}
	})
}

// serve answers GetHeaders with announce, and GetData with whatever block
// give returns for a hash.
func serve(r *p2ptest.Raw, announce *message.Headers, give func(chainhash.Hash) message.Message) {
	r.Next(func(m message.Message) bool {
		switch m := m.(type) {
		case *message.GetHeaders:
			r.Tell(announce)
		case *message.GetData:
			for _, it := range m.Items {
				if answer := give(it.Hash); answer != nil {
					r.Tell(answer)
				}
			}
		}
		return false
	})
}

func blockByHash(blocks []*consensus.Block) func(chainhash.Hash) message.Message {
	return func(h chainhash.Hash) message.Message {
		for _, b := range blocks {
			if b.Hash == h {
				return &message.Block{Block: b.Msg()}
			}
		}
		return nil
	}
}

func TestInvalidBlockIsCutAndSyncGoesOn(t *testing.T) {
	simulate(t, 131, func(t *testing.T, s *p2ptest.Sim) {
		n, honest := s.NewNode(), s.NewNode()
		common := n.Chain.Mine(10, "a", 1)
		honest.Chain.Force(common...)
		honest.Chain.Mine(3, "good", 1)
		n.AddNodes = []string{honest.URL()}
		n.Start()
		evil := s.DialRaw(9, n)
		bad := branch(n.Chain.Best(), 6, 1)
		bad[2] = p2ptest.MakeBlock(info(bad[1], 12), "evil", p2ptest.BadBlockVersion)
		bad = append(bad[:3], branch(info(bad[2], 13), 3, 1)...)
		go serve(evil, headersOf(bad...), blockByHash(bad))
		<-evil.Done()
		var why *transport.DisconnectedError
		if !errors.As(evil.Err(), &why) || why.Code != message.CodeInvalidData {
			t.Errorf("ended by %v", evil.Err())
		}
		honest.Start()
		s.AwaitTip(2*time.Minute, honest, n)
	})
}

func info(b *consensus.Block, height int32) p2p.BlockInfo {
	return p2p.BlockInfo{Hash: b.Hash, Height: height, Time: b.Header.Timestamp}
}

// A copy of a block with another body must not keep the right one out.
func TestMutatedBlockIsFetchedFromAnother(t *testing.T) {
	simulate(t, 132, func(t *testing.T, s *p2ptest.Sim) {
		n, honest := s.NewNode(), s.NewNode()
		blocks := honest.Chain.Mine(3, "a", 1)
		n.Start()
		evil := s.DialRaw(9, n)
		mutated := 0
		go serve(evil, headersOf(blocks...), func(h chainhash.Hash) message.Message {
			mutated++
			for _, b := range blocks {
				if b.Hash == h {
					other := wire.NewMsgBlock(&b.Header)
					other.AddTransaction(p2ptest.MakeTx(7, 2, nil).Msg)
					return &message.Block{Block: other}
				}
			}
			return nil
		})
		<-evil.Done()
		if mutated == 0 {
			t.Fatal("nothing was asked of the evil peer")
		}
		honest.AddNodes = []string{n.URL()}
		honest.Start()
		s.AwaitTip(time.Minute, honest, n)
	})
}

// A peer that announces blocks and does not have them, or says nothing,
// does not keep another one's from being fetched.
func TestPeerWithoutBodies(t *testing.T) {
	for name, give := range map[string]func(chainhash.Hash) message.Message{
		"says so": func(h chainhash.Hash) message.Message {
			return &message.NotFound{Items: []message.InvItem{{Kind: message.InvBlock, Hash: h}}}
		},
		"says nothing": func(chainhash.Hash) message.Message { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, 133, func(t *testing.T, s *p2ptest.Sim) {
				n, honest := s.NewNode(), s.NewNode()
				blocks := honest.Chain.Mine(30, "a", 1)
				n.Start()
				empty := s.DialRaw(9, n)
				// It even claims a longer branch.
				longer := append(append([]*consensus.Block(nil), blocks[:12]...), branch(info(blocks[11], 12), 3, 1)...)
				go serve(empty, headersOf(longer...), give)
				time.Sleep(time.Second)
				n.P2P.AddNode(honest.URL())
				honest.Start()
				s.AwaitTip(time.Minute, honest, n)
				if name == "says nothing" {
					<-empty.Done()
					var why *transport.DisconnectedError
					if err := empty.Err(); !errors.As(err, &why) || why.Code != message.CodeTimeout {
						t.Errorf("ended by %v", err)
					}
				}
			})
		})
	}
}

// Errors that decide nothing are nobody's fault.
func TestUndecidedIsNotPunished(t *testing.T) {
	simulate(t, 134, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 2)
		meet(s, nodes, 1, 1)
		a, b := nodes[0], nodes[1]
		b.Chain.Break(errors.New("disk full"))
		a.Chain.Mine(5, "a", 1)
		tx := p2ptest.MakeTx(1, 2, nil)
		a.Submit(tx)
		raw := s.DialRaw(9, b)
		go raw.Tell(&message.Tx{Tx: p2ptest.MakeTx(2, p2ptest.UndecidedTxVersion, nil).Msg},
			&message.Tx{Tx: p2ptest.MakeTx(3, p2ptest.RefusedTxVersion, nil).Msg})
		go raw.End()
		time.Sleep(time.Minute)
		if b.Chain.Best().Height != 0 || b.P2P.Count() != 2 {
			t.Fatalf("tip %d, %d sessions", b.Chain.Best().Height, b.P2P.Count())
		}
		b.Chain.Break(nil)
		s.AwaitTip(20*time.Second, a, b)
	})
}

func TestLostBodyIsFetchedAgain(t *testing.T) {
	simulate(t, 135, func(t *testing.T, s *p2ptest.Sim) {
		n, honest := s.NewNode(), s.NewNode()
		blocks := honest.Chain.Mine(20, "a", 1)
		n.Start()
		// All but the first arrive and are stored; then one of them turns
		// out to be damaged.
		raw := s.DialRaw(9, n)
		go serve(raw, headersOf(blocks...), blockByHash(blocks[1:]))
		s.Await("the other bodies", time.Minute, func() bool {
			for _, b := range blocks[1:] {
				if info, ok := n.Chain.Lookup(b.Hash); !ok || !info.HaveData {
					return false
				}
			}
			return true
		})
		n.Chain.Lose(blocks[14].Hash)
		honest.AddNodes = []string{n.URL()}
		honest.Start()
		s.AwaitTip(2*time.Minute, honest, n)
	})
}

func TestPeerThatAnswersNoPingIsCut(t *testing.T) {
	simulate(t, 137, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		raw := s.DialRaw(9, n)
		go func() {
			for raw.Err() == nil {
				raw.Tell(&message.Headers{}, &message.Ping{Nonce: 1})
				time.Sleep(10 * time.Second)
			}
		}()
		for raw.Err() == nil { // reads, and answers nothing
			raw.Receive(context.Background())
		}
		var why *transport.DisconnectedError
		if err := raw.Err(); !errors.As(err, &why) || why.Code != message.CodeTimeout || !strings.Contains(why.Reason, "ping") {
			t.Errorf("ended by %v", err)
		}
		time.Sleep(10 * time.Second) // the goroutine above ends
	})
}

// A block from the future is taken when its time has come.
func TestNotYetIsRetried(t *testing.T) {
	simulate(t, 136, func(t *testing.T, s *p2ptest.Sim) {
		nodes := line(s, 2)
		meet(s, nodes, 1, 1)
		early := p2ptest.MakeBlock(p2p.BlockInfo{Hash: s.Params.GenesisHash, Time: time.Now().Add(24*time.Hour + 30*time.Second)}, "a", 1)
		nodes[0].Chain.Force(early)
		time.Sleep(20 * time.Second)
		if nodes[1].Chain.Best().Height != 0 || nodes[1].P2P.Count() != 1 {
			t.Fatal("taken too early, or the peer was blamed")
		}
		s.AwaitTip(15*time.Second, nodes[0], nodes[1])
	})
}
