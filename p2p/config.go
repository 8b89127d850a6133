package p2p

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/addrbook"
)

// Config holds all that a Network is given. Fields without a comment on
// their absence are required.
type Config struct {
	Params *params.Params
	Key    *btcec.PrivateKey // identity of this node
	Chain  Chain
	Pool   Pool
	Book   *addrbook.Book // known addresses; loaded and stored by Run

	// Listeners are served, and closed, by Run. None: no inbound sessions.
	Listeners []net.Listener

	// Dial opens a stream to "host:port".
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// MayConnect decides by the state at the tip who may have a session.
	// Peers are told to ask for the permission; the error is for the log. It
	// must be quick and is called again by Recheck. nil: everybody.
	MayConnect func(xonly [32]byte) error

	// Behind reports whether this node knows that it is catching up, besides
	// what its peers' headers say. Where connect is restricted it then dials
	// pinned and seed identities only and takes no other sessions. It must
	// not be true just because the tip is old: nodes that were all stopped
	// for long could not come together. nil: the headers alone decide.
	Behind func() bool

	// Connect, if not empty, holds the only peers that are dialled.
	Connect []Address
	// AddNodes are dialled besides those that the address book knows.
	AddNodes []Address
	// Seeds are the same, but for as many as there is room for: peers that
	// the chain file names.
	Seeds []Address
	// External holds addresses "host:port" under which peers reach this
	// node, told to them. Empty: the node does not make itself known.
	External []string

	// Pruned: only the last blocks are served, and peers are told so.
	Pruned bool

	// History says which blocks below the tip the chain still wants, to check
	// what lies below a UTXO snapshot; peers are told that they are not here.
	// nil: it has them all.
	History func() (h History, wanted bool)

	// ChainFile returns the chain file for peers that join and have none.
	// nil: not served.
	ChainFile func() ([]byte, error)

	UserAgent   string // "name/version", shown to peers; may be empty
	MaxInbound  int    // sessions, without those with pinned peers; 0: 117
	MaxOutbound int    // sessions to addresses from the book; 0: 8

	// Memory is the budget in bytes for messages that arrive. 0: 256 MiB,
	// or twice the chain's largest message if that is more.
	Memory int64

	Now     func() time.Time // also drives the deadlines of connections
	Rand    *rand.Rand       // jitter and choice of peers; used under a lock
	Entropy io.Reader        // cryptographic randomness, safe for concurrent use
	Log     *slog.Logger
	Metrics *Metrics // nil: not counted
}

const (
	defaultMaxInbound  = 117
	defaultMaxOutbound = 8
	defaultMemory      = 256 << 20
)

// withDefaults checks that everything required is there and fills in the rest.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Params == nil:
		return c, errors.New("p2p: no chain parameters")
	case c.Key == nil:
		return c, errors.New("p2p: no identity key")
	case c.Chain == nil || c.Pool == nil || c.Book == nil:
		return c, errors.New("p2p: chain, pool and address book are required")
	case c.Dial == nil || c.Now == nil || c.Rand == nil || c.Entropy == nil || c.Log == nil:
		return c, errors.New("p2p: dialler, clock, randomness and log are required")
	case c.MaxInbound < 0 || c.MaxOutbound < 0:
		return c, errors.New("p2p: limits of sessions must not be negative")
	}
	if c.MaxInbound == 0 {
		c.MaxInbound = defaultMaxInbound
	}
	if c.MaxOutbound == 0 {
		c.MaxOutbound = defaultMaxOutbound
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	c.Log = c.Log.With("pkg", "p2p")
	return c, nil
}
