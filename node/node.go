package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/index"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/mempool"
	"github.com/charterchain/charter/node/config"
	"github.com/charterchain/charter/node/miner"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/rpc"
)

// Options are what a Node is built from. All but BlockTime are required.
type Options struct {
	Config  *config.Config
	Params  *params.Params
	Dir     string // the chain's folder; made when it is missing
	Version string // of the program
	Log     *slog.Logger
	Now     func() time.Time
	Random  io.Reader // cryptographic

	// BlockTime is the least time between blocks that this node mines, on
	// chains where proof of work takes none.
	BlockTime time.Duration

	// FreeSpace says how many bytes may still be written below dir; nil: the
	// system is asked.
	FreeSpace func(dir string) (uint64, error)

	// Memory says what memory there is for this process, and OpenFiles how
	// many files and connections it has and may have open; nil: the system
	// is asked.
	Memory    func() (Memory, bool)
	OpenFiles func() (open, limit uint64, known bool)
}

// Node is a full node. New opens everything, Run lives, Close lets go.
type Node struct {
	opts     Options
	log      *slog.Logger
	registry *prometheus.Registry

	disk    *diskWatch
	memory  *memoryWatch
	files   *fileWatch
	store   *store.Store
	checker *sigcheck.Checker
	chain   *chain.Chain
	indexes *index.Set // nil: none
	pool    *mempool.Pool
	peers   *p2p.Network
	miner   *miner.Miner
	rpc     *rpc.Server
	http    []*httpListener

	poolLoaded atomic.Bool
	stop       context.CancelCauseFunc // ends Run; set by New
	stopping   context.Context
	closers    []func() error // in the order of opening
	ended      error          // what Run returned
}

// errStopped is the cause of a stop that somebody asked for over RPC.
var errStopped = errors.New("stop was called")

// New opens the data folder, the chain and all listeners. When a part
// fails, those opened before are closed again. Close must be called.
func New(ctx context.Context, opts Options) (_ *Node, err error) {
	if opts.FreeSpace == nil {
		opts.FreeSpace = freeSpace
	}
	if opts.Memory == nil {
		opts.Memory = memoryNow
	}
	if opts.OpenFiles == nil {
		opts.OpenFiles = openFiles
	}
	n := &Node{opts: opts, log: opts.Log.With("pkg", "node"), registry: prometheus.NewRegistry()}
	n.stopping, n.stop = context.WithCancelCause(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(repairable(err), n.Close())
		}
	}()
	if err := makeDir(opts.Dir); err != nil {
		return nil, err
	}
	for _, open := range []func(context.Context) error{
		n.checkMachine, n.openStore, n.openChain, n.openIndexes, n.openPool, n.openPeers, n.openMiner, n.openRPC, n.openMonitoring,
	} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	n.registerMetrics()
	return n, n.announce()
}

// Run is the node's life. It returns nil after ctx is done or stop was
// called over RPC, and an error when the node cannot go on.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	context.AfterFunc(n.stopping, func() { cancel(context.Cause(n.stopping)) })
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.chain.Run(ctx) })
	g.Go(func() error { return n.runIndexes(ctx) })
	g.Go(func() error { return n.pool.Run(ctx) })
	g.Go(func() error { return n.disk.Run(ctx) })
	g.Go(func() error { return n.memory.Run(ctx) })
	g.Go(func() error { return n.files.Run(ctx) })
	heap := newHeapWatch(int64(n.opts.Config.DBCache)<<20, os.Getenv)
	g.Go(func() error { return heap.Run(ctx) })
	if n.sealed() {
		g.Go(func() error { return n.watchMining().Run(ctx) })
	}
	for _, l := range n.http {
		g.Go(func() error { return l.Run(ctx) })
	}
	context.AfterFunc(ctx, n.shutdownRPC)
	g.Go(func() error { return n.live(ctx) })
	n.log.Info("node runs", "chain", n.opts.Params.Name, "genesis", n.opts.Params.GenesisHash,
		"height", n.chain.Best().Height, "dir", n.opts.Dir, "version", n.opts.Version)
	err := g.Wait()
	n.ended = err
	n.log.Info("node stops", "height", n.chain.Best().Height)
	return errors.Join(repairable(err), n.savePool())
}

