package p2ptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Net is a network in memory. Safe for concurrent use.
type Net struct {
	// Latency is one way; up to half of it is added per connection. Not to
	// be changed while nodes run.
	Latency time.Duration

	mu        sync.Mutex
	rng       *rand.Rand
	listeners map[string]*listener
	links     map[*link]bool
	apart     map[[2]string]bool       // pairs of hosts that cannot reach each other
	silent    map[string]bool          // hosts whose bytes do not arrive
	slow      map[string]time.Duration // what a KiB from a host takes
	nextPort  uint16
	dials     int
}

// link is an open connection between two hosts.
type link struct {
	from, to string // hosts; from dialled
	out, in  *half  // as seen from the dialler
}

// NewNet returns a network without hosts.
func NewNet(seed uint64) *Net {
	return &Net{
		Latency:   10 * time.Millisecond,
		rng:       rand.New(rand.NewPCG(seed, 1)),
		listeners: make(map[string]*listener),
		links:     make(map[*link]bool),
		apart:     make(map[[2]string]bool),
		silent:    make(map[string]bool),
		slow:      make(map[string]time.Duration),
		nextPort:  40000,
	}
}

var errRefused = errors.New("connection refused")

// Dial opens a connection from a host to "host:port".
func (n *Net) Dial(ctx context.Context, from, to string) (net.Conn, error) {
	target, err := netip.ParseAddrPort(to)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	latency := n.Latency + time.Duration(n.rng.Int64N(int64(n.Latency/2)+1))
	n.mu.Unlock()
	select {
	case <-time.After(2 * latency): // a round trip
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	l := n.listeners[to]
	host := target.Addr().String()
	if l == nil || n.apart[pair(from, host)] {
		return nil, fmt.Errorf("dial %s: %w", to, errRefused)
	}
	n.nextPort++
	local := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), n.nextPort))
	k := &link{from: from, to: host, out: newHalf(latency, n.slow[from]), in: newHalf(latency, n.slow[host])}
	k.out.silent, k.in.silent = n.silent[from], n.silent[host]
	remote := net.TCPAddrFromAddrPort(target)
	near := &conn{in: k.in, out: k.out, local: local, remote: remote, onClose: func() { n.forget(k) }}
	far := &conn{in: k.out, out: k.in, local: remote, remote: local, onClose: func() { n.forget(k) }}
	select {
	case l.backlog <- far:
	default:
		return nil, fmt.Errorf("dial %s: %w", to, errRefused)
	}
	n.links[k] = true
	return near, nil
}

func pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func (n *Net) forget(k *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, k)
}

// Dials returns how many connections have been attempted.
func (n *Net) Dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// Cut breaks the connections between two hosts and lets none come about.
func (n *Net) Cut(a, b string) {
	n.mu.Lock()
	n.apart[pair(a, b)] = true
	n.mu.Unlock()
	n.breakWhere(func(k *link) bool { return pair(k.from, k.to) == pair(a, b) })
}

// Heal undoes Cut.
func (n *Net) Heal(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.apart, pair(a, b))
}

// Kill breaks all connections of a host, as when its process dies.
func (n *Net) Kill(host string) {
	n.breakWhere(func(k *link) bool { return k.from == host || k.to == host })
}

func (n *Net) breakWhere(match func(*link) bool) {
	n.mu.Lock()
	var found []*link
	for k := range n.links {
		if match(k) {
			found = append(found, k)
		}
	}
	n.mu.Unlock()
	for _, k := range found {
		for _, h := range []*half{k.out, k.in} {
			h.set(func() { h.reset = true })
		}
	}
}

// Slow lets each KiB that a host sends take so long, on connections to come.
func (n *Net) Slow(host string, perKiB time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slow[host] = perKiB
}

// Silence lets nothing that a host sends arrive any more, though its
// connections stay; or lets it arrive again.
func (n *Net) Silence(host string, silent bool) {
	n.mu.Lock()
	n.silent[host] = silent
	var halves []*half
	for k := range n.links {
		if k.from == host {
			halves = append(halves, k.out)
		}
		if k.to == host {
			halves = append(halves, k.in)
		}
	}
	n.mu.Unlock()
	for _, h := range halves {
		h.set(func() { h.silent = silent })
	}
}

// listener is a net.Listener of a Net.
type listener struct {
	n       *Net
	addr    netip.AddrPort
	backlog chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Listen takes connections at "ip:port".
func (n *Net) Listen(addr string) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[addr] != nil {
		return nil, fmt.Errorf("listen %s: in use", addr)
	}
	l := &listener{n: n, addr: ap, backlog: make(chan net.Conn, 128), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		delete(l.n.listeners, l.addr.String())
		l.n.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.backlog:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }
