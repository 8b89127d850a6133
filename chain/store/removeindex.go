package store

import (
	"fmt"
	"path/filepath"
)

// Get returns one row.
func (x *IndexDB) Get(key []byte) (value []byte, ok bool, err error) {
	err = x.use(func(db *database) error {
		value, ok, err = db.get(db, key)
		return err
	})
	return value, ok, err
}

// RemoveIndex removes the rows of an index that is not open, and does nothing
// where there are none. A crash during the call leaves an index that the next
// OpenIndex finds empty.
func (s *Store) RemoveIndex(name string) error {
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	for _, open := range s.indexes {
		if open.name == name {
			return fmt.Errorf("index %s is open", name)
		}
	}
	x := &IndexDB{s: s, dir: filepath.Join(s.dir, indexesDir), name: name}
	names, err := s.guard.fs.List(filepath.Join(x.dir, name))
	if notExist(err) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if err := x.empty(); err != nil {
		return err
	}
	return s.guard.syncDir(x.dir)
}
