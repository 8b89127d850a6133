package p2p

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/charterchain/charter/p2p/addrbook"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

const (
	dialTimeout = 10 * time.Second

	// A pinned peer that cannot be had is tried again after firstBackoff,
	// then after twice as long each time, up to longestBackoff; a random
	// part of the wait is left out. A session of steadyAfter starts it anew.
	firstBackoff   = time.Second
	longestBackoff = 30 * time.Second
	steadyAfter    = time.Minute

	// refusedBackoff takes the place of longestBackoff while the peer says
	// that this node may not connect.
	refusedBackoff = time.Minute

	// outboundPause is the wait between attempts to fill a free slot from
	// the address book.
	outboundPause = 2 * time.Second

	maxPins      = 64
	maxOnceDials = 16
)

var errOwnIdentity = errors.New("this is the node's own identity")

// pin is a peer that is dialled whenever there is no session with it.
type pin struct {
	text   string // as the operator wrote it
	addr   Address
	cancel chan struct{} // closed by removePin

	// Guarded by Network.mu:
	learnt  [32]byte   // the key that answered at an address without one
	at      netip.Addr // where the peer was seen last
	problem string     // why there is no session, if a peer or this node refused one
}

// keyLocked is the key that should answer, as far as it is known.
func (p *pin) keyLocked() [32]byte {
	if p.addr.Pinned() {
		return p.addr.Key
	}
	return p.learnt
}

func (n *Network) formatAddress(a Address) string {
	if a.Pinned() {
		return FormatIdentity(a.Key, n.cfg.Params) + "@" + a.HostPort()
	}
	return a.HostPort()
}

func (n *Network) addPin(text string, a Address) error {
	if a.Key == n.self {
		return errOwnIdentity
	}
	p := &pin{text: text, addr: a, cancel: make(chan struct{})}
	n.mu.Lock()
	for _, q := range n.pins {
		if q.addr.HostPort() == a.HostPort() {
			n.mu.Unlock()
			return ErrNodeAdded
		}
	}
	if len(n.pins) >= maxPins {
		n.mu.Unlock()
		return fmt.Errorf("%w: at most %d can be added", ErrTooManyNodes, maxPins)
	}
	for _, s := range n.byKey {
		if s.addr == a.HostPort() {
			p.learnt = s.key
		}
	}
	n.pins = append(n.pins, p)
	n.mu.Unlock()
	n.spawn(func(ctx context.Context) { n.keepPin(ctx, p) }) // before Run: begin does
	return nil
}

func (n *Network) removePin(a Address) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, p := range n.pins {
		if p.addr.HostPort() == a.HostPort() {
			n.pins = append(n.pins[:i:i], n.pins[i+1:]...)
			close(p.cancel)
			return nil
		}
	}
	return ErrNodeUnknown
}

func (n *Network) pinnedKeyLocked(key [32]byte) bool {
	for _, p := range n.pins {
		if p.keyLocked() == key {
			return true
		}
	}
	return false
}

// pinnedHost reports whether a pinned peer is known at an IP address: by the
// address it is pinned with, or because it was seen there.
func (n *Network) pinnedHost(ip netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pins {
		if ap, ok := p.addr.addrPort(); ok && ap.Addr() == ip || ip.IsValid() && p.at == ip {
			return true
		}
	}
	return false
}

// notePinned notes where a peer was seen, if it is pinned.
func (n *Network) notePinned(key [32]byte, ip netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pins {
		if p.keyLocked() == key {
			p.at = ip
		}
	}
}

// pinnedKeys returns the identities of the pinned peers, as far as they are
// known.
func (n *Network) pinnedKeys() map[[32]byte]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := make(map[[32]byte]bool, len(n.pins))
	for _, p := range n.pins {
		keys[p.keyLocked()] = true
	}
	return keys
}

// sessionAtLocked returns the session that a pin asks for, if it exists.
func (n *Network) sessionAtLocked(p *pin) *peer {
	if key := p.keyLocked(); key != [32]byte{} {
		return n.byKey[key]
	}
	return nil
}

