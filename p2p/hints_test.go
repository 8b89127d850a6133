package p2p_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/p2ptest"
)

// spending adds blocks with nine inputs each to a node's chain.
func spending(t *testing.T, n *p2ptest.Node, count int) []*consensus.Block {
	t.Helper()
	var out []*consensus.Block
	for range count {
		msg := p2ptest.MakeBlock(n.Chain.Best(), "spends", 1).Msg().Copy()
		for i := range uint32(9) {
			if err := msg.AddTransaction(p2ptest.MakeTx(i, 2, nil).Msg); err != nil {
				t.Fatal(err)
			}
		}
		b := consensus.NewBlock(msg)
		if _, err := n.Chain.AcceptHeaders(context.Background(), []p2p.SealedHeader{n.Chain.Entry(b)}, [32]byte{}); err != nil {
			t.Fatal(err)
		}
		if err := n.Chain.AcceptBlock(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// Blocks come with the hints that the peer knows, if they say anything; what
// it does not know it is told to be wanted.
func TestHintsAreServed(t *testing.T) {
	simulate(t, 301, func(t *testing.T, s *p2ptest.Sim) {
		from, to := s.NewNode(), s.NewNode()
		blocks := spending(t, from, 3)
		known, silent, unknown := blocks[0], blocks[1], blocks[2]
		from.Chain.SetHints(known.Hash, []byte{0xa5, 1})
		from.Chain.SetHints(silent.Hash, []byte{0, 0})
		to.AddNodes = []string{from.URL()}
		from.Start()
		to.Start()
		s.AwaitTip(time.Minute, from, to)
		if got := to.Chain.Offered(known.Hash); !bytes.Equal(got, []byte{0xa5, 1}) {
			t.Errorf("hints %x came", got)
		}
		for _, b := range []*consensus.Block{silent, unknown} {
			if got := to.Chain.Offered(b.Hash); got != nil {
				t.Errorf("hints %x came, want none", got)
			}
		}
		if a, b, c := from.Chain.Wanted(known.Hash), from.Chain.Wanted(silent.Hash), from.Chain.Wanted(unknown.Hash); a != 0 || b != 0 || c != 1 {
			t.Errorf("wanted %d, %d and %d times", a, b, c)
		}
	})
}

// A peer whose hints were wrong keeps its session and is asked for blocks
// alone from then on.
func TestWrongHints(t *testing.T) {
	simulate(t, 302, func(t *testing.T, s *p2ptest.Sim) {
		from, to := s.NewNode(), s.NewNode()
		to.AddNodes = []string{from.URL()}
		from.Start()
		to.Start()
		next := func(hints, proven byte) []byte {
			b := spending(t, from, 1)[0]
			from.Chain.SetHints(b.Hash, []byte{hints, 0})
			to.Chain.SetHints(b.Hash, []byte{proven, 0})
			s.AwaitTip(time.Minute, from, to)
			return to.Chain.Offered(b.Hash)
		}
		s.Await("a session", time.Minute, func() bool { return to.P2P.Count() == 1 })
		id := to.P2P.Peers()[0].ID
		for i, step := range []struct {
			hints, proven byte
			come          bool
		}{{1, 1, true}, {2, 2, true}, {2, 1, true}, {1, 1, false}} {
			if got := next(step.hints, step.proven); (got != nil) != step.come {
				t.Errorf("block %d: hints %x came", i, got)
			}
		}
		if ps := to.P2P.Peers(); len(ps) != 1 || ps[0].ID != id {
			t.Error("the session ended")
		}
	})
}

// Peers without the feature bit are neither asked for hints nor sent any.
func TestPeerWithoutHints(t *testing.T) {
	simulate(t, 303, func(t *testing.T, s *p2ptest.Sim) {
		n := s.NewNode()
		b := spending(t, n, 1)[0]
		n.Chain.SetHints(b.Hash, []byte{1, 0})
		n.Start()
		raw := s.DialRaw(9, n)
		raw.Tell(&message.GetData{Items: []message.InvItem{{Kind: message.InvBlock, Hash: b.Hash}}})
		raw.Next(func(m message.Message) bool {
			if m.Type() == message.TypeHintedBlock {
				t.Error("hints came")
			}
			return m.Type() == message.TypeBlock
		})
		more := branch(n.Chain.Best(), 1, 1)
		raw.Tell(headersOf(more...))
		asked := raw.Next(func(m message.Message) bool { return m.Type() == message.TypeGetData }).(*message.GetData)
		if len(asked.Items) != 1 || asked.Items[0] != (message.InvItem{Kind: message.InvBlock, Hash: more[0].Hash}) {
			t.Errorf("asked for %v", asked.Items)
		}
	})
}

// A block with hints answers a request for it, also where none were asked
// for, as any other that comes late would.
func TestHintedBlockIsABlock(t *testing.T) {
	simulate(t, 304, func(t *testing.T, s *p2ptest.Sim) {
		n := oneNode(s)
		raw := s.DialRaw(9, n)
		more := branch(n.Chain.Best(), 1, 1)
		raw.Tell(headersOf(more...))
		raw.Next(func(m message.Message) bool { return m.Type() == message.TypeGetData })
		raw.Tell(&message.HintedBlock{Block: message.Block{Block: more[0].Msg()}})
		s.Await("the block", time.Minute, func() bool { return n.Chain.Best().Hash == more[0].Hash })
	})
}
