package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/charterchain/charter/chain/store"
)

// What a node needs of its machine.
const (
	// minFiles is how many files and connections the process must be able to
	// hold open: block files and tables, peers, RPC clients.
	minFiles = 512

	// mineReserve and runReserve are free bytes on disk beyond what the next
	// flush may write: below the first the node stops mining, below the
	// second it stops.
	mineReserve = 256 << 20
	runReserve  = 64 << 20

	// lookEvery is how often disk, memory and open files are looked at.
	lookEvery = 10 * time.Second
)

// ErrDiskLow ends a node whose disk is nearly full.
var ErrDiskLow = errors.New("disk nearly full")

// checkFiles refuses to start where too few files may be open. Go's runtime
// has raised the soft limit already, to one below the hard one.
func checkFiles(limit uint64, known bool) error {
	if known && limit < minFiles-1 {
		return fmt.Errorf("only %d files may be open at once, %d are needed: raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd)", limit, minFiles)
	}
	return nil
}

// checkMemory refuses a --dbcache that the machine cannot hold, and warns of
// one that leaves little for the rest.
func checkMemory(dbcacheMiB int, total uint64, known bool, log *slog.Logger) error {
	cache := uint64(dbcacheMiB) << 20
	switch {
	case !known:
	case cache > total:
		return fmt.Errorf("dbcache = %d MiB, but this machine (or the limit of this process) has %d MiB of memory: lower --dbcache", dbcacheMiB, total>>20)
	case cache > total/4*3:
		log.Warn("dbcache leaves little memory for anything else; the process may be killed", "dbcacheMiB", dbcacheMiB, "memoryMiB", total>>20)
	}
	return nil
}

// diskWatch stops mining, and then the node, while there is still room to
// write what is in memory.
type diskWatch struct {
	free    func() (uint64, error)
	pending func() int64 // bytes that the next flush may write, at most
	log     *slog.Logger
	low     atomic.Bool // no mining
}

// room returns free bytes beyond what waits to be written.
func (w *diskWatch) room() (free, pending uint64, err error) {
	free, err = w.free()
	return free, uint64(max(w.pending(), 0)), err
}

// check looks once. It returns an error that wraps ErrDiskLow when the node
// has to stop. What cannot be looked at stops nothing.
func (w *diskWatch) check() error {
	free, pending, err := w.room()
	if err != nil {
		w.log.Debug("free disk space not known", "err", err)
		return nil
	}
	if free < pending+runReserve {
		return fmt.Errorf("%w: %d MiB free, %d MiB are needed to go on: make room and start the node again", ErrDiskLow, free>>20, (pending+runReserve)>>20)
	}
	low := free < pending+mineReserve
	if was := w.low.Swap(low); low && !was {
		w.log.Warn("disk low, mining stops; the node stops when it is nearly full",
			"freeMiB", free>>20, "neededMiB", (pending+mineReserve)>>20)
	} else if was && !low {
		w.log.Info("disk has room again", "freeMiB", free>>20)
	}
	return nil
}

// Run checks from time to time until ctx is done or the disk is nearly full.
func (w *diskWatch) Run(ctx context.Context) error { return watch(ctx, w.check) }

// checkMachine looks at the machine before anything is opened.
func (n *Node) checkMachine(context.Context) error {
	_, files, filesKnown := n.opts.OpenFiles()
	memory, memoryKnown := n.opts.Memory()
	n.disk = &diskWatch{
		free: func() (uint64, error) { return n.opts.FreeSpace(n.opts.Dir) },
		pending: func() int64 {
			if n.chain == nil {
				return 0
			}
			b, _ := n.chain.Background()
			return n.chain.Stats().CacheBytes + b.CacheBytes
		},
		log: n.log,
	}
	coins, _ := n.cacheSplit()
	n.memory = &memoryWatch{
		read:  n.opts.Memory,
		coins: coins,
		resize: func(ctx context.Context, size int64) error {
			return n.chain.SetCacheBytes(ctx, size)
		},
		release: debug.FreeOSMemory,
		log:     n.log,
		low:     shortage{now: n.opts.Now},
	}
	n.files = &fileWatch{
		read:    n.opts.OpenFiles,
		log:     n.log,
		few:     shortage{now: n.opts.Now},
		refused: n.refusedConnections(),
	}
	n.files.check()
	return errors.Join(
		checkFiles(files, filesKnown),
		checkMemory(n.opts.Config.DBCache, memory.Total, memoryKnown, n.log),
		n.disk.check(),
	)
}

// shortages lists what this machine runs short of, for people.
func (n *Node) shortages() []string {
	var list []string
	if n.disk.low.Load() {
		list = append(list, "disk low: this node does not mine, and stops when the disk is nearly full")
	}
	return append(list, n.shortBesideDisk()...)
}

func (n *Node) shortBesideDisk() []string {
	var list []string
	if n.memory.low.on.Load() {
		list = append(list, "memory low: the cache of coins is kept small, and the process may be killed")
	}
	if n.files.few.on.Load() {
		list = append(list, "few more files can be opened: inbound connections are refused")
	}
	return list
}

// syncing reports whether the node is far behind: its own stored blocks, or
// the peers it has reason to believe.
func (n *Node) syncing() bool {
	return n.chain.InitialSync() || n.peers.SyncStatus().Lag > syncing
}

// hold says why this node must not mine now.
func (n *Node) hold() string {
	switch {
	case n.syncing():
		return "syncing"
	case n.disk.low.Load():
		return "disk low"
	}
	return n.chain.Unvalidated()
}

// repairable adds to an error about damaged data what repairs it.
func repairable(err error) error {
	var damage *store.DamageError
	if !errors.As(err, &damage) {
		return err
	}
	return fmt.Errorf("%w; %s", err, damage.Repair())
}
