package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// Config is what a Chain is built from. Params, Store and Checker are
// required; the Chain does not close the Store.
type Config struct {
	Params  *params.Params
	Store   *store.Store
	Checker *sigcheck.Checker
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics

	// CacheBytes is the budget of the UTXO cache.
	CacheBytes int64

	// FlushEvery is the longest time that accepted blocks stay unflushed
	// while Run is active. 0: 5 minutes.
	FlushEvery time.Duration

	// SettleDepth is how many blocks below the tip the best branch is never
	// left without the operator, where blocks carry seals; twice as many as
	// different members have to seal in a row at least. 0: the chain file's.
	SettleDepth int32

	// Anchor is a block that has to be in the chain: other branches at its
	// height are not followed.
	Anchor Anchor

	// CatchUpLater: New leaves it to CatchUp to connect stored blocks that
	// the committed chain state does not have yet.
	CatchUpLater bool

	// Prune allows old block and undo files to be removed: by PruneTo, and
	// where PruneTarget (bytes of all these files) is not 0, by Run.
	Prune       bool
	PruneTarget int64

	// PruneStep is after how many bytes of new records Run looks whether
	// they are more. 0: 16 MiB.
	PruneStep int64
}

// Chain is the block index, the UTXO set and the best branch.
//
// Two locks: change serialises everything that alters the chain, and is
// held through disk access and script checks. mu guards the index, the best
// branch and the node fields that say so; it is held for short moments
// only, never while calling out. change is taken before mu.
type Chain struct {
	cfg   Config
	p     *params.Params
	store *store.Store
	cache *utxo.Cache
	log   *slog.Logger

	perm   *history // who may do what; nil: everybody everything. Written under both locks
	proofs rowBook  // of seals
	hints  hintBook

	change sync.Mutex
	// Guarded by change:
	orphans      *orphans
	unlinked     map[*node][]*node    // children with bodies that wait for the key's ancestors' bodies
	pruneHold    func() (int32, bool) // see HoldPruning; nil: nobody needs old blocks
	added        int64                // bytes of records since Run was told
	backingUp    bool                 // Backup copies files: none is removed
	undecided    map[[32]byte]int     // undecided headers by source
	maxUndecided int                  // MaxUndecided outside tests
	trialBytes   int64                // trialBytes outside tests

	mu sync.RWMutex
	// Guarded by mu:
	index      map[chainhash.Hash]*node
	best       []*node // by height; the last one is the tip
	precious   int64   // calls of Precious so far
	bestHeader *node
	candidates map[*node]struct{} // linked, not failed, better than the tip
	dirty      []*node            // index rows to write with the next flush
	spares     spares             // written under change too
	doubles    []DoubleSeal
	pruned     int32      // height up to which the best branch lacks data; nothingPruned
	snap       *snapState // a UTXO snapshot whose history is not checked yet; nil: none. Written under change too

	snapRow *snapshotRow // what the chain state said of a snapshot when it was loaded

	flush    flusher
	events   events
	resume   chan struct{} // holds a value when a cancelled call left the best branch half way
	pruneNow chan struct{} // holds a value when the size on disk may be over the target
	bgKick   chan struct{} // holds a value when the check below a snapshot may go on
	failure  failure

	lookahead *lookahead
	hintWork  *hintWork

	faults  faults // of blocks in the index
	strange faults // of others, which are cheaper to make

	otherHistory atomic.Bool // a branch without the anchor was offered
}

// New loads the chain from the store, finishes what an interrupted run left
// behind, and returns it ready for use. An empty store begins with the
// genesis block.
func New(ctx context.Context, cfg Config) (*Chain, error) {
	if cfg.FlushEvery == 0 {
		cfg.FlushEvery = 5 * time.Minute
	}
	if cfg.PruneStep == 0 {
		cfg.PruneStep = 16 << 20
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	c := &Chain{
		cfg:          cfg,
		p:            cfg.Params,
		store:        cfg.Store,
		log:          cfg.Log.With("pkg", "chain"),
		unlinked:     make(map[*node][]*node),
		index:        make(map[chainhash.Hash]*node),
		candidates:   make(map[*node]struct{}),
		orphans:      newOrphans(cfg.Params.Limits.BlockSerialized),
		resume:       make(chan struct{}, 1),
		pruneNow:     make(chan struct{}, 1),
		bgKick:       make(chan struct{}, 1),
		pruned:       nothingPruned,
		perm:         newHistory(cfg.Params),
		undecided:    make(map[[32]byte]int),
		maxUndecided: MaxUndecided,
		trialBytes:   trialBytes,
		lookahead:    newLookahead(cfg.CacheBytes),
		hintWork:     newHintWork(),
	}
	c.failure.done = make(chan struct{})
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	if err := c.checkAnchored(); err != nil {
		return nil, err
	}
	return c, nil
}

// Run flushes the chain to disk from time to time, finishes what calls that
// were cancelled left half way, and checks the history below a UTXO snapshot.
// It returns nil once ctx is done, and an error as soon as the storage has
// failed: then nothing may be written any more and the node has to stop. So
// it does where the snapshot is wrong (*SnapshotError).
func (c *Chain) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { c.runBackground(ctx) })
	background.Go(func() { c.runHints(ctx) })
	defer background.Wait()
	defer cancel()
	return c.run(ctx)
}

func (c *Chain) run(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.failure.done:
			return c.failure.get()
		case <-c.resume:
			c.change.Lock()
			err := c.activateBest(ctx, nil)
			c.change.Unlock()
			if err != nil {
				c.log.Debug("best branch not reached", "err", err)
			}
		case <-c.pruneNow:
			if err := c.pruneNowAndThen(ctx); err != nil {
				return err
			}
		case <-tick.C:
			if err := c.Flush(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			if err := c.pruneNowAndThen(ctx); err != nil {
				return err
			}
		}
	}
}

// Close flushes what was accepted. The chain must not be used afterwards.
func (c *Chain) Close() error {
	c.lookahead.close()
	err := errors.Join(c.closeBackground(), c.Flush(context.Background()))
	c.flush.running.Wait()
	return err
}

// failure remembers the first error that makes the storage unusable.
type failure struct {
	mu   sync.Mutex
	err  error
	done chan struct{} // closed once err is set
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.done)
	}
}

// fatal records that the storage failed and returns err. Errors that come
// from a cancelled context, or that break a rule, are passed through.
func (c *Chain) fatal(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if consensus.AsRule(err) == nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		c.failure.set(err)
	}
	return err
}

// tip is the best block. The caller holds mu or change.
func (c *Chain) tip() *node { return c.best[len(c.best)-1] }

// onBest reports whether n is on the best branch. mu or change held.
func (c *Chain) onBest(n *node) bool {
	return int(n.height) < len(c.best) && c.best[n.height] == n
}

// touch notes that n's index row must be written. Undecided headers are in
// memory only, but for those that a body stands on: rows lead to genesis. mu
// held.
func (c *Chain) touch(n *node) {
	if n.undecided() && n.status&statusData == 0 && !n.saved {
		return
	}
	c.keepRow(n)
	for at := n.parent; at != nil && at.undecided() && !at.dirty && !at.saved; at = at.parent {
		c.keepRow(at)
	}
}

// keepRow notes that n's index row must be written, whatever n is. mu held.
func (c *Chain) keepRow(n *node) {
	if !n.dirty {
		n.dirty = true
		c.dirty = append(c.dirty, n)
	}
}
