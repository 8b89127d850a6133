package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

var magic = [4]byte{0xfa, 0xbf, 0xb5, 0xda}

func config(d store.FS) store.Config {
	return store.Config{Dir: "data", FS: d, Magic: magic, FileSize: 4 << 10, DBCache: 1}
}

func hashOf(i int) (h [32]byte) {
	binary.LittleEndian.PutUint32(h[:], uint32(i))
	h[31] = 0xaa
	return h
}

func blockOf(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8), 0x55}, 200+7*i) }
func undoOf(i int) []byte  { return bytes.Repeat([]byte{byte(i), 0x66}, 30+3*i) }

// coinKey is the row that step i adds; step i+3 removes it.
func coinKey(i int) []byte { return binary.BigEndian.AppendUint32([]byte{'C'}, uint32(i)) }

// progress is what a run of steps was told to be durable.
type progress struct {
	synced    int // steps whose files were synced
	indexed   int
	committed int
	begun     int // commits that were begun
}

// runSteps does what a node does for blocks from+1 to to, in the order of
// writes, until an error. Every second step is followed by a commit.
func runSteps(s *store.Store, from, to int) (p progress, err error) {
	p = progress{synced: from, indexed: from, committed: from, begun: from}
	done := from // steps whose rows are committed
	for i := from + 1; i <= to; i++ {
		loc, err := s.AppendBlock(hashOf(i), blockOf(i))
		if err != nil {
			return p, err
		}
		undo, err := s.AppendUndo(hashOf(i), hashOf(i-1), undoOf(i))
		if err != nil {
			return p, err
		}
		if err := s.SyncFiles(); err != nil {
			return p, err
		}
		p.synced = i
		if err := s.WriteIndex([]store.IndexRow{{Hash: hashOf(i), Value: indexValue(i, loc, undo)}}); err != nil {
			return p, err
		}
		p.indexed = i
		if i%commitEvery != 0 {
			continue
		}
		p.begun = i
		if err := s.Commit(commitOf(done, i)); err != nil {
			return p, err
		}
		done, p.committed = i, i
	}
	return p, nil
}

// commitOf is the change of the rows between two steps.
func commitOf(from, to int) store.Commit {
	return store.Commit{Best: hashOf(to), Height: int32(to), Meta: []byte{byte(to)},
		Each: func(put func(k, v []byte), del func(k []byte)) error {
			for i := from + 1; i <= to; i++ {
				put(coinKey(i), blockOf(i)[:64])
				if i > 3 {
					del(coinKey(i - 3))
				}
			}
			return nil
		}}
}

func indexValue(i int, locs ...store.Location) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(i))
	for _, l := range locs {
		b = binary.LittleEndian.AppendUint32(b, l.File)
		b = binary.LittleEndian.AppendUint32(b, l.Offset)
		b = binary.LittleEndian.AppendUint32(b, l.Size)
	}
	return b
}

func readLocation(b []byte) store.Location {
	return store.Location{
		File:   binary.LittleEndian.Uint32(b),
		Offset: binary.LittleEndian.Uint32(b[4:]),
		Size:   binary.LittleEndian.Uint32(b[8:]),
	}
}

