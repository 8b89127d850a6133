package node

import (
	"io"
	"path/filepath"

	"github.com/charterchain/charter/chain/store"
)

// lockDir takes the lock that the store of a running node holds.
func lockDir(dir string) (io.Closer, error) {
	return store.OS().Lock(filepath.Join(dir, store.LockName))
}
