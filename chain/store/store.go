package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where a store lies and what it may use.
type Config struct {
	Dir   string  // data directory of one chain; made if missing
	FS    FS      // OS() outside tests
	Magic [4]byte // of the chain: a store of another chain is not read

	DBCache  int64 // bytes of memory for LevelDB; default 64 MiB, at least 8 MiB
	MaxBlock int64 // largest block payload in bytes; default 64 MiB
	FileSize int64 // size at which a new block file is started; default 128 MiB
	MaxFiles int   // files kept open for reading; default 256, at least 32

	// DropChainstate starts with an empty chain state, DropIndex with an
	// empty block index and chain state. Block files stay: from them both
	// can be rebuilt; where some were removed Open refuses: *PrunedError.
	DropIndex      bool
	DropChainstate bool

	Now     func() time.Time // times fsyncs; nil: they are not timed
	Log     *slog.Logger     // nil: silent
	Metrics *Metrics         // nil: not collected

	keep uint64 // commit rows; KeepCommits outside tests
}

const lockName = "lock"

// withDefaults fills in what is zero and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" || c.FS == nil {
		return c, errors.New("store: Dir and FS must be given")
	}
	def := func(v *int64, preset, least int64) {
		if *v == 0 {
			*v = preset
		}
		*v = max(*v, least)
	}
	def(&c.DBCache, 64<<20, 8<<20)
	def(&c.MaxBlock, 64<<20, 1)
	def(&c.FileSize, 128<<20, 1)
	files := int64(c.MaxFiles)
	def(&files, 256, 32)
	c.MaxFiles = int(files)
	if c.MaxBlock > math.MaxInt32 || c.FileSize > math.MaxUint32 {
		return c, fmt.Errorf("store: MaxBlock %d or FileSize %d is more than positions in a file can say", c.MaxBlock, c.FileSize)
	}
	if c.keep == 0 {
		c.keep = KeepCommits
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("pkg", "store")
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return c, nil
}

// Store is the disk of one chain. doc.go has its rules.
type Store struct {
	dir     string
	guard   *guard
	lock    io.Closer
	handles *handles
	metrics *Metrics
	keep    uint64 // commit rows

	blocks, undo      *fileSet
	index, chainstate *database
	indexes           []*IndexDB // guarded by indexMu

	commitMu sync.Mutex // one commit at a time
	indexMu  sync.Mutex // one write of the block index at a time
	closed   atomic.Bool
	best     atomic.Pointer[CommitRow]
}

