package p2p

import (
	"net/netip"
	"time"

	"github.com/charterchain/charter/p2p/addrbook"
	"github.com/charterchain/charter/p2p/message"
)

// addrState counts the exchange of addresses with one peer.
type addrState struct {
	asked     bool // GetPeers was sent and is not answered
	processed uint64
}

// introduce begins a session: it takes up where the peer says it can be
// dialled, and asks it for the addresses it knows.
func (p *peer) introduce() {
	var seen []addrbook.Seen
	for _, a := range p.hello.Addresses {
		if ap, ok := a.AddrPort(); ok {
			seen = append(seen, addrbook.Seen{Addr: addrbook.Addr{AddrPort: ap, Key: p.key}, Time: p.connected})
		}
	}
	if ip, err := netip.ParseAddr(hostOf(p.addr)); err == nil && p.inbound && p.hello.ListenPort != 0 {
		ap := netip.AddrPortFrom(ip, p.hello.ListenPort)
		seen = append(seen, addrbook.Seen{Addr: addrbook.Addr{AddrPort: ap, Key: p.key}, Time: p.connected})
	}
	p.learn(seen)
	if p.hello.Features.Has(message.FeaturePeers) {
		p.mu.Lock()
		p.addrs.asked = true
		p.mu.Unlock()
		p.send(&message.GetPeers{})
	}
}

func (p *peer) handleGetPeers() error {
	var out message.Peers
	for _, s := range p.n.cfg.Book.Sample(message.MaxPeers) {
		if s.Key == p.key || !p.mayHearOf(s.AddrPort.Addr()) {
			continue
		}
		out.Peers = append(out.Peers, message.PeerAddr{
			Addr:     message.NewNetAddr(s.AddrPort),
			Key:      s.Key,
			LastSeen: uint64(max(s.Time.Unix(), 0)),
		})
	}
	p.send(&out)
	return nil
}

// handlePeers takes addresses into the book. Only an answer to GetPeers is
// looked at. Names are left out: hearsay must not make this node ask a name
// server.
func (p *peer) handlePeers(m *message.Peers, now time.Time) error {
	p.mu.Lock()
	asked := p.addrs.asked
	p.addrs.asked = false
	p.addrs.processed += uint64(len(m.Peers))
	p.mu.Unlock()
	if !asked {
		if !p.limits.allowUnasked(now) {
			return &ending{code: message.CodeUnsolicited, reason: "addresses that were not asked for", blame: true}
		}
		return nil
	}
	var seen []addrbook.Seen
	for _, a := range m.Peers {
		ap, ok := a.Addr.AddrPort()
		if !ok || a.Key == p.n.self {
			continue
		}
		at := now
		if a.LastSeen < uint64(now.Unix()) {
			at = time.Unix(int64(a.LastSeen), 0)
		}
		seen = append(seen, addrbook.Seen{Addr: addrbook.Addr{AddrPort: ap, Key: a.Key}, Time: at})
	}
	p.learn(seen)
	return nil
}

// learn takes up addresses that the peer told, but none on this machine
// from a peer on another.
func (p *peer) learn(seen []addrbook.Seen) {
	kept := seen[:0]
	for _, s := range seen {
		if p.mayHearOf(s.AddrPort.Addr()) {
			kept = append(kept, s)
		}
	}
	p.n.cfg.Book.Add(p.key, kept)
	p.n.cfg.Metrics.addresses.Set(float64(p.n.cfg.Book.Len()))
}

// mayHearOf reports whether an address means the same to the peer as to us.
func (p *peer) mayHearOf(a netip.Addr) bool {
	if !a.IsLoopback() {
		return true
	}
	ip, err := netip.ParseAddr(hostOf(p.addr))
	return err == nil && ip.IsLoopback()
}
