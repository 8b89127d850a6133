package rpc

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/charterchain/charter/rpc/client"
)

// Entrance is how others reach this node, and who refuses it.
type Entrance struct {
	Identity  string
	Addresses []string // host:port, the best first
	Settled   int32    // height of a block that is not undone any more; 0: none
	RefusedBy []client.RefusedPeer
}

// joinMethods say how other nodes join the chain.
type joinMethods struct{ cfg *Config }

func (m *joinMethods) methods() []*method {
	return []*method{{
		name: "getjoininfo", area: "Network", run: m.getJoinInfo,
		params: []param{{
			name: "host", want: "string", fallback: "what --external says, else where the node listens",
			help: "HOST or HOST:PORT under which others reach this node.",
		}},
		summary: "Returns the line by which other nodes join the chain (charter join), and which peers refuse this node.",
		result:  "An object.",
	}}
}

func (m *joinMethods) getJoinInfo(_ context.Context, c *call) (any, error) {
	host := c.text(0, "")
	if c.err != nil {
		return nil, c.err
	}
	if m.cfg.Entrance == nil {
		return nil, fail(codeP2PDisabled, "Error: Peer-to-peer functionality missing or disabled")
	}
	e := m.cfg.Entrance()
	out := client.JoinInfo{Identity: e.Identity, Genesis: m.cfg.Chain.Params().GenesisHash.String(), RefusedBy: e.RefusedBy}
	if out.RefusedBy == nil {
		out.RefusedBy = []client.RefusedPeer{}
	}
	if host == "" && len(e.Addresses) == 0 {
		return nil, fail(codeMisc, "this node takes no connections: name the host and port under which others reach it")
	}
	var err error
	if out.Host, err = m.hostPort(host, e.Addresses); err != nil {
		return nil, fail(codeInvalidParam, "host: %v", err)
	}
	name, _, _ := net.SplitHostPort(out.Host)
	ip := net.ParseIP(name)
	out.Local = name == "localhost" || ip.IsLoopback()
	out.Line = fmt.Sprintf("charter://%s@%s/%s", out.Identity, out.Host, out.Genesis)
	if e.Settled > 0 {
		if b, ok := m.cfg.Chain.AtHeight(e.Settled); ok {
			out.Settled = &client.BlockRef{Height: b.Height, Hash: b.Hash.String()}
			out.Line += fmt.Sprintf("#%d:%v", b.Height, b.Hash)
		}
	}
	return out, nil
}

// hostPort completes what the caller said by the first known address.
func (m *joinMethods) hostPort(host string, known []string) (string, error) {
	port := strconv.Itoa(int(m.cfg.Chain.Params().Network.DefaultPort))
	first := ""
	if len(known) > 0 {
		var err error
		if first, port, err = net.SplitHostPort(known[0]); err != nil {
			return "", err
		}
	}
	if host == "" {
		if ip := net.ParseIP(first); first == "" || ip.IsUnspecified() {
			first = "127.0.0.1"
		}
		return net.JoinHostPort(first, port), nil
	}
	if net.ParseIP(host) != nil {
		return net.JoinHostPort(host, port), nil
	}
	name, number, err := net.SplitHostPort(host)
	if err != nil {
		return net.JoinHostPort(host, port), nil
	}
	if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 || name == "" {
		return "", fmt.Errorf("%q is no host and port", host)
	}
	return host, nil
}
