package miner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/mempool"
)

// Chain is what the miner needs of the chain.
type Chain interface {
	Next() chain.NextBlock
	Lookup(hash chainhash.Hash) (chain.BlockInfo, bool)
	Sealers(n int) []chain.Sealing
	Conflict() (chain.Conflict, bool)
	AcceptBlock(ctx context.Context, b *consensus.Block) (chain.Result, error)
	CheckProposal(ctx context.Context, b *consensus.Block) error
	Subscribe(fn func(chain.Event)) (cancel func())
}

// Pool is what the miner needs of the pool.
type Pool interface {
	Template(ctx context.Context, opts mempool.TemplateOptions) (*mempool.Template, error)
	Generation() uint64
}

// Config is what a Miner needs. Chain, Pool, Params and Now must be given;
// for Run, PayoutScript too where mining is everybody's.
type Config struct {
	Chain  Chain
	Pool   Pool
	Params *params.Params
	Now    func() time.Time

	// Key seals the blocks where mining is restricted: its x-only public key
	// is an identity of a member, in the role mine. nil: no such block can be
	// made here.
	Key *btcec.PrivateKey

	// Present returns the x-only keys of the nodes that were seen within some
	// time, by sessions or signed messages. Where mining is restricted, Run
	// makes no blocks while too few members that mine are among them. nil: it
	// does not ask.
	Present func(within time.Duration) [][32]byte

	// SkipEmpty lets Run rest when no transaction waits and everything in the
	// chain is safe; see the package documentation.
	SkipEmpty bool

	PayoutScript []byte // takes subsidy and fees of what Run finds, if it may receive
	Text         []byte // goes into the coinbase; see mempool.TemplateOptions

	Threads   int           // of Run; 0: one less than there are processors, at least one
	BlockTime time.Duration // least time between a block and the next round; 0: none
	Refresh   time.Duration // least time between two rounds on the same block; 0: 5 s

	// ExtraNonce is the first extra nonce. Miners with the same payout script
	// should be given different ones.
	ExtraNonce uint64

	// Hold says why Run must not mine now (syncing, no peers), or "". It is
	// asked before each round and every second while it holds. nil: never.
	Hold func() string

	Log     *slog.Logger // nil: no log
	Metrics *Metrics     // nil: none
}

// defaultRefresh is Config.Refresh where it is 0.
const defaultRefresh = 5 * time.Second

// retryAfter is how long Run waits before it looks again at what kept it
// from mining.
const retryAfter = time.Second

// Miner makes blocks. See the package documentation.
type Miner struct {
	cfg     Config
	log     *slog.Logger
	metrics *Metrics

	extraNonce atomic.Uint64 // the next to use
	nonces     uint64        // to try per extra nonce: all 32 bits
	hashes     atomic.Uint64 // since the start
	demand     chan struct{} // capacity 1: held by Generate and GenerateBlock

	moved chan struct{} // capacity 1: Run has to look again

	mu      sync.Mutex
	status  Status
	arrived time.Time         // when the best block became it; zero: before Run
	held    time.Time         // the last moment of a state that is not passing
	restart *seal.Certificate // to be used; nil: none
}

