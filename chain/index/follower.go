package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

// One batch ends at the first of these.
const (
	batchBytes  = 1 << 20
	batchBlocks = 500
)

// retryEvery is how long an index that lacks data waits before it looks
// again, if no change of the chain comes first.
const retryEvery = 10 * time.Second

// kind is what distinguishes one index from another. connect adds the rows
// of a block to the batch, disconnect takes them away again; both are called
// by the follower only, and a block is never half in a batch that is written.
type kind interface {
	name() string    // as in getindexinfo
	folder() string  // of the database
	version() uint32 // of the rows
	spent() bool     // whether the coins are needed that a block spends

	connect(ctx context.Context, to *store.IndexBatch, at Block, b *consensus.Block, spent [][]consensus.Coin) error
	disconnect(to *store.IndexBatch, at Block, b *consensus.Block, spent [][]consensus.Coin) error
	// alone says that what is before the block must be written before
	// connect is called for it.
	alone(hash chainhash.Hash) bool
	// written says that what was connected so far is in the rows; forget
	// that it is not, or no longer, and must not be remembered.
	written()
	forget()
}

// follower keeps one index at the best block: back to the best branch with
// the data of the blocks that left it, then forward.
type follower struct {
	kind  kind
	db    *store.IndexDB // nil: damaged when it was opened
	src   Source
	log   *slog.Logger
	gauge func(height float64)
	wake  chan struct{} // holds one

	mu      sync.Mutex // guards what follows
	pos     position
	synced  bool          // was at the best block since it began, and not rebuilt since
	waiting string        // what it waits for, for people
	noData  bool          // where waiting: for data of blocks, not for a disk
	broken  error         // why it stopped for good
	changed chan struct{} // closed and replaced when one of the above changes
}

func newFollower(k kind, db *store.IndexDB, cfg *Config) *follower {
	return &follower{
		kind: k, db: db, src: cfg.Source,
		log:     cfg.Log.With("index", k.name()),
		gauge:   cfg.Metrics.height.WithLabelValues(k.folder()).Set,
		wake:    make(chan struct{}, 1),
		pos:     nowhere,
		changed: make(chan struct{}),
	}
}

// load reads the position. An index of an older format is made again.
func (f *follower) load() error {
	var pos position
	var version uint32
	err := f.db.View(func(v *store.IndexView) (err error) {
		pos, version, err = positionOf(v, f.kind.folder())
		return err
	})
	if err != nil {
		return err
	}
	if pos != nowhere && version > f.kind.version() {
		return fmt.Errorf("format %d was written by a newer version of this program, this one knows %d", version, f.kind.version())
	}
	if pos != nowhere && version < f.kind.version() {
		f.log.Info("format of the index has changed, it is built again", "old", version, "new", f.kind.version())
		if err := f.db.Clear(); err != nil {
			return err
		}
		pos = nowhere
	}
	f.moveTo(pos)
	return nil
}

// update changes the fields under mu and tells those who wait.
func (f *follower) update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *follower) moveTo(pos position) {
	f.gauge(float64(pos.height))
	f.update(func() { f.pos, f.waiting = pos, "" })
}

func (f *follower) position() position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos
}

// breakWith stops the index for good.
func (f *follower) breakWith(err error) {
	f.log.Error("index stops; the node goes on without it. To build it again, stop the node, remove the folder indexes/"+f.kind.folder()+" and start",
		"height", f.position().height, "err", err)
	f.update(func() { f.broken = err })
}

// run follows the chain until ctx is done. It returns an error only when
// the store as a whole has failed.
func (f *follower) run(ctx context.Context) error {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-retry.C:
		}
		err := f.follow(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return nil
		case f.db.Failed() != nil:
			return fmt.Errorf("%s: %w", f.kind.name(), f.db.Failed())
		case isDamage(err) && !errors.Is(err, ErrNoData):
			f.breakWith(err)
			return nil
		case err != nil:
			f.wait(err)
			retry.Reset(retryEvery)
		default:
			f.arrived()
		}
	}
}

func isDamage(err error) bool {
	var damage *store.DamageError
	return errors.As(err, &damage)
}

// wait notes what keeps the index from going on: data that is not there, or
// a disk that does not read. The log has the first of each kind: while the
// chain moves the reason may differ with every block.
func (f *follower) wait(err error) {
	noData := errors.Is(err, ErrNoData)
	f.mu.Lock()
	known := f.waiting != "" && f.noData == noData
	f.mu.Unlock()
	if !known {
		f.log.Info("index cannot go on for now", "err", err)
	}
	f.update(func() { f.waiting, f.noData = err.Error(), noData })
}

// arrived notes that the index was at the best block.
func (f *follower) arrived() {
	f.mu.Lock()
	before, pos := f.synced, f.pos
	f.mu.Unlock()
	if before {
		return
	}
	f.log.Info("index is up to date", "height", pos.height)
	f.update(func() { f.synced = true })
}

// follow moves the index to the best block.
func (f *follower) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		pos := f.position()
		if pos != nowhere {
			at, known := f.src.Lookup(pos.hash)
			if !known || !at.OnBest {
				if err := f.back(ctx, at, known); err != nil {
					return err
				}
				continue
			}
		}
		if f.src.Best().Hash == pos.hash {
			return nil
		}
		if err := f.forward(ctx, pos); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// forward adds one batch of blocks of the best branch behind pos.
