package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
)

// FS is the disk as the store sees it: everything, LevelDB included, goes
// through it. Names are slash- or OS-separated paths as given in Config.Dir.
// A missing file or directory is reported by an error that wraps
// fs.ErrNotExist. Methods may be called concurrently.
type FS interface {
	// MkdirAll makes dir and the directories above it.
	MkdirAll(dir string) error
	// List returns the names of the plain files in dir, sorted.
	List(dir string) ([]string, error)
	// Empty reports whether dir holds neither files nor folders.
	Empty(dir string) (bool, error)
	// Open opens an existing file for reading.
	Open(name string) (File, error)
	// OpenWrite opens a file for reading and writing and makes it when it is missing.
	OpenWrite(name string) (File, error)
	// Create makes an empty file for reading and writing, in place of any old one.
	Create(name string) (File, error)
	Remove(name string) error
	// Rename replaces newName in one step.
	Rename(oldName, newName string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Lock takes the lock file name until the result is closed or the
	// process ends. When another process has it: a *LockedError.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Reads may run concurrently with everything but Close.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// LockedError reports a data directory that another process uses.
type LockedError struct {
	Dir    string
	Holder string // what the holder wrote into the lock file, "" if nothing
}

func (e *LockedError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("data directory %s is in use by %s: stop that process or choose another data directory", e.Dir, holder)
}

// OS returns the real file system.
func OS() FS { return osFS{} }

type osFS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osFS) open(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (o osFS) Open(name string) (File, error)      { return o.open(name, os.O_RDONLY) }
func (o osFS) OpenWrite(name string) (File, error) { return o.open(name, os.O_RDWR|os.O_CREATE) }
func (o osFS) Create(name string) (File, error) {
	return o.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}
func (osFS) MkdirAll(dir string) error            { return os.MkdirAll(dir, 0o700) }
func (osFS) Remove(name string) error             { return os.Remove(name) }
func (osFS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

func (osFS) Empty(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	switch _, err := d.Readdirnames(1); {
	case errors.Is(err, io.EOF):
		return true, nil
	default:
		return false, err
	}
}

func (osFS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened for that; NTFS journals names itself
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := lockFile(f)
	if err == nil && taken {
		holder, _ := io.ReadAll(io.LimitReader(f, 80)) // only for the message
		err = &LockedError{Dir: filepath.Dir(name), Holder: string(holder)}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "process %d", os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil // closing it ends the lock
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
