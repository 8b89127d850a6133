//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package store

import (
	"fmt"
	"os"
	"runtime"
)

// lockFile refuses: without a lock that ends with its process, two nodes
// could write the same data.
func lockFile(f *os.File) (taken bool, err error) {
	return false, fmt.Errorf("%s: file locks are not supported on %s", f.Name(), runtime.GOOS)
}
