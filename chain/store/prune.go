package store

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
)

// FileKind says what a file in the folder of block files holds.
type FileKind uint8

// The kinds of files.
const (
	BlockFile FileKind = iota
	UndoFile
)

// FileInfo describes a block or undo file.
type FileInfo struct {
	Kind    FileKind
	Number  uint32 // as in Location.File
	Size    int64  // bytes
	Current bool   // records are appended to it, so it cannot be removed
}

// prunedName is a file in the folder of block files that is there once any
// of these may have been removed: what is left no longer tells the whole
// history.
const prunedName = "pruned"

// PrunedError refuses to drop what the block files can no longer replace.
type PrunedError struct{ Dir string }

func (e *PrunedError) Error() string {
	return fmt.Sprintf("old block files in %s were pruned, so block index and chain state cannot be made again from them; "+
		"to fetch everything again from peers, stop the node and remove the folders blocks, index, chainstate and indexes in %s", e.Dir, e.Dir)
}

func (s *Store) set(kind FileKind) *fileSet {
	if kind == UndoFile {
		return s.undo
	}
	return s.blocks
}

// Files lists the block files and then the undo files, by number. Where one
// of them is removed meanwhile it may be left out.
func (s *Store) Files() ([]FileInfo, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	var all []FileInfo
	for _, kind := range []FileKind{BlockFile, UndoFile} {
		files, err := s.set(kind).list(kind)
		if err != nil {
			return nil, fmt.Errorf("list block files: %w", err)
		}
		all = append(all, files...)
	}
	return all, nil
}

func (s *fileSet) list(kind FileKind) ([]FileInfo, error) {
	s.mu.Lock()
	current := s.num
	s.mu.Unlock()
	nums, err := s.numbers()
	if err != nil {
		return nil, err
	}
	var files []FileInfo
	for _, num := range nums {
		f := FileInfo{Kind: kind, Number: num, Current: num >= current}
		err := s.handles.with(s.path(num), func(file File) (err error) {
			f.Size, err = s.sizeOf(file, num)
			return err
		})
		if notExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// RemoveFiles deletes block and undo files. Nothing durable may refer to
// their records any more: WriteIndex comes first, and SyncFiles before that,
// so that no number is used twice. The newest file of a kind is refused.
// After a crash during the call any of them may still be there.
func (s *Store) RemoveFiles(files []FileInfo) error {
	if len(files) == 0 {
		return nil
	}
	if err := s.writable(); err != nil {
		return err
	}
	files = slices.SortedFunc(slices.Values(files), func(a, b FileInfo) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Kind, b.Kind))
	})
	for _, f := range files {
		set := s.set(f.Kind)
		set.mu.Lock()
		current := set.num
		set.mu.Unlock()
		if f.Number >= current {
			return fmt.Errorf("remove %s: it is the newest file of its kind", set.base(f.Number))
		}
	}
	if err := s.markPruned(); err != nil {
		return err
	}
	for _, f := range files {
		path := s.set(f.Kind).path(f.Number)
		s.handles.forget(path)
		if err := s.guard.remove(path); err != nil {
			return fmt.Errorf("remove %s: %w", filepath.Base(path), err)
		}
	}
	return s.guard.syncDir(filepath.Join(s.dir, blocksDir))
}

func (s *Store) markPruned() error {
	pruned, err := s.Pruned()
	if err != nil || pruned {
		return err
	}
	if err := s.mark(filepath.Join(s.dir, blocksDir, prunedName)); err != nil {
		return err
	}
	return s.guard.syncDir(filepath.Join(s.dir, blocksDir))
}

// Pruned reports whether files were ever removed from this store.
func (s *Store) Pruned() (bool, error) {
	names, err := s.guard.fs.List(filepath.Join(s.dir, blocksDir))
	return slices.Contains(names, prunedName), err
}
