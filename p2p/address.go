package p2p

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
)

// urlScheme starts the long form of a peer address.
const urlScheme = "charter://"

// p2trPrefix starts the output script of an identity: OP_1, then a push of
// the 32-byte x-only key.
const p2trPrefix = "\x51\x20"

// Address says where a peer is dialled and, where it is pinned, who must
// answer there.
type Address struct {
	Host string // name or IP address, without brackets
	Port uint16

	// Key is the x-only key that must answer; zeros: anybody may.
	Key [32]byte

	// Genesis is the chain the address is meant for, if it says so.
	Genesis *chainhash.Hash
}

// Pinned reports whether the address says who must answer.
func (a Address) Pinned() bool { return a.Key != [32]byte{} }

// HostPort is the address in the form that dialling needs.
func (a Address) HostPort() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// addrPort returns the address as one of the book's, if the host is an IP.
func (a Address) addrPort() (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(a.Host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap(), a.Port), true
}

// ParseAddress reads one of the forms in which people write a peer:
//
//	host:port
//	identity@host:port
//	charter://identity@host:port
//	charter://identity@host:port/genesis hash
//
// The port may be left out (the chain's default), an IPv6 address stands in
// brackets. The identity is the taproot address of the peer's key. The error
// says which part is wrong and how it should look.
func ParseAddress(s string, p *params.Params) (Address, error) {
	a, err := parseAddress(s, p)
	if err != nil {
		return Address{}, fmt.Errorf("peer %q: %w", s, err)
	}
	return a, nil
}

func parseAddress(s string, p *params.Params) (Address, error) {
	if strings.TrimSpace(s) != s || s == "" {
		return Address{}, errors.New("is empty or has blanks around it; write host:port, identity@host:port or charter://identity@host:port")
	}
	var a Address
	rest, isURL := strings.CutPrefix(s, urlScheme)
	if !isURL && strings.Contains(s, "://") {
		return a, errors.New("only addresses that start with charter:// may hold \"://\"")
	}
	if isURL {
		var path string
		rest, path, _ = strings.Cut(rest, "/")
		if err := a.parseGenesis(path, p); err != nil {
			return a, err
		}
	}
	if identity, host, found := strings.Cut(rest, "@"); found {
		key, err := ParseIdentity(identity, p)
		if err != nil {
			return a, err
		}
		a.Key, rest = key, host
	} else if isURL {
		return a, errors.New("charter:// addresses name the identity: charter://identity@host:port")
	}
	return a, a.parseHostPort(rest, p.Network.DefaultPort)
}

func (a *Address) parseGenesis(path string, p *params.Params) error {
	if path == "" {
		return nil
	}
	if len(path) != 2*chainhash.HashSize {
		return fmt.Errorf("genesis hash %q: has %d characters, want 64", path, len(path))
	}
	if _, err := hex.DecodeString(path); err != nil {
		return fmt.Errorf("genesis hash %q: want 64 hexadecimal digits", path)
	}
	hash, err := chainhash.NewHashFromStr(path)
	if err != nil {
		return fmt.Errorf("genesis hash %q: %w", path, err)
	}
	if *hash != p.GenesisHash {
		return fmt.Errorf("is meant for the chain with genesis hash %s; this node follows %s (%s)", hash, p.Name, p.GenesisHash)
	}
	a.Genesis = hash
	return nil
}

func (a *Address) parseHostPort(s string, defaultPort uint16) error {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if port == "" {
			return fmt.Errorf("port is missing after %q", s)
		}
	}
	bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if bracketed {
		host = host[1 : len(host)-1]
	}
	if err := checkHost(host, bracketed); err != nil {
		return err
	}
	a.Host, a.Port = host, defaultPort
	if port == "" {
		if defaultPort == 0 {
			return errors.New("needs a port: the chain file names no default_port")
		}
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' {
		return fmt.Errorf("port %q: want a number from 1 to 65535", port)
	}
	a.Port = uint16(n)
	return nil
}

func checkHost(host string, bracketed bool) error {
	if host == "" {
		return errors.New("has no host; write host:port")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Is6() && !bracketed {
			return fmt.Errorf("IPv6 address %s: write it in brackets, [%s]:port", host, host)
		}
		if !ip.Is6() && bracketed {
			return fmt.Errorf("only an IPv6 address stands in brackets, not %s", host)
		}
		return nil
	}
	if bracketed {
		return fmt.Errorf("%q in brackets is no IPv6 address", host)
	}
	if len(host) > 253 {
		return fmt.Errorf("host name of %d characters, at most 253 are possible", len(host))
	}
	for _, c := range []byte(host) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return fmt.Errorf("host %q: character %q cannot stand in a host name", host, c)
		}
	}
	return nil
}

// ParseIdentity reads an identity: the taproot address, with this chain's
// prefix, of a 32-byte x-only key.
func ParseIdentity(s string, p *params.Params) ([32]byte, error) {
	var key [32]byte
	script, err := p.Address.Decode(s)
	if err != nil {
		return key, fmt.Errorf("identity %q: %w", s, err)
	}
	if len(script) != 34 || string(script[:2]) != p2trPrefix {
		return key, fmt.Errorf("identity %q: is an address of this chain, but not a taproot one as identities are", s)
	}
	copy(key[:], script[2:])
	if key == [32]byte{} {
		return key, fmt.Errorf("identity %q: is the address of no key", s)
	}
	return key, nil
}

// FormatIdentity is the inverse of ParseIdentity.
func FormatIdentity(key [32]byte, p *params.Params) string {
	text, _ := p.Address.Encode(append([]byte(p2trPrefix), key[:]...)) // a P2TR script always has an address
	return text
}
