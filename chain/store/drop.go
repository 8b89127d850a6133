package store

import (
	"path/filepath"
	"slices"
)

// dropMark is the name of the file that says that the database of that
// folder is to be dropped. It is there from before the first file goes until
// the last one is gone, so that the next start finishes what a kill cut short.
func dropMark(folder string) string { return "drop-" + folder }

// drop empties the databases that cfg, or a drop that was cut short, asks
// for. All marks are durable before anything is removed: an index that was
// dropped never meets the chain state that was built on it.
func (s *Store) drop(cfg Config) error {
	names, err := s.guard.fs.List(cfg.Dir)
	if err != nil {
		return err
	}
	var folders []string
	for _, folder := range []string{indexDir, chainstateDir} {
		asked := cfg.DropIndex || cfg.DropChainstate && folder == chainstateDir
		if asked || slices.Contains(names, dropMark(folder)) {
			folders = append(folders, folder)
		}
	}
	if len(folders) == 0 {
		return nil
	}
	for _, folder := range folders {
		if err := s.mark(filepath.Join(cfg.Dir, dropMark(folder))); err != nil {
			return err
		}
	}
	if err := s.guard.syncDir(cfg.Dir); err != nil {
		return err
	}
	for _, folder := range folders {
		if err := s.empty(filepath.Join(cfg.Dir, folder)); err != nil {
			return err
		}
	}
	for _, folder := range folders {
		if err := s.guard.remove(filepath.Join(cfg.Dir, dropMark(folder))); err != nil {
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
