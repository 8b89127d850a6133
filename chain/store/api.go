package store

import (
	"errors"
	"log/slog"
)

var errSoon = errors.New("store: not available")

type Config struct {
	Dir      string
	FS       FS
	Magic    [4]byte
	DBCache  int64
	MaxBlock int64
	FileSize int64
	MaxFiles int

	DropIndex      bool
	DropChainstate bool

	Log     *slog.Logger
	Metrics *Metrics
}

type FS interface{}
type Metrics struct{}

func OS() FS { return nil }

type Store struct{}

func Open(cfg Config) (*Store, error) { return nil, errSoon }
func (s *Store) Close() error         { return errSoon }

// Err is the first error of a write or fsync, nil while the store is sound.
func (s *Store) Err() error { return errSoon }

// Location is where the payload of a record lies.
type Location struct {
	File   uint32
	Offset uint32 // of the payload
	Size   uint32 // of the payload
}

type DamageError struct {
	File   string // below the data directory
	Offset int64  // -1 where not known
	What   string
}

func (e *DamageError) Error() string { return e.What }

type IndexRow struct {
	Hash  [32]byte
	Value []byte
}

type Commit struct {
	Best   [32]byte
	Height int32
	Meta   []byte // opaque, kept in the commit row
	Each   func(put func(k, v []byte), del func(k []byte)) error
}

type CommitRow struct {
	Generation uint64
	Best       [32]byte
	Height     int32
	Prev       [32]byte
	Meta       []byte
}

func (s *Store) AppendBlock(hash [32]byte, raw []byte) (Location, error) {
	return Location{}, errSoon
}
func (s *Store) AppendUndo(hash, parent [32]byte, raw []byte) (Location, error) {
	return Location{}, errSoon
}
func (s *Store) ReadBlock(loc Location, hash [32]byte) ([]byte, error) { return nil, errSoon }
func (s *Store) ReadUndo(loc Location, hash, parent [32]byte) ([]byte, error) {
	return nil, errSoon
}
func (s *Store) SyncFiles() error                        { return errSoon }
func (s *Store) WriteIndex(rows []IndexRow) error        { return errSoon }
func (s *Store) EachIndex(fn func(IndexRow) error) error { return errSoon }

// EachBlockRecord: fn's hash is to be trusted only when read succeeds; damage is a *DamageError from read.
func (s *Store) EachBlockRecord(after *Location, fn func(hash [32]byte, loc Location, read func() ([]byte, error)) error) error {
	return errSoon
}
func (s *Store) EachUndoRecord(after *Location, fn func(hash, parent [32]byte, loc Location, read func() ([]byte, error)) error) error {
	return errSoon
}
func (s *Store) Commit(c Commit) error                { return errSoon }
func (s *Store) Best() (CommitRow, bool)              { return CommitRow{}, false }
func (s *Store) Get(key []byte) ([]byte, bool, error) { return nil, false, errSoon }
func (s *Store) Snapshot() (*ReadSnapshot, error)     { return nil, errSoon }

// ReadSnapshot is the committed state at one moment.
type ReadSnapshot struct{}

func (r *ReadSnapshot) Best() (CommitRow, bool)              { return CommitRow{}, false }
func (r *ReadSnapshot) Get(key []byte) ([]byte, bool, error) { return nil, false, errSoon }
func (r *ReadSnapshot) Each(prefix []byte, fn func(k, v []byte) error) error {
	return errSoon
}
func (r *ReadSnapshot) Release() {}
