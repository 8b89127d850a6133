package store

import (
	"errors"
	"path/filepath"
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

var errLevelDBClosed = leveldb.ErrClosed

// database is one LevelDB below the data directory.
type database struct {
	*leveldb.DB
	g    *guard
	name string         // of its folder
	busy sync.WaitGroup // calls of write that LevelDB has not answered
}

// openDB opens, or makes, the database in the folder name of dir.
func openDB(g *guard, dir, name string, options *opt.Options) (*database, error) {
	stor := &ldbStorage{g: g, dir: filepath.Join(dir, name)}
	if err := checkLogs(stor); err != nil {
		return nil, err
	}
	db, err := leveldb.Open(stor, options)
	if failed := g.failed(); failed != nil && err != nil {
		return nil, failed // LevelDB's error keeps its text only
	}
	if err != nil {
		return nil, fromLevelDB(name, err)
	}
	return &database{DB: db, g: g, name: name}, nil
}

// dbOptions: cache is the memory of a database in bytes, files how many
// tables it may keep open. A quarter of the memory is for what is being
// written (LevelDB holds two such buffers), the rest caches blocks of tables.
func dbOptions(cache int64, files int) *opt.Options {
	write := min(max(cache/8, 1<<20), 64<<20)
	return &opt.Options{
		Compression:            opt.SnappyCompression,
		BlockCacheCapacity:     int(max(cache-2*write, 1<<20)),
		WriteBuffer:            int(write),
		OpenFilesCacheCapacity: files,
		Filter:                 filter.NewBloomFilter(10), // bits per key: 1 % of lookups of absent keys read a block

		// The pool hands out buffers of megabytes, left over from writing
		// tables, for blocks of a few KiB; the cache then counts, and holds,
		// all of that, and has room for one block.
		DisableBufferPool: true,

		// Reads must not cause writes: compaction by number of seeks does.
		DisableSeeksCompaction: true,

		// Larger tables: a set of 100 million coins is 10 GB.
		CompactionTableSize: 8 << 20,

		// Journal chunks and blocks are verified, torn tails are left out.
		// What that hides, checkLogs finds.
		Strict: opt.DefaultStrict,
	}
}

// stateOptions are dbOptions for the chain state, which a commit changes in
// places all over it. doc.go has what they were chosen by.
func stateOptions(cache int64, files int) *opt.Options {
	o := dbOptions(cache, files)
	o.Compression = opt.NoCompression // hashes do not shrink

	// A transaction leaves tables of the size of the write buffer, which do
	// not overlap. They are merged into the rest when there are so many, of
	// some commits: each merge rewrites a good part of all rows.
	o.CompactionL0Trigger = int(min(max(stateUnmerged/int64(o.WriteBuffer), 4), 64))
	o.WriteL0PauseTrigger = 3 * o.CompactionL0Trigger // a commit waits for merges from here on
	return o
}

// stateUnmerged is how many bytes of the chain state are looked up apart from
// the rest, about.
const stateUnmerged = 48 << 20

// write runs fn, a call that makes LevelDB write, and waits for its answer:
// but no longer than until the store fails, wherever that happens.
//
// From then on LevelDB may not answer any more. A compaction whose commit the
// disk refuses is tried again for ever, with the lock held that the commit of
// a transaction needs; and a transaction whose commit was refused three times,
// a second apart, keeps that lock and the one that all writes need. fn must
// touch nothing that the caller uses after an error.
func (d *database) write(fn func() error) error {
	answer := make(chan error, 1)
	d.busy.Go(func() { answer <- fn() })
	select {
	case err := <-answer:
		return err
	case <-d.g.broken:
		return d.g.failed()
	}
}

// close closes the database. After a failure nobody waits for LevelDB (see
// write): the guard keeps it from the disk, and the process is about to end.
func (d *database) close() error {
	if d == nil {
		return nil
	}
	if d.g.failed() != nil {
		go func() {
			d.busy.Wait() // LevelDB must not be closed under a write
			d.DB.Close()
		}()
		return nil
	}
	return d.wrap(d.DB.Close())
}

func (d *database) wrap(err error) error { return fromLevelDB(d.name, err) }

// reader is what a database and its snapshots have in common.
type reader interface {
	Get(key []byte, ro *opt.ReadOptions) ([]byte, error)
	NewIterator(slice *util.Range, ro *opt.ReadOptions) iterator.Iterator
}

func (d *database) get(r reader, key []byte) ([]byte, bool, error) {
	v, err := r.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, d.wrap(err)
	}
	return v, true, nil
}

// each calls fn for the rows whose keys start with prefix, in key order. The
// slices are valid during the call only.
func (d *database) each(r reader, prefix []byte, fn func(k, v []byte) error) error {
	return d.within(r, util.BytesPrefix(prefix), fn)
}

// within is each for the rows whose keys are in span.
func (d *database) within(r reader, span *util.Range, fn func(k, v []byte) error) error {
	it := r.NewIterator(span, nil)
	defer it.Release()
	for it.Next() {
		if err := fn(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return d.wrap(it.Error())
}