// live connects what the last run, or a rebuild, left, imports what the
// settings ask for, then joins the network and mines.
func (n *Node) live(ctx context.Context) error {
	if err := n.chain.CatchUp(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := n.loadBlocks(ctx); err != nil {
		return err
	}
	n.loadPool(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.peers.Run(ctx) })
	if n.opts.Config.Mine {
		g.Go(func() error { return n.miner.Run(ctx) })
	}
	return g.Wait()
}

// Close closes what New opened, storage last. It may be called once, after
// Run has returned.
func (n *Node) Close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		// What ended Run is met again where something was to be written.
		if err := n.closers[i](); err != nil && !errors.Is(n.ended, err) {
			errs = append(errs, err)
		}
	}
	n.closers = nil
	return errors.Join(errs...)
}

// onClose adds a function to what Close does, before those added earlier.
func (n *Node) onClose(fn func() error) { n.closers = append(n.closers, fn) }

// Memory of --dbcache that the database keeps for its own blocks.
const (
	dbShare    = 8 // one part in dbShare
	maxDBCache = 256 << 20
)

// checkedTxs is how many transactions that the pool checked are remembered,
// so that their block need not check them again.
const checkedTxs = 200_000

func (n *Node) cacheSplit() (coins, database int64) {
	total := int64(n.opts.Config.DBCache) << 20
	database = min(total/dbShare, maxDBCache)
	return total - database, database
}

func (n *Node) openStore(context.Context) error {
	_, database := n.cacheSplit()
	s, err := store.Open(store.Config{
		Dir:      n.opts.Dir,
		FS:       store.OS(),
		Magic:    n.opts.Params.Network.Magic,
		DBCache:  database,
		MaxBlock: n.opts.Params.Limits.BlockSerialized,
		FileSize: int64(n.opts.Config.BlockFileSize),

		DropIndex:      n.opts.Config.Reindex,
		DropChainstate: n.opts.Config.ReindexChainstate,

		Now:     n.opts.Now,
		Log:     n.opts.Log,
		Metrics: store.NewMetrics(n.registry),
	})
	if err != nil {
		return err
	}
	n.store = s
	n.onClose(s.Close)
	return n.checkPruned()
}

func (n *Node) openChain(ctx context.Context) error {
	coins, _ := n.cacheSplit()
	height, hash, err := config.ParseSettled(n.opts.Config.Settled)
	if err != nil {
		return fmt.Errorf("settled: %w", err)
	}
	n.checker = sigcheck.New(sigcheck.Config{Workers: n.opts.Config.Par, CacheEntries: checkedTxs})
	c, err := chain.New(ctx, chain.Config{
		Params:     n.opts.Params,
		Store:      n.store,
		Checker:    n.checker,
		Now:        n.opts.Now,
		Log:        n.opts.Log,
		Metrics:    chain.NewMetrics(n.registry),
		CacheBytes: coins,

		SettleDepth:  int32(n.opts.Config.SettleDepth),
		Anchor:       chain.Anchor{Height: height, Hash: hash},
		CatchUpLater: true,
		Prune:        n.opts.Config.Prune > 0,
		PruneTarget:  n.pruneTarget(),
		PruneStep:    int64(n.opts.Config.BlockFileSize),
	})
	if errors.Is(err, chain.ErrOtherChain) {
		return fmt.Errorf("%s: %w; give this chain another folder (--datadir), or name the chain file that this one was made with (--chain)", n.opts.Dir, err)
	}
	if err != nil {
		return err
	}
	n.chain = c
	n.onClose(c.Close)
	return nil
}

func (n *Node) openPool(context.Context) error {
	policy := n.opts.Params.Policy
	if mib := n.opts.Config.MaxMempool; mib > 0 {
		policy.MempoolBytes = int64(mib) << 20
	}
	n.pool = mempool.New(mempool.Config{
		Chain:   n.chain,
		Params:  n.opts.Params,
		Checker: n.checker,
		Now:     n.opts.Now,
		Log:     n.opts.Log,
		Metrics: mempool.NewMetrics(n.registry),
		Policy:  &policy,
	})
	n.chain.Subscribe(n.pool.HandleEvent)
	return nil
}

// listenAddrs are the addresses for peers.
func (n *Node) listenAddrs() []string {
	switch cfg := n.opts.Config; {
	case cfg.NoListen:
		return nil
	case len(cfg.Listen) > 0:
		return cfg.Listen
	}
	return []string{net.JoinHostPort("", fmt.Sprint(n.opts.Params.Network.DefaultPort))}
}

func (n *Node) path(name string) string { return filepath.Join(n.opts.Dir, name) }
