package wallet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is what the wallet asks of a disk. OS gives the real one.
type FS interface {
	// ReadFile returns a whole file, or an error where it is longer than
	// limit bytes. fs.ErrNotExist says that there is none.
	ReadFile(path string, limit int64) ([]byte, error)

	// Create makes a file that only its owner can read, or empties it.
	Create(path string) (File, error)

	// MkdirAll makes a folder, and those above it, for the owner only.
	MkdirAll(path string) error

	Rename(from, to string) error

	// SyncDir makes the names in a folder durable.
	SyncDir(path string) error

	// Lock takes the lock file at path until it is closed, or fails with
	// ErrInUse at once where another holds it.
	Lock(path string) (io.Closer, error)
}

// File is a file that is being written.
type File interface {
	io.WriteCloser
	Sync() error
}

// ErrInUse reports a wallet that another process works with.
var ErrInUse = errors.New("the wallet is in use by another process; try again when that one is done")

// replaceFile writes data to path so that after a crash there is either the
// old file or the new one, whole and durable.
func replaceFile(disk FS, path string, data []byte) (err error) {
	next := path + ".new"
	f, err := disk.Create(next)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = disk.Rename(next, path)
	}
	if err == nil {
		err = disk.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// OS returns the disk of this machine.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("longer than %d bytes", limit)}
	}
	return data, nil
}

func (osFS) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (osFS) MkdirAll(path string) error { return os.MkdirAll(path, 0o700) }

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) SyncDir(path string) error { return syncDir(path) }

func (osFS) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
