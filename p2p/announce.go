package p2p

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/p2p/message"
)

// announcer tells peers of new tips.
type announcer struct {
	n    *Network
	kick chan struct{} // capacity 1: the tip has changed
}

func newAnnouncer(n *Network) *announcer {
	return &announcer{n: n, kick: make(chan struct{}, 1)}
}

func (a *announcer) tipChanged() { signal(a.kick) }

// run announces the tip each time it has changed; what changed meanwhile
// falls together.
func (a *announcer) run(ctx context.Context) {
	for {
		select {
		case <-a.kick:
		case <-ctx.Done():
			return
		}
		n := a.n
		n.txs.newTip()
		n.blocks.noteTip(n.cfg.Now())
		if n.blocks.behind() {
			continue // peers know more than we do
		}
		tip := n.cfg.Chain.Best()
		for _, p := range n.sessions() {
			n.blocks.tell(p, tip)
		}
	}
}

// noteTip notes when the tip changed, and lets the path follow.
func (s *syncer) noteTip(now time.Time) {
	s.mu.Lock()
	s.lastTip = now
	s.mu.Unlock()
	s.wake()
}

// tell announces the tip to a peer that is not known to have it: by the
// headers behind the last block it has, or by hash if these are many.
func (s *syncer) tell(p *peer, tip BlockInfo) {
	s.mu.Lock()
	sp := s.peers[p.id]
	if sp == nil || sp.told.Hash == tip.Hash {
		s.mu.Unlock()
		return
	}
	base, told := sp.best, sp.told
	known := sp.known
	sp.told = tip
	s.mu.Unlock()

	if known {
		if at, ok := s.chain.Ancestor(base.Hash, tip.Height); ok && at.Hash == tip.Hash {
			return
		}
	}
	if !known || told.Work != nil && told.Work.Cmp(base.Work) > 0 {
		base = told
	}
	from := tip.Prev
	if base.Work != nil {
		from = base.Hash
	}
	hs := s.chain.HeadersAfter(s.chain.Locator(from), chainhash.Hash{}, maxTellHeaders+1)
	switch {
	case len(hs) == 0: // the tip has changed again
	case len(hs) <= maxTellHeaders:
		if m, err := s.n.newHeaders(hs); err == nil && !m.More {
			p.send(m)
			return
		}
		fallthrough
	default:
		p.send(&message.Inv{Items: []message.InvItem{{Kind: message.InvBlock, Hash: tip.Hash}}})
	}
}
