package message

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Network says how the bytes of a NetAddr are read.
type Network byte

// The networks. Others are carried along unread (up to 255 bytes).
const (
	NetworkIPv4 Network = 1 // 4 bytes
	NetworkIPv6 Network = 2 // 16 bytes, not an IPv4-mapped address
	NetworkName Network = 3 // host name: 1 to 253 of [a-z0-9.-], not an IP address
)

// NetAddr is where a node can be dialled. Comparable.
//
//	| field   | type              | bytes |
//	| network | u8                | 1     |
//	| length  | u8                | 1     |
//	| address | by network        | length |
//	| port    | u16, not 0        | 2     |
type NetAddr struct {
	Network Network
	Address string // the raw bytes
	Port    uint16
}

const minNetAddr = 1 + 1 + 1 + 2
const maxNetAddr = 1 + 1 + 255 + 2

// NewNetAddr makes a NetAddr of an IP address (unmapped, without zone).
func NewNetAddr(ap netip.AddrPort) NetAddr {
	ip := ap.Addr().Unmap()
	n := NetworkIPv6
	if ip.Is4() {
		n = NetworkIPv4
	}
	return NetAddr{Network: n, Address: string(ip.AsSlice()), Port: ap.Port()}
}

// ParseNetAddr reads "host:port", where host is an IP address or a name.
func ParseNetAddr(s string) (NetAddr, error) {
	host, portText, err := net.SplitHostPort(s)
	if err != nil {
		return NetAddr{}, fmt.Errorf("address %q: must be host:port: %w", s, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return NetAddr{}, fmt.Errorf("address %q: port must be 1 to 65535", s)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return NewNetAddr(netip.AddrPortFrom(ip.WithZone(""), uint16(port))), nil
	}
	a := NetAddr{Network: NetworkName, Address: host, Port: uint16(port)}
	if fault := a.fault(); fault != "" {
		return NetAddr{}, fmt.Errorf("address %q: %s", s, fault)
	}
	return a, nil
}

// AddrPort returns the IP address; ok is false for names and networks that
// this version does not know.
func (a NetAddr) AddrPort() (ap netip.AddrPort, ok bool) {
	if a.Network != NetworkIPv4 && a.Network != NetworkIPv6 {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice([]byte(a.Address))
	return netip.AddrPortFrom(ip, a.Port), ok
}

// HostPort returns what can be dialled, "host:port"; ok is false for
// networks that this version does not know.
func (a NetAddr) HostPort() (hostPort string, ok bool) {
	if ap, ok := a.AddrPort(); ok {
		return ap.String(), true
	}
	if a.Network == NetworkName {
		return net.JoinHostPort(a.Address, strconv.Itoa(int(a.Port))), true
	}
	return "", false
}

func (a NetAddr) String() string {
	if s, ok := a.HostPort(); ok {
		return s
	}
	return fmt.Sprintf("network%d-%x:%d", a.Network, a.Address, a.Port)
}

// fault says what is wrong with a, or is empty.
func (a NetAddr) fault() string {
	n := len(a.Address)
	switch {
	case a.Network == 0:
		return "network 0 is not used"
	case a.Port == 0:
		return "port 0 cannot be dialled"
	case n == 0 || n > 255:
		return fmt.Sprintf("%d bytes, must be 1 to 255", n)
	case a.Network == NetworkIPv4 && n != 4:
		return fmt.Sprintf("IPv4 address of %d bytes", n)
	case a.Network == NetworkIPv6 && n != 16:
		return fmt.Sprintf("IPv6 address of %d bytes", n)
	case a.Network == NetworkIPv6:
		if netip.AddrFrom16([16]byte([]byte(a.Address))).Is4In6() {
			return "IPv4 address in IPv6 form"
		}
	case a.Network == NetworkName:
		return nameFault(a.Address)
	}
	return ""
}

func nameFault(s string) string {
	if len(s) > MaxHostName {
		return fmt.Sprintf("host name of %d bytes, at most %d", len(s), MaxHostName)
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return "host name may hold only a-z, 0-9, dot and hyphen"
		}
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "IP address written as a host name"
	}
	return ""
}

func (a NetAddr) encode(w *writer) {
	if fault := a.fault(); fault != "" {
		w.fail("address", "%s", fault)
		return
	}
	w.u8(byte(a.Network))
	w.u8(byte(len(a.Address)))
	w.b = append(w.b, a.Address...)
	w.u16(a.Port)
}

func decodeNetAddr(r *reader) NetAddr {
	a := NetAddr{Network: Network(r.u8("network"))}
	n := int(r.u8("address length"))
	a.Address = string(r.take("address", n))
	a.Port = r.u16("port")
	if r.err == nil {
		if fault := a.fault(); fault != "" {
			r.fail("address", "%s", fault)
		}
	}
	return a
}

// GetPeers asks for addresses of other nodes. It has no payload.
type GetPeers struct{}

// Type returns TypeGetPeers.
func (*GetPeers) Type() Type { return TypeGetPeers }

func (*GetPeers) encode(*writer)       {}
func decodeGetPeers(r *reader) Message { return &GetPeers{} }

// PeerAddr is what one node tells of another.
//
//	| field     | type    | bytes  |
//	| address   | NetAddr | 5-259  |
//	| key       | x-only  | 32     | 32 zeros: not known
//	| features  | u64     | 8      |
//	| last seen | u64     | 8      | unix seconds, 0: never
type PeerAddr struct {
	Addr     NetAddr
	Key      [32]byte
	Features Features
	LastSeen uint64
}

const minPeerEntry = minNetAddr + 32 + 8 + 8
const maxPeerEntry = maxNetAddr + 32 + 8 + 8

// Peers answers GetPeers: varint count, then entries (at most MaxPeers).
type Peers struct{ Peers []PeerAddr }

// Type returns TypePeers.
func (*Peers) Type() Type { return TypePeers }

func (m *Peers) encode(w *writer) {
	w.count("peers", len(m.Peers), MaxPeers)
	for i := range m.Peers {
		p := &m.Peers[i]
		p.Addr.encode(w)
		w.hash(p.Key)
		w.u64(uint64(p.Features))
		w.u64(p.LastSeen)
	}
}

func decodePeers(r *reader) Message {
	n := r.count("peers", MaxPeers, minPeerEntry)
	if n == 0 {
		return &Peers{}
	}
	m := &Peers{Peers: make([]PeerAddr, n)}
	for i := range m.Peers {
		m.Peers[i] = PeerAddr{
			Addr:     decodeNetAddr(r),
			Key:      r.hash("key"),
			Features: Features(r.u64("features")),
			LastSeen: r.u64("last seen"),
		}
	}
	return m
}
