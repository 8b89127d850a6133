package p2p

import (
	"math"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/p2p/message"
)

// ConnectionType says how a session came about, in the words of Bitcoin
// Core's getpeerinfo.
type ConnectionType string

// The kinds of sessions.
const (
	TypeInbound  ConnectionType = "inbound"
	TypeOutbound ConnectionType = "outbound-full-relay" // from the address book
	TypeManual   ConnectionType = "manual"              // --connect, --addnode, addnode
)

// PeerInfo is a snapshot of one session.
type PeerInfo struct {
	ID        int64    // counts up; never used twice in a run
	Key       [32]byte // x-only key of the peer
	Identity  string   // the same as an address of this chain
	Addr      string   // host:port of the other end
	LocalAddr string
	Inbound   bool
	Type      ConnectionType
	UserAgent string

	Connected  time.Time
	LastSend   time.Time // zero: never
	LastRecv   time.Time
	LastBlock  time.Time     // last new block from this peer
	LastTx     time.Time     // last new transaction from this peer
	Ping       time.Duration // last round trip; 0: not measured yet
	MinPing    time.Duration
	PingWait   time.Duration // how long a ping has been unanswered; 0: none is
	TimeOffset time.Duration // peer's clock less ours, as of the handshake

	BytesSent     uint64 // on the wire, TLS included
	BytesRecv     uint64
	StartHeight   int32 // best height as the peer said in its handshake
	BestHeight    int32 // best header known to be the peer's; -1: none yet
	BestHash      chainhash.Hash
	CommonHeight  int32   // last block of our best branch that the peer is known to have; -1: none yet
	InFlight      []int32 // heights of blocks that the peer owes us
	Announced     uint64  // transactions that the peer announced
	AddrProcessed uint64  // addresses that the peer told
	RelaysTxs     bool    // the peer wants to hear of transactions
}

// SyncStatus says how far this node is behind its peers.
type SyncStatus struct {
	Peers      int   // sessions
	BestHeight int32 // best header height that any peer claims; -1: none
	Lag        int32 // blocks behind the peers of the best standing; what others claim does not count
	Syncing    bool  // blocks are known that are being fetched, or headers still arrive

	// Ahead is how many blocks beyond the tip the peers claim to have, where
	// mining is restricted. What is undecided of them shows here alone: it
	// is for people, and nothing may wait for it.
	Ahead int32
}

// NodeInfo is a pinned peer and what became of it, for getaddednodeinfo.
type NodeInfo struct {
	Node      string // as it was given
	Connected bool
	Addr      string // of the session, when connected
	Inbound   bool
	Problem   string // why not connected, where one side refuses the other; else empty
}

// Info describes the node itself, for getnetworkinfo.
type Info struct {
	Key                  [32]byte
	Identity             string
	Active               bool
	Inbound, Outbound    int
	Listening            []string // addresses that are listened on
	External             []string
	BytesSent, BytesRecv uint64
}

// describe takes a snapshot of a session.
func (n *Network) describe(p *peer) PeerInfo {
	now := n.cfg.Now()
	info := PeerInfo{
		ID:          p.id,
		Key:         p.key,
		Identity:    FormatIdentity(p.key, n.cfg.Params),
		Addr:        p.addr,
		LocalAddr:   p.localAddr,
		Inbound:     p.inbound,
		Type:        p.typ,
		UserAgent:   p.hello.UserAgent,
		Connected:   p.connected,
		LastSend:    fromNano(p.wire.lastSend.Load()),
		LastRecv:    fromNano(p.wire.lastRecv.Load()),
		TimeOffset:  p.timeOffset(),
		BytesSent:   p.wire.sent.Load(),
		BytesRecv:   p.wire.received.Load(),
		StartHeight: int32(min(p.hello.Height, math.MaxInt32)),
		RelaysTxs:   p.hello.Features.Has(message.FeatureTxRelay),
	}
	p.mu.Lock()
	info.LastBlock, info.LastTx = p.lastBlock, p.lastTx
	info.Ping, info.MinPing = p.ping.last, p.ping.min
	if p.ping.nonce != 0 {
		info.PingWait = now.Sub(p.ping.sent)
	}
	info.Announced, info.AddrProcessed = p.announced, p.addrs.processed
	p.mu.Unlock()
	n.blocks.describe(p, &info)
	return info
}

// timeOffset is the peer's clock less ours, to the second. A clock that is
// centuries off counts as a century off.
func (p *peer) timeOffset() time.Duration {
	const century = 100 * 365 * 24 * 3600
	ours := p.connected.Unix()
	theirs := int64(min(p.hello.Time, uint64(ours)+century))
	return time.Duration(max(theirs-ours, -century)) * time.Second
}

// describe fills in what the syncer knows of a session.
func (s *syncer) describe(p *peer, info *PeerInfo) {
	info.BestHeight, info.CommonHeight = -1, -1
	s.mu.Lock()
	sp := s.peers[p.id]
	known := sp != nil && sp.known
	var best BlockInfo
	if known {
		best = sp.best
	}
	info.InFlight = append(s.history.InFlight(p.id), s.sched.InFlight(p.id)...)
	s.mu.Unlock()
	if known {
		info.BestHeight, info.BestHash = best.Height, best.Hash
		info.CommonHeight = s.common(best, s.chain.Best()).Height
	}
}
