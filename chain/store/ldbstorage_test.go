package store

import (
	"errors"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// noRemove is a disk that cannot remove files.
type noRemove struct{ FS }

var errNoRemove = errors.New("cannot remove")

func (noRemove) Remove(string) error { return errNoRemove }

// TestRemoveFails: LevelDB panics when it hears of it in a compaction; the
// store must have failed all the same.
func TestRemoveFails(t *testing.T) {
	s := &ldbStorage{g: newGuard(noRemove{OS()}, nil, NewMetrics(nil)), dir: t.TempDir()}
	for range 2 {
		if err := s.Remove(storage.FileDesc{Type: storage.TypeTable, Num: 7}); err != nil {
			t.Errorf("LevelDB is told: %v", err)
		}
	}
	if err := s.g.failed(); !errors.Is(err, errNoRemove) {
		t.Errorf("the store failed with %v, want %v", err, errNoRemove)
	}
}
