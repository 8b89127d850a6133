package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

// Network keeps the sessions of one node. All methods are safe for
// concurrent use.
type Network struct {
	cfg       Config
	log       *slog.Logger
	self      [32]byte // own x-only key
	transport *transport.Transport
	gate      *transport.Gate

	blocks *syncer
	txs    *txRelay
	tips   *announcer

	permits  *permits
	notices  *notices
	presence *presence

	work sync.WaitGroup // sessions and dial loops; added to under mu

	mu            sync.Mutex // guards the fields below and Config.Rand; no calls out while held
	ctx           context.Context
	byKey         map[[32]byte]*peer
	nextID        int64
	active        bool
	activeChanged chan struct{} // closed at the next change of active
	pins          []*pin
	dialing       map[string]bool // "host:port" of attempts under way
	onceDials     int             // of dialOnce, not yet connected
	seedTried     map[string]time.Time
	refusals      *refusals
	past          traffic // of sessions that have ended
}

type traffic struct{ sent, received uint64 }

// New checks cfg and builds a Network. Run brings it to life.
func New(cfg Config) (*Network, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Network{
		cfg:           cfg,
		log:           cfg.Log,
		self:          [32]byte(schnorr.SerializePubKey(cfg.Key.PubKey())),
		gate:          transport.NewGate(0, 0, 0),
		byKey:         make(map[[32]byte]*peer),
		active:        true,
		activeChanged: make(chan struct{}),
		dialing:       make(map[string]bool),
		seedTried:     make(map[string]time.Time),
		refusals:      newRefusals(),
		permits:       newPermits(cfg.Params),
		notices:       newNotices(),
	}
	n.presence = newPresence(n)
	if n.transport, err = newTransport(n); err != nil {
		return nil, err
	}
	n.blocks = newSyncer(n)
	n.txs = newTxRelay(n)
	n.tips = newAnnouncer(n)
	if err := n.addPins(); err != nil {
		return nil, err
	}
	return n, nil
}

// addPins pins the peers of the settings and the chain file.
func (n *Network) addPins() error {
	fixed, seeds := n.cfg.AddNodes, n.cfg.Seeds
	if len(n.cfg.Connect) > 0 {
		fixed, seeds = n.cfg.Connect, nil
	}
	for i, a := range slices.Concat(fixed, seeds) {
		err := n.addPin(n.formatAddress(a), a)
		switch {
		case errors.Is(err, ErrNodeAdded), errors.Is(err, errOwnIdentity):
			// A list of seeds may hold a peer twice, or this node.
		case errors.Is(err, ErrTooManyNodes) && i >= len(fixed):
			return nil // the others are tried when nobody else is known
		case err != nil:
			return fmt.Errorf("peer %s: %w", a.HostPort(), err)
		}
	}
	return nil
}

// Run dials, listens and keeps sessions until ctx is done, then says goodbye
// to the peers, stores the address book and returns nil. It must be called
// once. Nothing that a peer does ends it.
func (n *Network) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := n.cfg.Book.Load(); err != nil {
		n.log.Warn("known peers are lost", "err", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	start := func(fn func(context.Context)) {
		g.Go(func() error { fn(ctx); return nil })
	}
	start(n.blocks.feed)
	start(n.blocks.tend)
	start(n.blocks.lookAhead)
	start(n.txs.feed)
	start(n.txs.tend)
	start(n.tips.run)
	start(n.presence.run)
	start(n.keepBook)
	for _, l := range n.cfg.Listeners {
		start(func(ctx context.Context) { n.listen(ctx, l) })
	}
	n.begin(ctx)
	if len(n.cfg.Connect) == 0 {
		start(n.keepOutbound)
	}
	<-ctx.Done()
	err := g.Wait()
	n.end()
	n.work.Wait()
	if saveErr := n.cfg.Book.Save(); saveErr != nil {
		n.log.Warn("known peers were not stored", "err", saveErr)
	}
	return err
}

// begin lets sessions and dial loops start, and starts those of the pins.
func (n *Network) begin(ctx context.Context) {
	n.mu.Lock()
	n.ctx = ctx
	pins := append([]*pin(nil), n.pins...)
	n.mu.Unlock()
	for _, p := range pins {
		n.spawn(func(ctx context.Context) { n.keepPin(ctx, p) })
	}
}

func (n *Network) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ctx = nil
}

