package p2p

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
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

	BytesSent, BytesRecv           uint64
	BytesSentByType                map[string]uint64
	BytesRecvByType                map[string]uint64
	StartHeight                    int32 // best height the peer told first; -1: none yet
	BestHeight                     int32 // best header known to be the peer's; -1: none yet
	BestHash                       chainhash.Hash
	CommonHeight                   int32 // last block we are known to share; -1: none yet
	InFlight                       []int32
	TxAnnouncements, AddrProcessed uint64
}

// SyncStatus says how far this node is behind its peers.
type SyncStatus struct {
	Peers      int   // sessions
	BestHeight int32 // best header height that any peer is known to have; -1: none
	Syncing    bool  // blocks are known that are being fetched, or headers still arrive
}

// NodeInfo is a pinned peer and what became of it, for getaddednodeinfo.
type NodeInfo struct {
	Node      string // as it was given
	Connected bool
	Addr      string // of the session, when connected
	Inbound   bool
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