// Open locks the data directory, checks what lies there as doc.go says and
// makes what is missing. Errors: *LockedError, *DamageError, or what the
// disk answered.
func Open(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		dir:     cfg.Dir,
		guard:   newGuard(cfg.FS, cfg.Now, cfg.Metrics),
		metrics: cfg.Metrics,
		keep:    cfg.keep,
	}
	s.handles = newHandles(s.guard, cfg.MaxFiles/4)
	if err := s.open(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(cfg Config) error {
	if err := s.guard.mkdirAll(cfg.Dir); err != nil {
		return err
	}
	var err error
	if s.lock, err = cfg.FS.Lock(filepath.Join(cfg.Dir, lockName)); err != nil {
		return err
	}
	if err := refuseUnfinished(cfg); err != nil {
		return err
	}
	if err := s.makeDirs(cfg); err != nil {
		return err
	}
	if err := s.openFiles(cfg); err != nil {
		return err
	}
	// The index holds a few hundred bytes per block and is read as a whole
	// at start only.
	if s.index, err = openDB(s.guard, cfg.Dir, indexDir, dbOptions(4<<20, cfg.MaxFiles/8)); err != nil {
		return err
	}
	if s.chainstate, err = openDB(s.guard, cfg.Dir, chainstateDir, stateOptions(cfg.DBCache, cfg.MaxFiles/2)); err != nil {
		return err
	}
	row, err := loadBest(s.chainstate, s.keep)
	s.best.Store(row)
	return err
}

// makeDirs makes the folders, durably, and empties those that are to be dropped.
func (s *Store) makeDirs(cfg Config) error {
	for _, name := range []string{blocksDir, indexDir, chainstateDir} {
		if err := s.guard.mkdirAll(filepath.Join(cfg.Dir, name)); err != nil {
			return err
		}
	}
	if err := s.drop(cfg); err != nil {
		return err
	}
	if err := s.guard.syncDir(cfg.Dir); err != nil {
		return err
	}
	return s.guard.syncDir(filepath.Dir(filepath.Clean(cfg.Dir)))
}

func (s *Store) openFiles(cfg Config) error {
	s.blocks = &fileSet{recordFormat: recordFormat{prefix: "blk", magic: cfg.Magic, max: cfg.MaxBlock}}
	// The undo data of a block has no smaller bound: each of its inputs can
	// spend a script of 10,000 bytes.
	s.undo = &fileSet{recordFormat: recordFormat{prefix: "undo", magic: cfg.Magic, parent: true, max: math.MaxUint32 - 1024}}
	for _, f := range []*fileSet{s.blocks, s.undo} {
		f.g, f.handles, f.fileSize = s.guard, s.handles, cfg.FileSize
		f.dir = filepath.Join(cfg.Dir, blocksDir)
		if err := f.open(cfg.Log); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the use of the store. What was not synced may be lost. Calls
// that are under way finish or return ErrClosed; closing again does nothing.
func (s *Store) Close() error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	err := errors.Join(s.closeIndexes(), s.chainstate.close(), s.index.close())
	s.handles.close()
	s.guard.fail(ErrClosed) // nothing of LevelDB's may come later
	s.guard.closeAll()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// Err returns the error with which the store failed, nil while it has not.
func (s *Store) Err() error {
	if s.closed.Load() {
		return nil
	}
	return s.guard.failed()
}

func (s *Store) readable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

func (s *Store) writable() error {
	if err := s.readable(); err != nil {
		return err
	}
	return s.guard.failed()
}

// AppendBlock adds a block. It is durable after the next SyncFiles.
func (s *Store) AppendBlock(hash [32]byte, raw []byte) (Location, error) {
	if err := s.writable(); err != nil {
		return Location{}, err
	}
	return s.blocks.write(hash, [32]byte{}, raw)
}

// AppendUndo adds the undo data of a block. It is durable after the next SyncFiles.
func (s *Store) AppendUndo(hash, parent [32]byte, raw []byte) (Location, error) {
	if err := s.writable(); err != nil {
		return Location{}, err
	}
	return s.undo.write(hash, parent, raw)
}

// ReadBlock returns the block at loc; *DamageError if it is not there as written.
func (s *Store) ReadBlock(loc Location, hash [32]byte) ([]byte, error) {
	return s.blocks.read(loc, hash, [32]byte{})
}

// ReadUndo returns the undo data at loc; *DamageError if it is not there as written.
func (s *Store) ReadUndo(loc Location, hash, parent [32]byte) ([]byte, error) {
	return s.undo.read(loc, hash, parent)
}

// SyncFiles makes everything durable that was appended before the call.
func (s *Store) SyncFiles() error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.blocks.sync(); err != nil {
		return err
	}
	return s.undo.sync()
}

// EachBlockRecord calls fn for every record behind after, nil for all, in
// the order in which they were appended. Every record is read and checked:
// read returns its payload, valid during the call of fn, or a *DamageError.
// A damaged record's hash is what stands there; where not even that can be
// told it is zero, loc.Size is 0 and loc.Offset is where the damage starts.
// Records appended during the walk may be left out.
func (s *Store) EachBlockRecord(after *Location, fn func(hash [32]byte, loc Location, read func() ([]byte, error)) error) error {
	return s.blocks.each(after, func(r scanned) error {
		return fn(r.hash, r.loc, func() ([]byte, error) { return r.payload, r.damage })
	})
}

// EachUndoRecord is EachBlockRecord for undo data.
func (s *Store) EachUndoRecord(after *Location, fn func(hash, parent [32]byte, loc Location, read func() ([]byte, error)) error) error {
	return s.undo.each(after, func(r scanned) error {
		return fn(r.hash, r.parent, r.loc, func() ([]byte, error) { return r.payload, r.damage })
	})
}
