//go:build unix

package node

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes this user may still write below dir.
func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}

// openFiles is how many files and connections this process has open, and how
// many it may have.
func openFiles() (open, limit uint64, known bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, 0, false
	}
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return 0, 0, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, 0, false
	}
	return uint64(len(names)) - 1, uint64(r.Cur), true // without dir itself
}

// memoryNow is what memory there is for this process.
func memoryNow() (Memory, bool) { return readMemory(os.DirFS("/")) }
