package p2p

import (
	"context"

	"github.com/charterchain/charter/p2p/message"
)

// handle takes one message. It is called by the session's read loop, so it
// must not wait for other peers or for work of unbounded length: that is
// queued. An error ends the session.
func (p *peer) handle(ctx context.Context, m message.Message) error {
	now := p.n.cfg.Now()
	if !p.limits.allow(m.Type(), now) {
		return violation("%s message out of place or too many of them", m.Type())
	}
	switch m := m.(type) {
	case *message.Ping:
		p.send(&message.Pong{Nonce: m.Nonce})
		return nil
	case *message.Pong:
		return p.handlePong(m, now)
	case *message.GetPeers:
		return p.handleGetPeers()
	case *message.Peers:
		return p.handlePeers(m, now)
	case *message.GetHeaders:
		return p.serving.putHeaders(m)
	case *message.GetData:
		return p.serving.putItems(m.Items)
	case *message.Headers:
		return p.n.blocks.headersArrived(p, m)
	case *message.Inv:
		return p.handleInv(m)
	case *message.NotFound:
		return p.handleNotFound(m)
	case *message.Block:
		return p.n.blocks.blockArrived(ctx, p, m.Raw, nil)
	case *message.HintedBlock:
		return p.n.blocks.blockArrived(ctx, p, m.Block.Raw, m.Hints)
	case *message.Presence:
		return p.n.presence.arrived(p, m, now)
	case *message.Tx:
		return p.n.txs.arrived(p, m.Raw, now)
	}
	return violation("%s message is not expected here", m.Type())
}

// handleInv sorts announcements. Inventory names blocks and transactions
// by wtxid; the other kinds are for requests only.
func (p *peer) handleInv(m *message.Inv) error {
	for _, it := range m.Items {
		switch it.Kind {
		case message.InvBlock:
			p.n.blocks.announced(p, it.Hash)
		case message.InvWTx:
			p.n.txs.announced(p, it.Hash)
		default:
			return violation("inv item of kind %s", it.Kind)
		}
	}
	p.n.txs.wake()
	return nil
}

// handleNotFound passes on what the peer cannot serve.
func (p *peer) handleNotFound(m *message.NotFound) error {
	for _, it := range m.Items {
		switch it.Kind {
		case message.InvBlock, message.InvCompactBlock, message.InvHintedBlock:
			p.n.blocks.notFound(p, it.Hash)
		case message.InvWTx:
			p.forgetAsked(it.Hash)
			p.n.txs.notFound(p, it.Hash)
		case message.InvTx:
			p.forgetAsked(it.Hash)
		}
	}
	p.n.blocks.wake()
	p.n.txs.wake()
	return nil
}
