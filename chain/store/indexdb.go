package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

const (
	indexesDir     = "indexes"
	indexDropMark  = "drop-" // in indexesDir: drop-NAME stands while the database NAME is being emptied
	indexOpenFiles = 32
)

// IndexDB is a database of rows that can be made again from the blocks:
// an optional index. It fails with the store and is closed with it. All
// methods may be called by any number of goroutines.
type IndexDB struct {
	s     *Store
	dir   string // below the data directory
	name  string
	cache int64

	mu sync.RWMutex // held for reading by every use of db, for writing by what replaces it
	db *database    // nil once closed
}

// IndexBatch is a set of changes that are made in one step. Of two changes
// of one row the later one counts.
type IndexBatch struct {
	b    leveldb.Batch
	size int
}

// Put sets a row. The slices may be used again after the call.
func (b *IndexBatch) Put(key, value []byte) {
	b.b.Put(key, value)
	b.size += len(key) + len(value)
}

// Delete removes a row, if it is there.
func (b *IndexBatch) Delete(key []byte) {
	b.b.Delete(key)
	b.size += len(key)
}

// Size is the number of bytes of the keys and values so far.
func (b *IndexBatch) Size() int { return b.size }

// Len is the number of changes so far.
func (b *IndexBatch) Len() int { return b.b.Len() }

// OpenIndex opens, or makes, the database in indexes/NAME. cache is its
// memory in bytes. A *DamageError concerns this database alone; the way
// out is to remove its folder. Opening one name twice is a mistake.
func (s *Store) OpenIndex(name string, cache int64) (*IndexDB, error) {
	if name == "" || strings.ContainsAny(name, `/\.`) {
		return nil, fmt.Errorf("%q cannot be the name of an index", name)
	}
	x := &IndexDB{s: s, dir: filepath.Join(s.dir, indexesDir), name: name, cache: cache}
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	if err := s.writable(); err != nil {
		return nil, err
	}
	for _, other := range s.indexes {
		if other.name == name {
			return nil, fmt.Errorf("index %s is open already", name)
		}
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	s.indexes = append(s.indexes, x)
	return x, nil
}

// open makes the folder, finishes a Clear that was cut short, and opens
// the database.
func (x *IndexDB) open() error {
	g := x.s.guard
	if err := g.mkdirAll(filepath.Join(x.dir, x.name)); err != nil {
		return err
	}
	names, err := g.fs.List(x.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == indexDropMark+x.name {
			if err := x.empty(); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{x.dir, x.s.dir} {
		if err := g.syncDir(dir); err != nil {
			return err
		}
	}
	// A transaction that LevelDB makes of a large batch, and that cannot begin
	// because a compaction could not read, would keep the write lock for ever.
	options := dbOptions(x.cache, indexOpenFiles)
	options.DisableLargeBatchTransaction = true
	db, err := openDB(g, x.dir, x.name, options)
	var damage *DamageError
	if errors.As(err, &damage) && !strings.HasPrefix(damage.File, indexesDir) {
		damage.File = filepath.Join(indexesDir, damage.File)
	}
	if err != nil {
		return err
	}
	db.name = filepath.Join(indexesDir, x.name)
	x.db = db
	return nil
}

// empty removes the files of the database. The mark says so until it is done.
func (x *IndexDB) empty() error {
	mark := filepath.Join(x.dir, indexDropMark+x.name)
	if err := x.s.mark(mark); err != nil {
		return err
	}
	if err := x.s.guard.syncDir(x.dir); err != nil {
		return err
	}
	if err := x.s.empty(filepath.Join(x.dir, x.name)); err != nil {
		return err
	}
	return x.s.guard.remove(mark)
}

// use runs fn while the database cannot be closed or replaced.
func (x *IndexDB) use(fn func(*database) error) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.db == nil {
		return ErrClosed
	}
	return fn(x.db)
}

// Write makes the changes of b durable in one step, and before that every
// block and undo record that was appended so far: so an index never knows
// of a block that a crash takes from the block files. After an error b must
// not be used any more.
//
// Errors: the one with which the store failed; a *DamageError, after which
// this database cannot be written any more, but the store can.
func (x *IndexDB) Write(b *IndexBatch) error {
	if err := x.s.SyncFiles(); err != nil {
		return err
	}
	return x.use(func(db *database) error {
		err := db.write(func() error { return db.Write(&b.b, &opt.WriteOptions{Sync: true}) })
		if err == nil {
			return nil
		}
		if failed := x.s.guard.failed(); failed != nil {
			return failed
		}
		return fmt.Errorf("write index %s: %w", x.name, db.wrap(err))
	})
}

// Clear removes all rows. A crash during the call leaves an index that the
// next OpenIndex finds empty.
func (x *IndexDB) Clear() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db == nil {
		return ErrClosed
	}
	if err := x.s.writable(); err != nil {
		return err
	}
	err := x.db.close()
	x.db = nil
	if err != nil {
		return err
	}
	if err := x.empty(); err != nil {
		return err
	}
	return x.open()
}

// Failed returns the error with which the store as a whole failed, or nil.
func (x *IndexDB) Failed() error { return x.s.Err() }

// Close ends the use of the database; closing the store does so too.
func (x *IndexDB) Close() error {
	x.s.indexMu.Lock()
	defer x.s.indexMu.Unlock()
	x.s.indexes = slices.DeleteFunc(x.s.indexes, func(other *IndexDB) bool { return other == x })
	return x.close()
}

func (x *IndexDB) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.db.close()
	x.db = nil
	return err
}

