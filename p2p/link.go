package p2p

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

// newTransport makes what opens links for n.
func newTransport(n *Network) (*transport.Transport, error) {
	cfg := n.cfg
	limits := message.NewLimits(cfg.Params.Limits)
	memory := cfg.Memory
	if memory == 0 {
		memory = max(defaultMemory, 2*limits.Largest())
	}
	features := message.FeatureRecent | message.FeatureTxRelay | message.FeaturePeers | message.FeatureHints
	if !cfg.Pruned {
		features |= message.FeatureChain
	}
	if n.presence.used {
		features |= message.FeaturePresence
	}
	if cfg.ChainFile != nil {
		features |= message.FeatureChainFile
	}
	var addresses []message.NetAddr
	for _, s := range cfg.External {
		a, err := message.ParseNetAddr(s)
		if err != nil {
			return nil, fmt.Errorf("external %w", err)
		}
		addresses = append(addresses, a)
	}
	return transport.New(transport.Config{
		GenesisHash: cfg.Params.GenesisHash,
		RulesHash:   cfg.Params.RulesHash,
		Key:         cfg.Key,
		Limits:      limits,
		MayConnect:  n.mayConnect,
		Features:    features,
		Withheld:    func() message.Features { return withheld(&cfg) },
		UserAgent:   cfg.UserAgent,
		ListenPort:  listenPort(cfg.Listeners),
		Addresses:   addresses,
		Height:      func() uint32 { return uint32(cfg.Chain.Best().Height) },
		ChainFile:   cfg.ChainFile,
		Budget:      transport.NewBudget(memory),
		Metrics:     cfg.Metrics.transport,
		Now:         cfg.Now,
		Rand:        cfg.Entropy,
	})
}

// listenPort is the port of the first TCP listener, 0 if there is none.
func listenPort(listeners []net.Listener) uint16 {
	for _, l := range listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			return uint16(a.Port)
		}
	}
	return 0
}

// countedConn counts the bytes of a connection, and notes when the last
// went either way.
type countedConn struct {
	net.Conn
	now                func() time.Time
	sent, received     atomic.Uint64
	lastSend, lastRecv atomic.Int64 // nanoseconds since 1970; 0: never
}

func (n *Network) counted(nc net.Conn) *countedConn {
	return &countedConn{Conn: nc, now: n.cfg.Now}
}

func (c *countedConn) Read(b []byte) (int, error) {
	k, err := c.Conn.Read(b)
	if k > 0 {
		c.received.Add(uint64(k))
		c.lastRecv.Store(c.now().UnixNano())
	}
	return k, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	k, err := c.Conn.Write(b)
	if k > 0 {
		c.sent.Add(uint64(k))
		c.lastSend.Store(c.now().UnixNano())
	}
	return k, err
}

// CloseWrite ends the writing side, where the connection has such a thing.
func (c *countedConn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

func fromNano(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