// keepPin dials a pinned peer until it is removed.
func (n *Network) keepPin(ctx context.Context, p *pin) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	backoff := firstBackoff
	for {
		switched := n.switched()
		if !n.waitActive(ctx) || !n.waitAbsent(ctx, p) {
			return
		}
		began := n.cfg.Now()
		err := n.revoked(p.addr.Key)
		if err == nil {
			err = n.dial(ctx, p.addr, TypeManual, p)
		}
		if n.cfg.Now().Sub(began) >= steadyAfter {
			backoff = firstBackoff
		}
		longest, again := n.problemWith(p, err)
		if !again {
			return
		}
		n.log.Debug("pinned peer", "peer", p.text, "err", err, "retry", backoff)
		select {
		case <-time.After(n.jitter(backoff)):
			backoff = min(2*backoff, longest)
		case <-switched: // off or on: what failed before says nothing now
			backoff = firstBackoff
		case <-p.cancel:
			return
		case <-ctx.Done():
			return
		}
	}
}

// problemWith notes why an attempt to have a session with a pinned peer
// failed, and returns how long the wait until the next ones may grow. again
// is false where none makes sense: the address leads to this node itself.
func (n *Network) problemWith(p *pin, err error) (longest time.Duration, again bool) {
	longest, again = longestBackoff, true
	problem := ""
	var refused *transport.RefusedError
	var ended *transport.DisconnectedError
	switch {
	case errors.As(err, &refused):
		problem = refused.Error()
		if refused.Code == message.CodeNotPermitted {
			longest = refusedBackoff
		}
		if refused.Code == message.CodeSelf {
			again = false
			problem = errOwnIdentity.Error()
			n.log.Info("peer is this node itself and is not dialled again", "peer", p.text)
		}
	case errors.As(err, &ended) && notable(ended.Code):
		problem = ended.Error()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p.problem = problem
	return longest, again
}

// waitAbsent returns true when there is no session with the pinned peer, or
// false when the pin is removed or ctx is done.
func (n *Network) waitAbsent(ctx context.Context, p *pin) bool {
	for {
		n.mu.Lock()
		s := n.sessionAtLocked(p)
		n.mu.Unlock()
		select {
		case <-p.cancel:
			return false
		default:
		}
		if s == nil {
			return ctx.Err() == nil
		}
		select {
		case <-s.gone:
		case <-p.cancel:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// dialOnce dials in the background, once.
func (n *Network) dialOnce(a Address) error {
	if a.Key == n.self {
		return errOwnIdentity
	}
	if !n.Active() {
		return ErrInactive
	}
	n.mu.Lock()
	if n.onceDials >= maxOnceDials {
		n.mu.Unlock()
		return fmt.Errorf("%w: %d are being dialled", ErrTooManyNodes, maxOnceDials)
	}
	n.onceDials++
	n.mu.Unlock()
	done := func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.onceDials--
	}
	started := n.spawn(func(ctx context.Context) {
		conn, wire, err := n.reach(ctx, a)
		done()
		if err == nil {
			err = n.serve(ctx, conn, wire, a.HostPort(), TypeManual, a.Pinned())
		}
		n.log.Debug("peer dialled once", "peer", a.HostPort(), "err", err)
	})
	if !started {
		done()
		return ErrStopped
	}
	return nil
}

// dial opens a session and stays until it ends. The error says why it ended
// or did not begin.
func (n *Network) dial(ctx context.Context, a Address, typ ConnectionType, p *pin) error {
	conn, wire, err := n.reach(ctx, a)
	if err != nil {
		return err
	}
	if p != nil {
		n.mu.Lock()
		p.learnt, p.problem = conn.PeerKey(), ""
		n.mu.Unlock()
		n.notePinned(conn.PeerKey(), addrOf(wire))
	}
	return n.serve(ctx, conn, wire, a.HostPort(), typ, a.Pinned())
}

// reach dials and does the handshake, and tells the address book how it went.
func (n *Network) reach(ctx context.Context, a Address) (*transport.Conn, *countedConn, error) {
	target := a.HostPort()
	if !n.claimDial(target) {
		return nil, nil, fmt.Errorf("%s is being dialled already", target)
	}
	defer n.releaseDial(target)
	ap, isIP := a.addrPort()

	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	nc, err := n.cfg.Dial(dialCtx, target)
	cancel()
	if err != nil {
		n.cfg.Metrics.dialled(false)
		n.cfg.Book.Failed(ap)
		return nil, nil, err
	}
	var want *[32]byte
	if a.Pinned() {
		want = &a.Key
	}
	wire := n.counted(nc)
	conn, err := n.transport.Dial(ctx, wire, want)
	if err != nil {
		n.cfg.Metrics.dialled(false)
		n.noteRefusal(err)
		n.tellRefused(target, target, err)
		var refused *transport.RefusedError
		if errors.As(err, &refused) && refused.Code == message.CodeSelf {
			n.cfg.Book.Remove(ap)
		} else {
			n.cfg.Book.Failed(ap)
		}
		return nil, nil, err
	}
	n.cfg.Metrics.dialled(true)
	n.notices.forget(target + message.CodeNotPermitted.String())
	n.notices.forget(target + message.CodeRevoked.String())
	if isIP {
		n.cfg.Book.Good(addrbook.Addr{AddrPort: ap, Key: conn.PeerKey()})
	}
	return conn, wire, nil
}

func (n *Network) claimDial(target string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dialing[target] {
		return false
	}
	n.dialing[target] = true
	return true
}

func (n *Network) releaseDial(target string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.dialing, target)
}

// keepOutbound fills the free outbound slots from the address book, and
// from the chain file's seeds where the book holds nothing to try.
func (n *Network) keepOutbound(ctx context.Context) {
	slots := make(chan struct{}, n.cfg.MaxOutbound)
	for n.waitActive(ctx) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		free := func() { <-slots }
		if a, ok := n.candidate(); !ok || !n.spawn(func(ctx context.Context) {
			defer free()
			err := n.dial(ctx, a, TypeOutbound, nil)
			n.log.Debug("outbound peer", "peer", a.HostPort(), "err", err)
		}) {
			free()
		}
		if !sleep(ctx, n.jitter(outboundPause)) {
			return
		}
	}
}

// candidate chooses where to dial next. A node that is catching up knows
// only of the seeds that they may be relied on.
func (n *Network) candidate() (Address, bool) {
	if n.catchingUp() {
		return n.seed(true)
	}
	a, ok := n.cfg.Book.Pick(func(a addrbook.Addr) bool {
		return a.Key == n.self || a.Key != [32]byte{} && n.connected(a.Key) || n.occupied(a.AddrPort.String())
	})
	if ok {
		return Address{Host: a.AddrPort.Addr().String(), Port: a.AddrPort.Port()}, true
	}
	return n.seed(false)
}

// occupied reports whether a target is being dialled, has a session or is
// somebody else's to dial.
func (n *Network) occupied(target string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dialing[target] {
		return true
	}
	for _, p := range n.byKey {
		if p.addr == target {
			return true
		}
	}
	for _, p := range n.pins {
		if p.addr.HostPort() == target {
			return true
		}
	}
	return false
}

// seed returns one of the chain file's seeds that has no session. Seeds
// that cannot be had are tried again after longestBackoff. known leaves out
// those without identity.
func (n *Network) seed(known bool) (Address, bool) {
	now := n.cfg.Now()
	for _, s := range n.cfg.Params.Network.Seeds {
		a, err := ParseAddress(strings.TrimSpace(s), n.cfg.Params)
		if err != nil || a.Key == n.self || a.Pinned() && n.connected(a.Key) || n.occupied(a.HostPort()) {
			continue
		}
		if known && !a.Pinned() || n.revoked(a.Key) != nil {
			continue
		}
		n.mu.Lock()
		ready := now.Sub(n.seedTried[s]) >= longestBackoff
		if ready {
			n.seedTried[s] = now
		}
		n.mu.Unlock()
		if ready {
			return a, true
		}
	}
	return Address{}, false
}