// View calls fn with the rows as they are now, whatever is written
// meanwhile. Close and Clear wait for fn; it must not call other methods
// of x.
func (x *IndexDB) View(fn func(*IndexView) error) error {
	return x.use(func(db *database) error {
		snap, err := db.GetSnapshot()
		if err != nil {
			return db.wrap(err)
		}
		defer snap.Release()
		return fn(&IndexView{db: db, snap: snap})
	})
}

// IndexView is the rows of an index at one moment.
type IndexView struct {
	db   *database
	snap *leveldb.Snapshot
}

// Get returns one row.
func (v *IndexView) Get(key []byte) (value []byte, ok bool, err error) {
	return v.db.get(v.snap, key)
}

// IndexRange is a stretch of rows: those whose keys start with Prefix and,
// if From is given, lie at or behind it in the direction of the walk.
type IndexRange struct {
	Prefix  []byte
	From    []byte // nil: from the end where the walk starts
	Reverse bool   // from the greatest key down
}

// Each calls fn for the rows of r, in the order of their keys or, in
// reverse, against it, until fn returns false or an error. The slices are
// valid during the call only. Finding the first row costs the same
// wherever it lies.
func (v *IndexView) Each(r IndexRange, fn func(key, value []byte) (more bool, err error)) error {
	bounds := util.BytesPrefix(r.Prefix)
	it := v.snap.NewIterator(bounds, nil)
	defer it.Release()
	step, ok := it.Next, false
	switch {
	case !r.Reverse && r.From != nil:
		ok = it.Seek(r.From)
	case !r.Reverse:
		ok = it.First()
	case r.From == nil:
		step, ok = it.Prev, it.Last()
	default:
		step, ok = it.Prev, seekBack(it, r.From)
	}
	for ; ok; ok = step() {
		more, err := fn(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return v.db.wrap(it.Error())
}

// seekBack moves it to the last row at or before key.
func seekBack(it interface {
	Seek(key []byte) bool
	Key() []byte
	Prev() bool
	Last() bool
	Error() error
}, key []byte) bool {
	if it.Seek(key) {
		return string(it.Key()) == string(key) || it.Prev()
	}
	return it.Error() == nil && it.Last()
}

// closeIndexes closes the optional indexes. indexMu is held.
func (s *Store) closeIndexes() error {
	var errs []error
	for _, x := range s.indexes {
		errs = append(errs, x.close())
	}
	return errors.Join(errs...)
}
