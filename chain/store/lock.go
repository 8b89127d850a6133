package store

import (
	"io"
	"path/filepath"
)

// Lock takes the lock of a data directory without opening it, for work that
// must not run beside a node. The error is a *LockedError when a process
// has it.
func Lock(fs FS, dir string) (io.Closer, error) {
	return fs.Lock(filepath.Join(dir, lockName))
}
