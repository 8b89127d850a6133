package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/store"
)

// Config says which indexes there are and where they get blocks from.
// Params, Store, Source and Log are required.
type Config struct {
	Params *params.Params
	Store  *store.Store
	Source Source

	Tx     bool // transactions by id
	Addr   bool // history and unspent outputs by script
	Filter bool // compact block filters (BIP158)

	CacheBytes int64 // memory for the databases of all; 0: 8 MiB each

	Log     *slog.Logger
	Metrics *Metrics // nil: not collected
}

// Set is the indexes of a node. It is safe for concurrent use.
type Set struct {
	followers []*follower
	tx        *Tx
	addr      *Addr
	filter    *Filter
}

// Status says how far an index is.
type Status struct {
	Name       string // "txindex", "addrindex" or "basic block filter index"
	Synced     bool   // at the best block
	Height     int32  // of the last block in it; -1: empty
	Hash       chainhash.Hash
	BestHeight int32
	Message    string // why it does not go on; empty: it does
}

// NotReadyError says that an index cannot answer now. It says nothing about
// what was asked for.
type NotReadyError struct{ Status Status }

func (e *NotReadyError) Error() string {
	s := fmt.Sprintf("the %s is still being built: it is at height %d of %d", e.Status.Name, e.Status.Height, e.Status.BestHeight)
	if e.Status.Message != "" {
		s = fmt.Sprintf("the %s does not go on from height %d: %s", e.Status.Name, e.Status.Height, e.Status.Message)
	}
	return s
}

// Open opens the chosen indexes. One that is damaged is there, says so, and
// does nothing; an error means that the store has failed.
func Open(cfg Config) (*Set, error) {
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	cfg.Log = cfg.Log.With("pkg", "index")
	s := new(Set)
	if cfg.Tx {
		k := new(txKind)
		f, err := s.open(k, &cfg)
		if err != nil {
			return nil, err
		}
		s.tx = &Tx{reader{f}}
	}
	if cfg.Addr {
		k := newAddrKind(cfg.Params)
		f, err := s.open(k, &cfg)
		if err != nil {
			return nil, err
		}
		k.db = f.db
		s.addr = &Addr{reader{f}}
	}
	if cfg.Filter {
		k := new(filterKind)
		f, err := s.open(k, &cfg)
		if err != nil {
			return nil, err
		}
		k.db = f.db
		s.filter = &Filter{reader{f}}
	}
	return s, nil
}

func (s *Set) open(k kind, cfg *Config) (*follower, error) {
	on := int64(0)
	for _, yes := range []bool{cfg.Tx, cfg.Addr, cfg.Filter} {
		if yes {
			on++
		}
	}
	cache := cfg.CacheBytes / on
	if cache == 0 {
		cache = 8 << 20
	}
	db, err := cfg.Store.OpenIndex(k.folder(), cache)
	f := newFollower(k, db, cfg)
	if err == nil {
		err = f.load()
	}
	switch {
	case err == nil:
	case cfg.Store.Err() != nil || db == nil && !isDamage(err):
		return nil, fmt.Errorf("%s: %w", k.name(), err)
	default:
		f.breakWith(err)
	}
	s.followers = append(s.followers, f)
	return f, nil
}

// Run keeps the indexes at the best block until ctx is done; then it returns
// nil. It returns an error when the store has failed: then the node has to
// stop.
func (s *Set) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range s.followers {
		if f.ok() {
			g.Go(func() error { return f.run(ctx) })
		}
	}
	return g.Wait()
}

// Close ends the use of the databases, after Run has returned. Closing the
// store does so too.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.followers {
		if f.db != nil {
			errs = append(errs, f.db.Close())
		}
	}
	return errors.Join(errs...)
}

func (f *follower) ok() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken == nil
}

// Wake says that the best branch has changed. It never blocks.
func (s *Set) Wake() {
	for _, f := range s.followers {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// Status returns the state of every index, in a fixed order.
func (s *Set) Status() []Status {
	if s == nil {
		return nil
	}
	list := make([]Status, len(s.followers))
	for i, f := range s.followers {
		list[i] = f.status()
	}
	return list
}

// Needs returns the lowest height whose block and undo data an index has not
// read yet; false if nothing is needed. Data of blocks that may yet leave
// the best branch is needed as well.
func (s *Set) Needs() (height int32, ok bool) {
	if s == nil {
		return 0, false
	}
	for _, f := range s.followers {
		if next := f.position().height + 1; f.ok() && (!ok || next < height) {
			height, ok = next, true
		}
	}
	return height, ok
}

// Tx returns the transaction index, nil where there is none.
func (s *Set) Tx() *Tx {
	if s == nil {
		return nil
	}
	return s.tx
}

// Addr returns the address index, nil where there is none.
func (s *Set) Addr() *Addr {
	if s == nil {
		return nil
	}
	return s.addr
}

// Filter returns the filter index, nil where there is none.
func (s *Set) Filter() *Filter {
	if s == nil {
		return nil
	}
	return s.filter
}

// reader is what the indexes have in common for those who ask.
type reader struct{ f *follower }

// Ready waits until the index holds the block that is the best one now, if
// it lacks the last blocks only. Otherwise: a *NotReadyError.
func (r reader) Ready(ctx context.Context) error { return r.f.await(ctx) }

// view runs fn on the rows as they are now; at is the last block in them.
func (r reader) view(fn func(v *store.IndexView, at position) error) error {
	if !r.f.ok() {
		return &NotReadyError{r.f.status()}
	}
	err := r.f.db.View(func(v *store.IndexView) error {
		at, _, err := positionOf(v, r.f.kind.folder())
		if err != nil {
			return err
		}
		return fn(v, at)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", r.f.kind.name(), err)
	}
	return nil
}