// New makes a miner that does nothing yet.
func New(cfg Config) *Miner {
	if cfg.Threads <= 0 {
		cfg.Threads = max(1, runtime.NumCPU()-1)
	}
	if cfg.Refresh <= 0 {
		cfg.Refresh = defaultRefresh
	}
	if cfg.Hold == nil {
		cfg.Hold = func() string { return "" }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	m := &Miner{
		cfg:     cfg,
		log:     cfg.Log.With("pkg", "miner"),
		metrics: cfg.Metrics,
		demand:  make(chan struct{}, 1),
		moved:   make(chan struct{}, 1),
		status:  Status{State: StateNotStarted, Reason: "not started", Rank: -1},
		nonces:  1 << 32,
	}
	m.extraNonce.Store(cfg.ExtraNonce)
	m.metrics.state(StateNotStarted)
	return m
}

// Status says what the miner does at one moment.
type Status struct {
	Mining   bool   // Run has threads hashing
	State    State  // StateMining, or why not in one word
	Reason   string // why not, in words
	Threads  int
	HashRate float64 // hashes per second, of the last round that took long enough to tell
	Found    uint64  // blocks that became the best one, since the start

	// Where mining is restricted:
	Member  record.MemberID // whose the key is; zero: nobody's that may mine
	Rank    int             // how many members start before it on the present best block; -1: it may not seal the next block
	Next    time.Time       // from when on it may publish its next block; zero where Rank is -1
	Restart bool            // a restart certificate waits for its time
}

// Status returns what the miner does now.
func (m *Miner) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.Restart = m.restart != nil
	return s
}

// update changes the status.
func (m *Miner) update(change func(s *Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.status)
}

// idle says why Run does not mine now.
func (m *Miner) idle(state State, reason string) {
	m.enter(state, reason)
	if !state.passing() {
		m.mu.Lock()
		m.held = m.cfg.Now()
		m.mu.Unlock()
	}
}

// enter changes the state that status and metrics show.
func (m *Miner) enter(state State, reason string) {
	var before State
	m.update(func(s *Status) {
		before = s.State
		s.Mining, s.State, s.Reason = state == StateMining, state, reason
	})
	m.metrics.state(state)
	switch {
	case state == before || state == StateStopped:
	case state.notable():
		m.log.Info("not mining", "state", state, "reason", reason)
	case before.notable():
		m.log.Info("mining goes on", "state", state)
	}
}

// heldAt returns when something outside of the beat of blocks kept Run from
// mining for the last time.
func (m *Miner) heldAt() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held
}

// wake makes Run look again.
func (m *Miner) wake() {
	select {
	case m.moved <- struct{}{}:
	default:
	}
}

// Run mines until ctx is done and then returns nil. A block that the chain
// refuses, or that could not be made, is logged, and mining goes on after a
// second.
func (m *Miner) Run(ctx context.Context) error {
	if len(m.cfg.PayoutScript) == 0 && !m.sealed() {
		return errors.New("miner: no payout script: an address for mined coins is needed")
	}
	cancel := m.cfg.Chain.Subscribe(func(ev chain.Event) {
		if ev.Kind != chain.Settled {
			return
		}
		m.mu.Lock()
		m.arrived = m.cfg.Now()
		m.mu.Unlock()
		m.wake()
	})
	defer cancel()
	defer m.idle(StateStopped, "stopped")
	for ctx.Err() == nil {
		if err := m.step(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("mining failed", "err", err)
			m.idle(StateFailed, err.Error())
			sleep(ctx, retryAfter, m.moved)
		}
	}
	return nil
}

// step waits until mining is allowed, or mines one round.
func (m *Miner) step(ctx context.Context) error {
	if reason := m.cfg.Hold(); reason != "" {
		m.rest(ctx, StateHeld, reason, retryAfter)
		return nil
	}
	if wait := m.pause(); wait > 0 {
		m.rest(ctx, StateBlockTime, "waiting for the block time", wait)
		return nil
	}
	drain(m.moved) // what follows is asked after whatever this told of
	p := m.look()
	m.show(p.turn)
	if p.turn.state != StateMining {
		m.rest(ctx, p.turn.state, p.turn.reason, retryAfter)
		return nil
	}
	if m.cfg.SkipEmpty {
		t, err := m.template(ctx, &p)
		if err != nil {
			return fmt.Errorf("make a block template: %w", err)
		}
		if reason, ok := m.needless(&p, t); ok {
			m.rest(ctx, StateIdle, reason, idlePoll)
			return nil
		}
	}
	if wait := p.turn.at.Sub(m.cfg.Now()); wait > 0 && m.sealed() {
		m.restUntil(ctx, p.turn, wait)
		return nil
	}
	t, err := m.template(ctx, &p)
	if err != nil {
		return fmt.Errorf("make a block template: %w", err)
	}
	if t.Prev.Hash != p.parent.Hash {
		return nil // the best block changed meanwhile
	}
	if wait := m.untilRelease(t); wait > 0 {
		m.rest(ctx, StateMinSpacing, "waiting for the least time of the next block", wait)
		return nil
	}
	return m.mine(ctx, t)
}

