package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
)

const (
	chainstateDir = "chainstate"

	// KeepCommits is how many commit rows are kept, the newest ones.
	KeepCommits = 1000

	prefixCommit   = 0x00
	prefixBest     = 0x01
	prefixReserved = 0x10 // keys below are the store's own

	commitRowFixed = 8 + 32 + 4 + 32
)

// Commit is one step of the chain state.
type Commit struct {
	Best   [32]byte // hash of the block after which this is the state
	Height int32    // of that block
	Meta   []byte   // the caller's, kept in the commit row

	// Each calls put and del for every row that changes; nil: none does.
	// The slices may be used again after each call. Keys start with a byte
	// of at least 0x10.
	Each func(put func(k, v []byte), del func(k []byte)) error
}

// CommitRow describes a commit.
type CommitRow struct {
	Generation uint64 // 1 for the first commit
	Best       [32]byte
	Height     int32
	Prev       [32]byte // SHA-256 of the previous row's encoding; zeros for generation 1
	Meta       []byte   // do not modify
}

func (r *CommitRow) encode() []byte {
	b := make([]byte, 0, commitRowFixed+len(r.Meta))
	b = binary.LittleEndian.AppendUint64(b, r.Generation)
	b = append(b, r.Best[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Height))
	b = append(b, r.Prev[:]...)
	return append(b, r.Meta...)
}

func decodeCommitRow(b []byte) (r CommitRow, ok bool) {
	if len(b) < commitRowFixed {
		return r, false
	}
	r.Generation = binary.LittleEndian.Uint64(b)
	copy(r.Best[:], b[8:])
	r.Height = int32(binary.LittleEndian.Uint32(b[40:]))
	copy(r.Prev[:], b[44:])
	if len(b) > commitRowFixed {
		r.Meta = append([]byte(nil), b[commitRowFixed:]...)
	}
	return r, true
}

func commitKey(generation uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixCommit}, generation)
}

// encodeBest is the best pointer to a row.
func encodeBest(generation uint64, row []byte) []byte {
	sum := sha256.Sum256(row)
	return append(binary.LittleEndian.AppendUint64(nil, generation), sum[:]...)
}

// Commit applies c in one step and makes it durable. When Each returns an
// error, nothing is changed and that error is returned.
func (s *Store) Commit(c Commit) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	row := CommitRow{Generation: 1, Best: c.Best, Height: c.Height, Meta: append([]byte(nil), c.Meta...)}
	if last := s.best.Load(); last != nil {
		row.Generation = last.Generation + 1
		row.Prev = sha256.Sum256(last.encode())
	}
	var tr *leveldb.Transaction
	err := s.chainstate.write(func() (err error) {
		tr, err = s.chainstate.OpenTransaction()
		return err
	})
	if err != nil {
		return s.commitFailed(row, err)
	}
	w := commitWriter{tr: tr}
	if c.Each != nil {
		if err := c.Each(w.put, w.del); err != nil || w.refused != nil {
			tr.Discard()
			return joinFirst(err, w.refused)
		}
	}
	w.finish(row, s.keep)
	if w.err == nil {
		w.err = s.chainstate.write(tr.Commit)
	}
	if w.err != nil {
		// The transaction is left as it is: LevelDB could only touch the
		// disk again, and the guard would not let it.
		return s.commitFailed(row, w.err)
	}
	s.best.Store(&row)
	s.metrics.commits.Inc()
	return nil
}

func joinFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (s *Store) commitFailed(row CommitRow, err error) error {
	return s.guard.fail(fmt.Errorf("commit %d of the chain state at height %d: %w",
		row.Generation, row.Height, s.chainstate.wrap(err)))
}

// commitWriter passes rows on to a transaction up to the first error.
type commitWriter struct {
	tr      *leveldb.Transaction
	err     error // of LevelDB
	refused error // the caller's mistake
}

func (w *commitWriter) own(k []byte) bool {
	if len(k) > 0 && k[0] >= prefixReserved {
		return false
	}
	w.refused = fmt.Errorf("chain state key %x is reserved", k)
	return true
}

func (w *commitWriter) put(k, v []byte) {
	if w.err == nil && !w.own(k) {
		w.err = w.tr.Put(k, v, nil)
	}
}

func (w *commitWriter) del(k []byte) {
	if w.err == nil && !w.own(k) {
		w.err = w.tr.Delete(k, nil)
	}
}

// finish writes the commit row and the best pointer, and lets go of the row
// that is too old.
func (w *commitWriter) finish(row CommitRow, keep uint64) {
	if w.err != nil {
		return
	}
	b := row.encode()
	if w.err = w.tr.Put(commitKey(row.Generation), b, nil); w.err != nil {
		return
	}
	if w.err = w.tr.Put([]byte{prefixBest}, encodeBest(row.Generation, b), nil); w.err != nil {
		return
	}
	if row.Generation > keep {
		w.err = w.tr.Delete(commitKey(row.Generation-keep), nil)
	}
}