// spawn runs fn in a goroutine that Run waits for. It reports false, and
// does nothing, before and after Run.
func (n *Network) spawn(fn func(context.Context)) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx == nil || n.ctx.Err() != nil {
		return false
	}
	ctx := n.ctx
	n.work.Add(1)
	go func() {
		defer n.work.Done()
		fn(ctx)
	}()
	return true
}

// bookInterval is how often the address book is stored.
const bookInterval = 10 * time.Minute

func (n *Network) keepBook(ctx context.Context) {
	for sleep(ctx, bookInterval) {
		if err := n.cfg.Book.Save(); err != nil {
			n.log.Warn("known peers were not stored", "err", err)
		}
	}
}

// Active reports whether the network is switched on.
func (n *Network) Active() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.active
}

// waitActive returns when the network is switched on, or false when ctx is
// done.
func (n *Network) waitActive(ctx context.Context) bool {
	for {
		n.mu.Lock()
		active, changed := n.active, n.activeChanged
		n.mu.Unlock()
		if active {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// switched returns a channel that is closed when SetActive changes the state.
func (n *Network) switched() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.activeChanged
}

// jitter returns a duration between d/2 and d.
func (n *Network) jitter(d time.Duration) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return d/2 + time.Duration(n.cfg.Rand.Int64N(int64(d/2)+1))
}

// sleep waits for d and reports true, or false as soon as ctx is done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sessionGrace is how long after its start a session is protected from a
// second one that the same two nodes began at the same moment.
const sessionGrace = 30 * time.Second

// admit takes up a session, or says why not. Of two sessions with one
// identity this decides, on both sides alike: a peer whose earlier session
// has stood for a while, or that dials again, has lost it, and the new one
// stays; of two that were dialled at the same moment from both ends the one
// dialled by the lower key stays.
func (n *Network) admit(p *peer) *ending {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.active || n.ctx == nil || n.ctx.Err() != nil {
		return &ending{code: message.CodeShutdown, reason: "not taking sessions"}
	}
	pinned := n.pinnedKeyLocked(p.key)
	if until, ok := n.refusals.until(p.key, p.connected); ok && p.typ != TypeManual {
		return &ending{code: message.CodeUnspecified, reason: fmt.Sprintf("refused for %s", until.Sub(p.connected).Round(time.Second))}
	}
	old := n.byKey[p.key]
	switch {
	case old == nil && p.inbound && !pinned && n.inboundLocked() >= n.cfg.MaxInbound:
		return &ending{code: message.CodeFull, reason: "no slot is free"}
	case old != nil && n.keepOld(old, p):
		return &ending{code: message.CodeDuplicate, reason: "another session is kept"}
	}
	if old != nil {
		old.stop(ending{code: message.CodeDuplicate, reason: "a newer session replaces this one"})
	}
	n.nextID++
	p.id = n.nextID
	n.byKey[p.key] = p
	return nil
}

// keepOld reports whether an existing session stays and p goes.
func (n *Network) keepOld(old, p *peer) bool {
	if old.inbound == p.inbound || p.connected.Sub(old.connected) >= sessionGrace {
		return false
	}
	weAreLower := string(n.self[:]) < string(p.key[:])
	dialledByLower := old.inbound != weAreLower
	return dialledByLower
}

func (n *Network) inboundLocked() int {
	count := 0
	for _, p := range n.byKey {
		if p.inbound && !n.pinnedKeyLocked(p.key) {
			count++
		}
	}
	return count
}

// remove forgets a session that has ended.
func (n *Network) remove(p *peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.past.sent += p.wire.sent.Load()
	n.past.received += p.wire.received.Load()
	if n.byKey[p.key] == p {
		delete(n.byKey, p.key)
	}
	close(p.gone)
}

// connected reports whether there is a session with an identity.
func (n *Network) connected(key [32]byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byKey[key] != nil
}

// peerByID returns a session, or nil if it has ended.
func (n *Network) peerByID(id int64) *peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.byKey {
		if p.id == id {
			return p
		}
	}
	return nil
}
