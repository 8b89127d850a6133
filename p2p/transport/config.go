package transport

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/p2p/message"
)

// Config is what a Transport needs. Fields without a default are required.
type Config struct {
	GenesisHash [32]byte // internal byte order
	RulesHash   [32]byte

	// Key is the node key. Its x-only public key is this node's identity.
	Key *btcec.PrivateKey

	Limits *message.Limits

	// MayConnect decides whether a peer with this x-only key may be
	// connected; its error is not sent. Asked by a listener for every
	// peer, by a dialler for peers that it did not pin. It must be quick.
	MayConnect func(key [32]byte) error

	// What Hello says of this node.
	Features   message.Features
	Withheld   func() message.Features // bits of Features that are not announced for now; nil: none
	UserAgent  string                  // at most 64 bytes of printable ASCII
	ListenPort uint16                  // 0: takes no connections
	Addresses  []message.NetAddr       // where others may dial this node
	Height     func() uint32           // of the best block; nil: 0

	// ChainFile returns the chain file for GetChainFile; nil: not served.
	ChainFile func() ([]byte, error)

	// Budget is shared by all links of the node.
	Budget *Budget

	// Metrics may be nil.
	Metrics *Metrics

	// Now is the clock that also drives deadlines of the net.Conns.
	Now func() time.Time

	// Rand is cryptographic randomness, safe for concurrent use.
	Rand io.Reader

	// Timeouts; zero values mean the defaults below.
	Timeouts Timeouts

	// Queue bounds what waits to be sent on one link; zero values mean the
	// defaults below.
	Queue QueueLimits
}

// Timeouts bound how long a link may wait.
type Timeouts struct {
	Handshake time.Duration // TLS and Hello, in all; default 5 s
	ChainFile time.Duration // a GetChainFile exchange, in all; default 60 s
	Idle      time.Duration // between two frames of the peer; default 120 s
	Frame     time.Duration // from a frame's first byte to its last; default 20 s
	Write     time.Duration // for the peer to take a frame; default 60 s
	Bulk      time.Duration // for a message of several frames; default 60 s, plus a second per 32 KiB
	Budget    time.Duration // waiting for memory; default 10 s
}

// QueueLimits bound the messages that wait to be sent on one link.
type QueueLimits struct {
	SmallMessages int   // default 1,024
	SmallBytes    int64 // default 1 MiB
	BulkMessages  int   // default 16
	BulkBytes     int64 // default 8 MiB; one message may always wait, whatever its size
}

func orElse[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (c *Config) setDefaults() {
	t, q := &c.Timeouts, &c.Queue
	orElse(&t.Handshake, 5*time.Second)
	orElse(&t.ChainFile, 60*time.Second)
	orElse(&t.Idle, 120*time.Second)
	orElse(&t.Frame, 20*time.Second)
	orElse(&t.Write, 60*time.Second)
	orElse(&t.Bulk, 60*time.Second)
	orElse(&t.Budget, 10*time.Second)
	orElse(&q.SmallMessages, 1024)
	orElse(&q.SmallBytes, 1<<20)
	orElse(&q.BulkMessages, 16)
	orElse(&q.BulkBytes, 8<<20)
	if c.Height == nil {
		c.Height = func() uint32 { return 0 }
	}
}

func (c *Config) validate() error {
	var faults []error
	need := func(ok bool, field string) {
		if !ok {
			faults = append(faults, fmt.Errorf("transport: Config.%s is required", field))
		}
	}
	need(c.Key != nil, "Key")
	need(c.Limits != nil, "Limits")
	need(c.MayConnect != nil, "MayConnect")
	need(c.Budget != nil, "Budget")
	need(c.Now != nil, "Now")
	need(c.Rand != nil, "Rand")
	if c.Budget != nil && c.Limits != nil {
		if least := c.Limits.Largest(); c.Budget.Size() < least {
			faults = append(faults, fmt.Errorf("transport: budget of %d bytes is below the largest message of this chain, %d bytes", c.Budget.Size(), least))
		}
	}
	return errors.Join(faults...)
}

func (t *Transport) withheld() message.Features {
	if t.cfg.Withheld == nil {
		return 0
	}
	return t.cfg.Withheld()
}
