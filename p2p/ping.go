package p2p

import (
	"context"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

const (
	// pingInterval is how often a peer is pinged; a random part of it is
	// left out.
	pingInterval = 30 * time.Second
	// pingTimeout is how long an answer may take. It is generous: an answer
	// waits behind the frame that is being written.
	pingTimeout = 90 * time.Second
	// inventoryDelay is how long announcements of transactions are
	// collected for; a random part of it is left out.
	inventoryDelay = 200 * time.Millisecond
)

// pingState measures round trips.
type pingState struct {
	nonce uint64 // of the ping that is unanswered; 0: none is
	sent  time.Time
	last  time.Duration
	min   time.Duration
}

// tend does what a session needs from time to time: pings, announcements of
// transactions and of nodes that are up, requests for addresses.
func (p *peer) tend(ctx context.Context) error {
	p.introduce()
	ping := time.NewTimer(0)
	defer ping.Stop()
	var flush <-chan time.Time // nil: nothing is to be told
	for {
		select {
		case <-ping.C:
			if err := p.sendPing(); err != nil {
				return err
			}
			ping.Reset(p.n.jitter(pingInterval))
		case <-p.toTell:
			if flush == nil {
				flush = time.After(p.n.jitter(inventoryDelay))
			}
		case <-flush:
			flush = nil
			p.flushInventory()
			p.flushPresences()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendPing sends a ping, unless one is still unanswered.
func (p *peer) sendPing() error {
	now := p.n.cfg.Now()
	nonce := p.n.nonce()
	p.mu.Lock()
	if p.ping.nonce != 0 {
		waited := now.Sub(p.ping.sent)
		p.mu.Unlock()
		if waited >= pingTimeout {
			p.n.cfg.Metrics.timeout("ping")
			return &ending{code: message.CodeTimeout, reason: "a ping was not answered"}
		}
		return nil
	}
	p.ping.nonce, p.ping.sent = nonce, now
	p.mu.Unlock()
	p.send(&message.Ping{Nonce: nonce})
	return nil
}

func (p *peer) handlePong(m *message.Pong, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ping.nonce == 0 || m.Nonce != p.ping.nonce {
		return violation("pong that answers no ping")
	}
	p.ping.nonce = 0
	p.ping.last = max(now.Sub(p.ping.sent), 0)
	if p.ping.min == 0 || p.ping.last < p.ping.min {
		p.ping.min = p.ping.last
	}
	return nil
}

// nonce returns a random number that is not 0.
func (n *Network) nonce() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cfg.Rand.Uint64() | 1
}
