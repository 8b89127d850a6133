package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

const (
	currentName = "CURRENT"     // names the manifest in force, followed by a line feed
	currentTemp = "CURRENT.tmp" // its successor while it is written
)

// ldbStorage is LevelDB's storage over the guard, with the file names that
// every LevelDB uses. Unlike the library's own it also syncs the folder
// before it reports a new file as synced.
type ldbStorage struct {
	g   *guard
	dir string
}

var _ storage.Storage = (*ldbStorage)(nil)

type noLock struct{}

func (noLock) Unlock() {}

// Lock does nothing: the data directory as a whole is locked.
func (s *ldbStorage) Lock() (storage.Locker, error) { return noLock{}, nil }

// Log drops what LevelDB says about its background work.
func (s *ldbStorage) Log(string) {}

// Close does nothing: the guard closes files that are left.
func (s *ldbStorage) Close() error { return nil }

func (s *ldbStorage) path(fd storage.FileDesc) string { return filepath.Join(s.dir, fd.String()) }

func (s *ldbStorage) SetMeta(fd storage.FileDesc) error {
	temp := filepath.Join(s.dir, currentTemp)
	f, err := s.g.openChange(s.g.fs.Create, temp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(fd.String()+"\n"), 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := s.g.rename(temp, filepath.Join(s.dir, currentName)); err != nil {
		return err
	}
	return s.g.syncDir(s.dir)
}

func (s *ldbStorage) GetMeta() (storage.FileDesc, error) {
	b, err := readFile(s.g.fs, filepath.Join(s.dir, currentName))
	if err != nil {
		return storage.FileDesc{}, err
	}
	name, ok := strings.CutSuffix(string(b), "\n")
	fd, known := parseFileDesc(name)
	if !ok || !known || fd.Type != storage.TypeManifest {
		return storage.FileDesc{}, &DamageError{
			File:   filepath.Join(filepath.Base(s.dir), currentName),
			Offset: 0,
			What:   fmt.Sprintf("names no manifest: %.40q", b),
		}
	}
	return fd, nil
}

func (s *ldbStorage) List(types storage.FileType) ([]storage.FileDesc, error) {
	names, err := s.g.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	var fds []storage.FileDesc
	for _, name := range names {
		if fd, ok := parseFileDesc(name); ok && fd.Type&types != 0 {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

// parseFileDesc is the inverse of FileDesc.String.
func parseFileDesc(name string) (storage.FileDesc, bool) {
	var fd storage.FileDesc
	if _, err := fmt.Sscanf(name, "MANIFEST-%d", &fd.Num); err == nil {
		fd.Type = storage.TypeManifest
		return fd, fd.String() == name
	}
	digits, ext, _ := strings.Cut(name, ".")
	switch ext {
	case "log":
		fd.Type = storage.TypeJournal
	case "ldb":
		fd.Type = storage.TypeTable
	case "tmp":
		fd.Type = storage.TypeTemp
	default:
		return fd, false
	}
	_, err := fmt.Sscanf(digits, "%d", &fd.Num)
	return fd, err == nil && fd.String() == name
}

func (s *ldbStorage) Open(fd storage.FileDesc) (storage.Reader, error) {
	f, err := s.g.openRead(s.path(fd))
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &ldbReader{SectionReader: io.NewSectionReader(f, 0, size), f: f}, nil
}

func (s *ldbStorage) Create(fd storage.FileDesc) (storage.Writer, error) {
	f, err := s.g.openChange(s.g.fs.Create, s.path(fd))
	if err != nil {
		return nil, err
	}
	return &ldbWriter{f: f, dir: s.dir, newName: true}, nil
}

// Remove never reports a failure, which the guard keeps: when LevelDB cannot
// drop a table whose compaction failed, it tries that compaction again with a
// writer that is gone, and panics. A file that stays is removed at the next
// open, since no manifest names it.
func (s *ldbStorage) Remove(fd storage.FileDesc) error {
	_ = s.g.remove(s.path(fd))
	return nil
}

func (s *ldbStorage) Rename(oldfd, newfd storage.FileDesc) error {
	if err := s.g.rename(s.path(oldfd), s.path(newfd)); err != nil {
		return err
	}
	return s.g.syncDir(s.dir)
}

type ldbReader struct {
	*io.SectionReader
	f *guardedFile
}

func (r *ldbReader) Close() error { return r.f.Close() }

// ldbWriter appends to a new file.
type ldbWriter struct {
	f   *guardedFile
	dir string

	mu      sync.Mutex // guards what follows
	off     int64
	newName bool // the folder was not synced since the file was made
}

func (w *ldbWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.f.WriteAt(b, w.off)
	w.off += int64(n)
	return n, err
}

func (w *ldbWriter) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.f.Sync(); err != nil {
		return err
	}
	if !w.newName {
		return nil
	}
	if err := w.f.g.syncDir(w.dir); err != nil {
		return err
	}
	w.newName = false
	return nil
}

func (w *ldbWriter) Close() error { return w.f.Close() }

// readFile returns the whole content of a file.
func readFile(fsys FS, name string) (b []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b = make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}