// loadBest checks the commit rows, of which the newest keep must be there, and returns the last one, nil if there
// was no commit.
func loadBest(d *database, keep uint64) (*CommitRow, error) {
	var last *CommitRow
	var lastRaw []byte
	rows := uint64(0)
	err := d.each(d, []byte{prefixCommit}, func(k, v []byte) error {
		row, ok := decodeCommitRow(v)
		switch {
		case !ok || string(k) != string(commitKey(row.Generation)):
			return commitDamage("commit row %x does not decode", k)
		case last == nil && row.Generation == 1 && row.Prev != [32]byte{}:
			return commitDamage("the first commit row names one before it")
		case last != nil && row.Generation != last.Generation+1:
			return commitDamage("commit rows %d to %d are missing", last.Generation+1, row.Generation-1)
		case last != nil && row.Prev != sha256.Sum256(lastRaw):
			return commitDamage("commit row %d does not follow row %d", row.Generation, last.Generation)
		}
		rows++
		last, lastRaw = &row, append(lastRaw[:0], v...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if last != nil && rows != min(last.Generation, keep) {
		return nil, commitDamage("%d commit rows up to %d, %d expected", rows, last.Generation, min(last.Generation, keep))
	}
	return last, checkBestPointer(d, last, lastRaw)
}

func checkBestPointer(d *database, last *CommitRow, raw []byte) error {
	if last == nil {
		return d.each(d, nil, func(k, v []byte) error {
			return commitDamage("rows, but no commit row")
		})
	}
	best, _, err := d.get(d, []byte{prefixBest})
	if err != nil {
		return err
	}
	if string(best) != string(encodeBest(last.Generation, raw)) {
		return commitDamage("the best pointer does not name commit row %d, the last one", last.Generation)
	}
	return nil
}

func commitDamage(format string, args ...any) error {
	return &DamageError{File: chainstateDir, Offset: -1, What: fmt.Sprintf(format, args...)}
}

// Best returns the last commit; false while there is none.
func (s *Store) Best() (CommitRow, bool) {
	row := s.best.Load()
	if row == nil {
		return CommitRow{}, false
	}
	return *row, true
}

// Get returns a row of the committed chain state.
func (s *Store) Get(key []byte) (value []byte, ok bool, err error) {
	if err := s.readable(); err != nil {
		return nil, false, err
	}
	return s.chainstate.get(s.chainstate, key)
}

// ReadSnapshot is the chain state as of one commit, whatever is committed
// later. It is safe for concurrent use and must be released.
type ReadSnapshot struct {
	db   *database
	snap *leveldb.Snapshot
	best *CommitRow
}

// Snapshot returns the chain state as last committed.
func (s *Store) Snapshot() (*ReadSnapshot, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	snap, err := s.chainstate.GetSnapshot()
	if err != nil {
		return nil, s.chainstate.wrap(err)
	}
	r := &ReadSnapshot{db: s.chainstate, snap: snap}
	if err := r.loadBest(); err != nil {
		snap.Release()
		return nil, err
	}
	return r, nil
}

// loadBest reads the commit row from the snapshot itself: Store.Best may be
// one commit off.
func (r *ReadSnapshot) loadBest() error {
	best, ok, err := r.db.get(r.snap, []byte{prefixBest})
	if err != nil || !ok {
		return err
	}
	if len(best) != 8+32 {
		return commitDamage("the best pointer has %d bytes", len(best))
	}
	generation := binary.LittleEndian.Uint64(best)
	raw, _, err := r.db.get(r.snap, commitKey(generation))
	if err != nil {
		return err
	}
	row, ok := decodeCommitRow(raw)
	if !ok {
		return commitDamage("commit row %d does not decode", generation)
	}
	r.best = &row
	return nil
}

// Best returns the commit that the snapshot shows.
func (r *ReadSnapshot) Best() (CommitRow, bool) {
	if r.best == nil {
		return CommitRow{}, false
	}
	return *r.best, true
}

// Get returns one row.
func (r *ReadSnapshot) Get(key []byte) (value []byte, ok bool, err error) {
	return r.db.get(r.snap, key)
}

// Each calls fn for the rows whose keys start with prefix, in key order,
// until it returns an error. The slices are valid during the call only. An
// empty prefix also shows the store's own rows.
func (r *ReadSnapshot) Each(prefix []byte, fn func(k, v []byte) error) error {
	return r.db.each(r.snap, prefix, fn)
}

// Release ends the use of the snapshot.
func (r *ReadSnapshot) Release() { r.snap.Release() }
