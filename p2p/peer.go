package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/relay"
	"github.com/charterchain/charter/p2p/transport"
)

// ending says why this side ends a session.
type ending struct {
	code   message.Code
	reason string // told to the peer and to operators

	// blame says that the peer broke the protocol or a consensus rule: it
	// is refused for a while.
	blame bool
}

func (e *ending) Error() string { return fmt.Sprintf("%s: %s", e.code, e.reason) }

// The endings that operators cause.
var (
	reasonOperator = ending{code: message.CodeShutdown, reason: "the operator ended the session"}
	reasonInactive = ending{code: message.CodeShutdown, reason: "the network is switched off"}
	reasonStopping = ending{code: message.CodeShutdown, reason: "the node stops"}
)

// violation is the ending of a peer that broke the protocol.
func violation(format string, args ...any) *ending {
	return &ending{code: message.CodeProtocol, reason: fmt.Sprintf(format, args...), blame: true}
}

// Bounds of what one session may hold here; p2p/README.md lists them all.
const (
	maxOutbox   = 5000  // transactions to be announced
	maxKnownTxs = 20000 // transactions that the peer is known to have; up to twice that
	maxParents  = 100   // transactions asked for at a time because a child waits
	maxAskedTxs = 4000  // transactions asked of the peer, so that they may come
)

// peer is one session.
type peer struct {
	n         *Network
	id        int64 // set by admit
	key       [32]byte
	conn      *transport.Conn
	wire      *countedConn
	hello     *message.Hello // what the peer said of itself
	addr      string         // host:port of the other end
	localAddr string
	inbound   bool
	vouched   bool // dialled, and known by its identity before
	typ       ConnectionType
	connected time.Time
	log       *slog.Logger

	limits  *rateLimits // used by the read loop only
	misled  atomic.Bool // its hints were wrong, so it is not asked for any
	serving *serveQueue

	toTell   chan struct{} // capacity 1: the outbox holds something
	stopOnce sync.Once
	stopped  chan struct{} // closed by stop
	why      ending        // set before stopped is closed
	gone     chan struct{} // closed when the session is no longer listed

	mu        sync.Mutex        // guards the fields below; no calls out while held
	permitted bool              // may connect by the state at the tip, when last judged
	presences map[[32]byte]bool // keys whose presence the peer is to be told
	ping      pingState
	lastBlock time.Time
	lastTx    time.Time
	outbox    *relay.Outbox
	knownTxs  *relay.Known
	askedTxs  map[[32]byte]time.Time // when transactions, by wtxid or txid, were asked for
	addrs     addrState
	announced uint64 // transactions
}

// newPeer makes the session of a link whose handshake is done.
func (n *Network) newPeer(conn *transport.Conn, wire *countedConn, addr string, typ ConnectionType) *peer {
	known := relay.NewKnown(maxKnownTxs)
	p := &peer{
		n:         n,
		key:       conn.PeerKey(),
		conn:      conn,
		wire:      wire,
		hello:     conn.PeerHello(),
		addr:      addr,
		localAddr: conn.LocalAddr().String(),
		inbound:   typ == TypeInbound,
		typ:       typ,
		connected: n.cfg.Now(),
		limits:    newRateLimits(),
		serving:   newServeQueue(),
		toTell:    make(chan struct{}, 1),
		stopped:   make(chan struct{}),
		gone:      make(chan struct{}),
		knownTxs:  known,
		outbox:    relay.NewOutbox(maxOutbox, known),
		askedTxs:  make(map[[32]byte]time.Time),
		presences: make(map[[32]byte]bool),
	}
	p.log = n.log.With("peer", p.addr)
	return p
}

// stop ends the session; the first call decides why. It does not wait.
func (p *peer) stop(e ending) {
	p.stopOnce.Do(func() {
		p.why = e
		close(p.stopped)
	})
}

// serve admits a new link as a session and runs it to its end. The error
// says why it ended; nil if this side's operator ended it. vouched says that
// this side dialled and knew whom to expect.
func (n *Network) serve(ctx context.Context, conn *transport.Conn, wire *countedConn, addr string, typ ConnectionType, vouched bool) error {
	p := n.newPeer(conn, wire, addr, typ)
	p.vouched = vouched
	if refused := n.admit(p); refused != nil {
		n.cfg.Metrics.refused(refused.code)
		conn.Close(refused.code, refused.reason)
		return refused
	}
	n.cfg.Metrics.session(p.inbound, +1)
	defer n.cfg.Metrics.session(p.inbound, -1)
	p.log = p.log.With("id", p.id)
	p.log.Debug("session begins", "inbound", p.inbound, "agent", p.hello.UserAgent)
	n.recheck(p) // the permission may have ended during the handshake
	err := p.run(ctx)
	p.log.Debug("session ends", "err", err)
	n.tellEnded(p, err)
	return err
}

// run does the work of the session until it ends, and closes the link.
func (p *peer) run(ctx context.Context) error {
	n := p.n
	// Before anything is read, so that nothing is missed.
	n.blocks.addPeer(p)
	n.txs.addPeer(p)
	n.presence.addPeer(p)
	g, ctx := errgroup.WithContext(ctx)
	// The link is ended by Close below, with the right reason, and not by
	// the context.
	g.Go(func() error { return p.conn.Run(context.WithoutCancel(ctx)) })
	g.Go(func() error { return p.read(ctx) })
	g.Go(func() error { return p.answer(ctx) })
	g.Go(func() error { return p.tend(ctx) })
	g.Go(func() error {
		select {
		case <-p.stopped:
			return &p.why
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	// The group's context ends with the first error; closing the link then
	// wakes whoever still reads or writes.
	<-ctx.Done()
	e := p.verdict(context.Cause(ctx))
	if e.blame {
		n.refusals.add(p.key, n.cfg.Now())
	}
	p.conn.Close(e.code, e.reason)
	n.remove(p)
	err := g.Wait()
	n.blocks.removePeer(p)
	n.txs.removePeer(p)
	n.cfg.Metrics.ended(e.code)
	return err
}

// verdict turns the error that ended a session into what the peer is told.
func (p *peer) verdict(err error) ending {
	var own *ending
	var proto *transport.ProtocolError
	switch {
	case errors.As(err, &own):
		return *own
	case errors.As(err, &proto):
		return ending{code: proto.Code, reason: clip(proto.Error()), blame: proto.Code == message.CodeProtocol}
	case errors.Is(err, transport.ErrBudget):
		return ending{code: message.CodeResources, reason: "no memory for the message"}
	case errors.Is(err, context.Canceled):
		return reasonStopping
	}
	return ending{code: message.CodeUnspecified}
}

// clip makes a text fit to be a reason: printable ASCII of bounded length.
func clip(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			b[i] = '?'
		}
	}
	return string(b[:min(len(b), message.MaxReason)])
}

// read takes messages in until the link ends or the peer breaks a rule.
func (p *peer) read(ctx context.Context) error {
	for {
		m, err := p.conn.Receive(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		if err := p.handle(ctx, m); err != nil {
			return err
		}
	}
}

// send queues a message. A peer that does not take what it is sent is cut.
func (p *peer) send(m message.Message) {
	err := p.conn.TrySend(m)
	if errors.Is(err, transport.ErrQueueFull) {
		p.stop(ending{code: message.CodeTimeout, reason: "does not read what it is sent"})
	}
	var bad *message.EncodeError
	if errors.As(err, &bad) {
		panic("p2p: " + bad.Error()) // our own message breaks the format
	}
}
