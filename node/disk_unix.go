//go:build unix

package node

import (
	"os"
	"strconv"
	"strings"

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

// fileLimit is how many files this process may have open at once.
func fileLimit() (limit uint64, known bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, false
	}
	return uint64(r.Cur), true
}

// memoryLimit is how many bytes of memory there are for this process: the
// machine's, or what its control group (cgroup v2) allows.
func memoryLimit() (bytes uint64, known bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseUint(fields[1], 10, 54)
			bytes, known = kib<<10, err == nil
		}
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil && known {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			bytes = min(bytes, limit)
		}
	}
	return bytes, known
}
