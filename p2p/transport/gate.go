package transport

import (
	"errors"
	"net/netip"
	"sync"
)

// Bounds of half-open links: those whose handshake is not done.
const (
	DefaultHalfOpen = 64
	DefaultPerGroup = 4
	DefaultReserved = 8
)

// Errors of Gate.Enter.
var (
	ErrGateFull  = errors.New("transport: too many half-open links")
	ErrGateGroup = errors.New("transport: too many half-open links from this network")
)

// Gate bounds half-open links of a listener: in all, and per network group,
// with slots that only addresses of pinned peers may use. Safe for
// concurrent use.
type Gate struct {
	total, perGroup, reserved int

	mu     sync.Mutex
	inside int
	pinned int // of inside
	groups map[netip.Prefix]int
	hosts  map[netip.Addr]int // of pinned peers
}

// NewGate makes a gate of total slots, of which reserved are kept for
// pinned peers, and at most perGroup for one network group and for one
// address of pinned peers. Zero values mean the defaults.
func NewGate(total, perGroup, reserved int) *Gate {
	orElse(&total, DefaultHalfOpen)
	orElse(&perGroup, DefaultPerGroup)
	orElse(&reserved, DefaultReserved)
	return &Gate{total: total, perGroup: perGroup, reserved: reserved,
		groups: make(map[netip.Prefix]int), hosts: make(map[netip.Addr]int)}
}

// Enter takes a slot for a link from addr, or returns ErrGateFull or
// ErrGateGroup at once. leave gives the slot back; call it once, when
// Accept has returned. pinned says that a pinned peer is known at addr: it
// may use the reserved slots and is not bound by its group. Others may use
// the same address, so only perGroup links have that advantage at a time.
// Loopback addresses have no group.
func (g *Gate) Enter(addr netip.Addr, pinned bool) (leave func(), err error) {
	addr = addr.Unmap()
	group := NetGroup(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	pinned = pinned && g.hosts[addr] < g.perGroup
	grouped := !pinned && !addr.IsLoopback()
	switch {
	case g.inside >= g.total:
		return nil, ErrGateFull
	case !pinned && g.inside-min(g.pinned, g.reserved) >= g.total-g.reserved:
		return nil, ErrGateFull
	case grouped && g.groups[group] >= g.perGroup:
		return nil, ErrGateGroup
	}
	g.inside++
	if pinned {
		g.pinned++
		g.hosts[addr]++
	}
	if grouped {
		g.groups[group]++
	}
	return sync.OnceFunc(func() { g.leave(addr, group, pinned, grouped) }), nil
}

func (g *Gate) leave(addr netip.Addr, group netip.Prefix, pinned, grouped bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if pinned {
		g.pinned--
		if g.hosts[addr]--; g.hosts[addr] == 0 {
			delete(g.hosts, addr)
		}
	}
	if grouped {
		if g.groups[group]--; g.groups[group] == 0 {
			delete(g.groups, group)
		}
	}
}

// HalfOpen returns the number of slots taken.
func (g *Gate) HalfOpen() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}

// NetGroup returns the network group of an address: IPv4 /16, IPv6 /32. An
// IPv4 address in IPv6 form belongs to its IPv4 group.
func NetGroup(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is4() {
		bits = 16
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // not an address: one group for all
	}
	return p
}
