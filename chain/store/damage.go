package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// ErrClosed is returned by every method of a Store after Close.
var ErrClosed = errors.New("store is closed")

// DamageError reports bytes on disk that are not what was written. It says
// nothing about whether a block is valid: its data is lost, not wrong.
type DamageError struct {
	File   string // below the data directory
	Offset int64  // in File; -1 where not known
	What   string
}

func (e *DamageError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("damaged data in %s: %s", e.File, e.What)
	}
	return fmt.Sprintf("damaged data in %s at byte %d: %s", e.File, e.Offset, e.What)
}

// Repair says what the operator can do about the damage.
func (e *DamageError) Repair() string {
	folder, name, _ := strings.Cut(filepath.ToSlash(e.File), "/")
	switch {
	case folder == chainstateDir, folder == blocksDir && strings.HasPrefix(name, "undo"):
		return "start once with --reindex-chainstate to make the chain state again from the stored blocks"
	case folder == indexDir:
		return "start once with --reindex to make index and chain state again from the block files"
	case folder == blocksDir:
		return "start once with --reindex; blocks that are damaged on disk come from peers again"
	}
	return "restore the file from a backup"
}

// fromLevelDB turns what LevelDB calls corruption into a DamageError and
// leaves other errors as they are. dir is the database's folder name.
func fromLevelDB(dir string, err error) error {
	var (
		damage  *DamageError
		corrupt *ldberrors.ErrCorrupted
		stor    *storage.ErrCorrupted
		fd      storage.FileDesc
	)
	switch {
	case err == nil || errors.As(err, &damage):
		return err
	case errors.Is(err, errLevelDBClosed):
		return ErrClosed
	case errors.As(err, &corrupt):
		fd = corrupt.Fd
	case errors.As(err, &stor):
		fd = stor.Fd
	case !notExist(err):
		return err
	}
	file := dir
	if !fd.Zero() {
		file = filepath.Join(dir, fd.String())
	}
	return &DamageError{File: file, Offset: -1, What: err.Error()}
}
