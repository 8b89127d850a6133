package store

import (
	"path/filepath"
	"slices"
)

// Files in the data directory that say what is to be dropped. One is there
// from before the first file goes until the last one is gone, so that the
// next start finishes what a kill cut short.
const (
	dropIndexMark      = "drop-index" // and with it the chain state
	dropChainstateMark = "drop-chainstate"
)

// drop empties the databases that cfg, or a drop that was cut short, asks
// for.
func (s *Store) drop(cfg Config) error {
	names, err := s.guard.fs.List(cfg.Dir)
	if err != nil {
		return err
	}
	mark, folders := "", []string(nil)
	switch {
	case cfg.DropIndex || slices.Contains(names, dropIndexMark):
		mark, folders = dropIndexMark, []string{indexDir, chainstateDir}
	case cfg.DropChainstate || slices.Contains(names, dropChainstateMark):
		mark, folders = dropChainstateMark, []string{chainstateDir}
	default:
		return nil
	}
	if pruned, err := s.Pruned(); err != nil {
		return err
	} else if pruned {
		return &PrunedError{cfg.Dir}
	}
	if err := s.mark(filepath.Join(cfg.Dir, mark)); err != nil {
		return err
	}
	if err := s.guard.syncDir(cfg.Dir); err != nil {
		return err
	}
	for _, folder := range folders {
		if err := s.empty(filepath.Join(cfg.Dir, folder)); err != nil {
			return err
		}
	}
	for _, mark := range []string{dropChainstateMark, dropIndexMark} {
		if err := s.guard.remove(filepath.Join(cfg.Dir, mark)); err != nil {
			return err
		}
	}
	return nil // the caller syncs cfg.Dir
}

func (s *Store) mark(path string) error {
	f, err := s.guard.openChange(s.guard.fs.Create, path)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// empty removes the files in dir, CURRENT last: a database that a crash left
// half removed must still be found damaged, not new.
func (s *Store) empty(dir string) error {
	names, err := s.guard.fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != currentName {
			if err := s.guard.remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := s.guard.syncDir(dir); err != nil {
		return err
	}
	if err := s.guard.remove(filepath.Join(dir, currentName)); err != nil {
		return err
	}
	return s.guard.syncDir(dir)
}