func (f *follower) forward(ctx context.Context, pos position) error {
	var batch store.IndexBatch
	last := pos
	for n := 0; n < batchBlocks && batch.Size() < batchBytes && ctx.Err() == nil; n++ {
		at, ok := f.src.AtHeight(last.height + 1)
		if !ok || last != nowhere && at.Parent != last.hash || n > 0 && f.kind.alone(at.Hash) {
			break // the end, or the best branch has changed: see follow
		}
		b, spent, err := f.read(at.Hash)
		if err != nil {
			return first(f.write(&batch, last), fmt.Errorf("add block %v at height %d: %w", at.Hash, at.Height, err))
		}
		if err := f.kind.connect(ctx, &batch, at, b, spent); err != nil {
			f.kind.forget()
			return err
		}
		batch.Put(heightKey(rowBlock, at.Height), at.Hash[:])
		last = position{at.Hash, at.Height}
	}
	return f.write(&batch, last)
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// write makes batch durable, with pos as the position that it leads to.
func (f *follower) write(batch *store.IndexBatch, pos position) error {
	if batch.Len() == 0 {
		return nil
	}
	batch.Put([]byte{rowPosition}, pos.encode(f.kind.version()))
	if err := f.db.Write(batch); err != nil {
		f.kind.forget()
		return err
	}
	f.kind.written()
	f.moveTo(pos)
	return nil
}

// read returns a block and what it spends. Damage of block files is data
// that is not available: the chain fetches it again.
func (f *follower) read(hash chainhash.Hash) (*consensus.Block, [][]consensus.Coin, error) {
	b, err := f.src.ReadBlock(hash)
	var spent [][]consensus.Coin
	if err == nil && f.kind.spent() {
		spent, err = f.src.ReadSpent(hash)
	}
	if isDamage(err) {
		err = fmt.Errorf("%w: %w", ErrNoData, err)
	}
	if err == nil && f.kind.spent() {
		err = checkSpent(b, spent)
	}
	return b, spent, err
}

// checkSpent: the genesis block spends nothing; for others there is a coin
// for each input.
func checkSpent(b *consensus.Block, spent [][]consensus.Coin) error {
	fits := len(spent) == len(b.Txs)-1
	for i := 0; fits && i < len(spent); i++ {
		fits = len(spent[i]) == len(b.Txs[i+1].Msg.TxIn)
	}
	if !fits {
		return fmt.Errorf("%w: undo data does not fit the block", ErrNoData)
	}
	return nil
}

// back takes the last blocks of the index away, until one is on the best
// branch or the batch is full. at is the last one, if the chain knows it.
func (f *follower) back(ctx context.Context, at Block, known bool) error {
	f.kind.forget()
	pos := f.position()
	if best := f.src.Best(); best.Height < pos.height && f.src.Syncing() {
		return fmt.Errorf("%w: the best block, at height %d, is on its way to where the index is, height %d", ErrNoData, best.Height, pos.height)
	}
	if !known {
		return f.lost(pos, fmt.Errorf("%w: the chain does not know block %v", ErrNoData, pos.hash))
	}
	var batch store.IndexBatch
	f.log.Debug("index goes back", "height", pos.height, "hash", pos.hash)
	for n := 0; n < batchBlocks && batch.Size() < batchBytes && ctx.Err() == nil && !at.OnBest; n++ {
		b, spent, err := f.read(at.Hash)
		if err != nil && batch.Len() > 0 {
			break
		}
		if errors.Is(err, ErrNoData) {
			return f.lost(pos, err)
		}
		if err == nil {
			err = f.kind.disconnect(&batch, at, b, spent)
		}
		if err != nil {
			return err
		}
		batch.Delete(heightKey(rowBlock, at.Height))
		pos = position{at.Parent, at.Height - 1}
		if at, known = f.src.Lookup(pos.hash); !known {
			return fmt.Errorf("block %v has no parent in the chain", b.Hash)
		}
	}
	return f.write(&batch, pos)
}

// lost decides what to do when the way back is cut off: the block at pos is
// on another branch and its data is gone. Once the best branch is as high
// nothing but building again from the start helps.
func (f *follower) lost(pos position, err error) error {
	err = fmt.Errorf("go back from block %v at height %d: %w", pos.hash, pos.height, err)
	if f.src.Best().Height < pos.height {
		return err
	}
	f.log.Warn("index is built again from the start", "err", err)
	if err := f.db.Clear(); err != nil {
		return err
	}
	f.moveTo(nowhere)
	f.update(func() { f.synced = false })
	return nil
}

// await returns nil once the index holds the block that is the best one
// now. An index that is still being built is not waited for.
func (f *follower) await(ctx context.Context) error {
	late := time.NewTimer(awaitFor)
	defer late.Stop()
	target := f.src.Best()
	for {
		f.mu.Lock()
		pos, synced, changed := f.pos, f.synced, f.changed
		status := f.statusLocked(target)
		f.mu.Unlock()
		if pos.hash == target.Hash && pos != nowhere {
			return nil
		}
		if now, ok := f.src.Lookup(target.Hash); !ok || !now.OnBest {
			target = f.src.Best() // that one is gone again
			continue
		}
		if at, ok := f.src.Lookup(pos.hash); ok && at.OnBest && at.Height > target.Height {
			return nil
		}
		if !synced || status.Message != "" {
			return &NotReadyError{status}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return &NotReadyError{status}
		case <-changed:
		}
	}
}

// awaitFor is the longest time that a question waits for an index that is
// up to date but for the last blocks.
const awaitFor = 5 * time.Second

func (f *follower) status() Status {
	best := f.src.Best()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.statusLocked(best)
}

func (f *follower) statusLocked(best Block) Status {
	s := Status{Name: f.kind.name(), Height: f.pos.height, Hash: f.pos.hash, BestHeight: best.Height, Message: f.waiting}
	s.Synced = f.broken == nil && f.pos.hash == best.Hash && f.pos != nowhere
	if f.broken != nil {
		s.Message = f.broken.Error()
	}
	return s
}