// mine does one round and gives the chain what it found.
func (m *Miner) mine(ctx context.Context, t *mempool.Template) error {
	m.update(func(s *Status) { s.Threads = m.cfg.Threads })
	m.enter(StateMining, "")
	m.metrics.templates.Inc()
	b, err := m.round(ctx, t)
	if err != nil || b == nil {
		return err
	}
	_, err = m.submit(ctx, b)
	return err
}

// rest does nothing for d, or until the best block changes.
func (m *Miner) rest(ctx context.Context, state State, reason string, d time.Duration) {
	m.idle(state, reason)
	sleep(ctx, d, m.moved)
}

// restUntil waits for the turn of this miner's member.
func (m *Miner) restUntil(ctx context.Context, t turn, wait time.Duration) {
	if t.rank == 0 {
		m.rest(ctx, StateMinSpacing, "waiting for the least time of the next block", wait)
		return
	}
	m.rest(ctx, StateTurn, fmt.Sprintf("%d members that sealed longer ago are given time to start", t.rank), wait)
}

// show puts a turn into the status.
func (m *Miner) show(t turn) {
	m.update(func(s *Status) {
		s.Member, s.Rank, s.Next = t.member, -1, time.Time{}
		if t.state == StateMining && m.sealed() {
			s.Rank, s.Next = t.rank, t.at
		}
	})
}

// pause returns how long BlockTime still delays the next round.
func (m *Miner) pause() time.Duration {
	m.mu.Lock()
	arrived := m.arrived
	m.mu.Unlock()
	if m.cfg.BlockTime <= 0 || arrived.IsZero() {
		return 0
	}
	return arrived.Add(m.cfg.BlockTime).Sub(m.cfg.Now())
}

// template makes the block that Run mines.
func (m *Miner) template(ctx context.Context, p *prospect) (*mempool.Template, error) {
	return m.cfg.Pool.Template(ctx, mempool.TemplateOptions{CoinbaseScript: m.cfg.PayoutScript, Text: m.cfg.Text, Restart: p.restart})
}

// untilRelease returns how long it takes until a block with the template's
// time may be given to the chain.
func (m *Miner) untilRelease(t *mempool.Template) time.Duration {
	release := t.Block.Header.Timestamp
	if m.cfg.Params.PoW.MinSpacing <= 0 {
		release = release.Add(-m.cfg.Params.PoW.MaxFuture)
	}
	return release.Sub(m.cfg.Now())
}

// submit gives a block to the chain and reports whether it is the best one
// now, or another was faster.
func (m *Miner) submit(ctx context.Context, b *consensus.Block) (best bool, err error) {
	result, err := m.cfg.Chain.AcceptBlock(ctx, b)
	if errors.Is(err, chain.ErrVariant) { // another machine with the same key was faster
		result, err = chain.ResultSide, nil
	}
	if err != nil {
		return false, fmt.Errorf("block %v of our own: %w", b.Hash, err)
	}
	if result != chain.ResultConnected {
		m.metrics.stale.Inc()
		m.log.Debug("found a block too late", "hash", b.Hash)
		return false, nil
	}
	m.metrics.found.Inc()
	m.update(func(s *Status) { s.Found++ })
	m.log.Debug("found a block", "hash", b.Hash, "txs", len(b.Txs))
	return true, nil
}

// sleep waits for d, for the best block to change, or for ctx.
func sleep(ctx context.Context, d time.Duration, moved <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-moved:
	case <-ctx.Done():
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}