// checkState compares an opened store with what p promises, and returns the
// step at which it is.
func checkState(s *store.Store, p progress) (int, error) {
	indexed := 0
	err := s.EachIndex(func(row store.IndexRow) error {
		i := int(binary.LittleEndian.Uint32(row.Value))
		indexed = max(indexed, i)
		if raw, err := s.ReadBlock(readLocation(row.Value[4:]), row.Hash); err != nil || !bytes.Equal(raw, blockOf(i)) {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if raw, err := s.ReadUndo(readLocation(row.Value[16:]), row.Hash, hashOf(i-1)); err != nil || !bytes.Equal(raw, undoOf(i)) {
			return fmt.Errorf("undo %d: %w", i, err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	best, _ := s.Best()
	if indexed < p.indexed || indexed < int(best.Height) {
		return 0, fmt.Errorf("index ends at %d, %d was durable, best is %d", indexed, p.indexed, best.Height)
	}
	if at := int(best.Height); at != p.committed && at != p.begun {
		return 0, fmt.Errorf("best at %d, committed %d, begun %d", at, p.committed, p.begun)
	}
	if err := checkRows(s, best); err != nil {
		return 0, err
	}
	return indexed, checkRecords(s, p.synced)
}

// checkRows compares the rows of the chain state with those after step best.
func checkRows(s *store.Store, best store.CommitRow) error {
	snap, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	if row, _ := snap.Best(); row.Height != best.Height || row.Best != best.Best {
		return fmt.Errorf("snapshot at %d, store at %d", row.Height, best.Height)
	}
	h := int(best.Height)
	want := max(1, h-2)
	err = snap.Each([]byte{'C'}, func(k, v []byte) error {
		if !bytes.Equal(k, coinKey(want)) || !bytes.Equal(v, blockOf(want)[:64]) {
			return fmt.Errorf("row %x at height %d, expected %x", k, h, coinKey(want))
		}
		want++
		return nil
	})
	if err == nil && want != h+1 {
		err = fmt.Errorf("rows up to %d at height %d", want-1, h)
	}
	return err
}

// checkRecords looks for the block records of steps 1 to n, in order.
func checkRecords(s *store.Store, n int) error {
	next := 1
	err := s.EachBlockRecord(nil, func(hash [32]byte, loc store.Location, read func() ([]byte, error)) error {
		raw, err := read()
		if err != nil {
			return err
		}
		if i := int(binary.LittleEndian.Uint32(hash[:])); i == next && bytes.Equal(raw, blockOf(i)) {
			next++
		}
		return nil
	})
	if err == nil && next <= n {
		err = fmt.Errorf("block record %d is missing, %d was synced", next, n)
	}
	return err
}

const (
	crashSteps  = 8
	commitEvery = 2
)

// TestCrash stops the disk at every change in turn, opens what is left of it
// in every way, and goes on.
func TestCrash(t *testing.T) {
	d := storetest.New()
	s, err := store.Open(config(d))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runSteps(s, 0, crashSteps); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for k := 1; k <= d.Changes(); k++ {
		for _, torn := range []bool{false, true} {
			wg.Go(func() {
				if err := crashAt(k, torn); err != nil {
					t.Errorf("stopped at change %d (torn %v): %v", k, torn, err)
				}
			})
		}
	}
	wg.Wait()
}

func crashAt(k int, torn bool) error {
	d := storetest.New()
	d.StopAt(k, torn)
	s, err := store.Open(config(d))
	var p progress
	if err == nil {
		p, err = runSteps(s, 0, crashSteps)
		if err == nil {
			err = s.Err() // LevelDB's background work may come this late, or not at all
			s.Close()
			if err == nil {
				return reopen(d.Crash(storetest.LoseUnsynced), p)
			}
		} else if err := mustStayFailed(s, err); err != nil {
			return err
		}
	}
	if !errors.Is(err, storetest.ErrStopped) {
		return fmt.Errorf("failed with %w", err)
	}
	losses := []storetest.Loss{storetest.LoseNothing, storetest.LoseUnsynced, storetest.TearUnsynced}
	if torn {
		losses = losses[:1] // half a write that was not synced is lost in the others
	}
	for _, loss := range losses {
		if err := reopen(d.Crash(loss), p); err != nil {
			return fmt.Errorf("loss %d: %w", loss, err)
		}
	}
	return nil
}

// mustStayFailed checks that a store does nothing more after its first error.
func mustStayFailed(s *store.Store, first error) error {
	if s.Err() == nil || !errors.Is(first, s.Err()) {
		return fmt.Errorf("first error %v, store says %v", first, s.Err())
	}
	_, err := s.AppendBlock(hashOf(99), blockOf(99))
	later := []error{err, s.SyncFiles(), s.WriteIndex(nil), s.Commit(store.Commit{})}
	for i, err := range later {
		if err != s.Err() {
			return fmt.Errorf("later write %d: %v, want %v", i, err, s.Err())
		}
	}
	return s.Close()
}

// reopen checks what a crash left, goes on from there and checks again.
func reopen(d *storetest.Disk, p progress) error {
	s, err := store.Open(config(d))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	at, err := checkState(s, p)
	if err != nil {
		return err
	}
	best, _ := s.Best()
	// Replay up to the index, as the chain would, then go on.
	if int(best.Height) < at {
		if err := s.Commit(commitOf(int(best.Height), at)); err != nil {
			return err
		}
	}
	p, err = runSteps(s, at, at+4)
	if err != nil {
		return err
	}
	_, err = checkState(s, p)
	return err
}

// TestFailedOnce makes one change fail on a disk that works again afterwards:
// LevelDB's own retries must not get through.
func TestFailedOnce(t *testing.T) {
	d := storetest.New()
	s, err := store.Open(config(d))
	if err != nil {
		t.Fatal(err)
	}
	start := d.Changes()
	if _, err := runSteps(s, 0, crashSteps); err != nil {
		t.Fatal(err)
	}
	total := d.Changes() - start
	s.Close()
	var wg sync.WaitGroup
	for k := 1; k <= total; k++ {
		wg.Go(func() {
			d := storetest.New()
			s, err := store.Open(config(d))
			if err != nil {
				t.Error(err)
				return
			}
			d.FailOnce(k)
			p, err := runSteps(s, 0, crashSteps)
			if err == nil {
				s.Close() // a background change failed at the very end
				return
			}
			after := d.Changes()
			if err := mustStayFailed(s, err); err != nil {
				t.Errorf("change %d: %v", k, err)
			}
			if d.Changes() != after {
				t.Errorf("change %d: %d changes of the disk after the failure", k, d.Changes()-after)
			}
			if err := reopen(d.Crash(storetest.LoseUnsynced), p); err != nil {
				t.Errorf("change %d: %v", k, err)
			}
		})
	}
	wg.Wait()
}
