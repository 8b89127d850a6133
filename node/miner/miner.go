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

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool"
)

// Chain is what the miner needs of the chain.
type Chain interface {
	Best() chain.BlockInfo
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
// PayoutScript too for Run.
type Config struct {
	Chain  Chain
	Pool   Pool
	Params *params.Params
	Now    func() time.Time

	PayoutScript []byte // takes subsidy and fees of what Run finds
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

	mu      sync.Mutex
	status  Status
	arrived time.Time // when the best block became it; zero: before Run
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
		status:  Status{Reason: "not started"},
		nonces:  1 << 32,
	}
	m.extraNonce.Store(cfg.ExtraNonce)
	return m
}

// Status says what the miner does at one moment.
type Status struct {
	Mining   bool   // Run has threads hashing
	Reason   string // why not, where Mining is false
	Threads  int
	HashRate float64 // hashes per second, of the last round that took long enough to tell
	Found    uint64  // blocks that became the best one, since the start
}

// Status returns what the miner does now.
func (m *Miner) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// update changes the status.
func (m *Miner) update(change func(s *Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.status)
}

func (m *Miner) idle(reason string) {
	m.update(func(s *Status) { s.Mining, s.Reason = false, reason })
	m.metrics.mining.Set(0)
}

// Run mines until ctx is done and then returns nil. A block that the chain
// refuses, or that could not be made, is logged, and mining goes on after a
// second.
func (m *Miner) Run(ctx context.Context) error {
	if len(m.cfg.PayoutScript) == 0 {
		return errors.New("miner: no payout script: an address for mined coins is needed")
	}
	moved := make(chan struct{}, 1)
	cancel := m.cfg.Chain.Subscribe(func(ev chain.Event) {
		if ev.Kind != chain.Settled {
			return
		}
		m.mu.Lock()
		m.arrived = m.cfg.Now()
		m.mu.Unlock()
		select {
		case moved <- struct{}{}:
		default:
		}
	})
	defer cancel()
	defer m.idle("stopped")
	for ctx.Err() == nil {
		if err := m.step(ctx, moved); err != nil && ctx.Err() == nil {
			m.log.Warn("mining failed", "err", err)
			m.idle(err.Error())
			sleep(ctx, retryAfter, moved)
		}
	}
	return nil
}

// step waits until mining is allowed, or mines one round.
func (m *Miner) step(ctx context.Context, moved <-chan struct{}) error {
	if reason := m.cfg.Hold(); reason != "" {
		m.idle(reason)
		sleep(ctx, retryAfter, moved)
		return nil
	}
	if wait := m.pause(); wait > 0 {
		m.idle("waiting for the block time")
		sleep(ctx, wait, moved)
		return nil
	}
	drain(moved) // the template is made after whatever this told of
	t, err := m.template(ctx, m.cfg.PayoutScript, nil)
	if err != nil {
		return fmt.Errorf("make a block template: %w", err)
	}
	if wait := m.untilRelease(t); wait > 0 {
		m.idle("waiting for the least time of the next block")
		sleep(ctx, wait, moved)
		return nil
	}
	m.update(func(s *Status) { s.Mining, s.Reason, s.Threads = true, "", m.cfg.Threads })
	m.metrics.mining.Set(1)
	m.metrics.templates.Inc()
	b := m.round(ctx, t, moved)
	if b == nil {
		return nil
	}
	_, err = m.submit(ctx, b)
	return err
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

func (m *Miner) template(ctx context.Context, script []byte, fixed []*consensus.Tx) (*mempool.Template, error) {
	return m.cfg.Pool.Template(ctx, mempool.TemplateOptions{CoinbaseScript: script, Text: m.cfg.Text, Fixed: fixed})
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
