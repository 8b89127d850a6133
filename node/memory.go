package node

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Memory is what memory there is for this process, in bytes: of the machine,
// or of its control group (cgroup v2) and those above it if that is less.
type Memory struct {
	Total     uint64
	Available uint64 // could be had without swapping, page cache given up
}

// readMemory asks the files of Linux's proc and cgroup below root.
func readMemory(root fs.FS) (m Memory, known bool) {
	info := readTable(root, "proc/meminfo")
	m.Total, known = info["MemTotal:"]
	available, hasAvailable := info["MemAvailable:"]
	if !known || !hasAvailable {
		return Memory{}, false
	}
	m.Total, m.Available = m.Total<<10, available<<10
	for _, group := range groups(root) {
		limit, limited := readNumber(root, path.Join(group, "memory.max"))
		if !limited {
			continue
		}
		m.Total = min(m.Total, limit)
		if used, ok := readNumber(root, path.Join(group, "memory.current")); ok {
			// What the kernel keeps of files goes before a process has to.
			stat := readTable(root, path.Join(group, "memory.stat"))
			used -= min(used, stat["active_file"]+stat["inactive_file"])
			m.Available = min(m.Available, limit-min(limit, used))
		}
	}
	return m, true
}

// groups lists the folders of the control groups that this process is in,
// its own first. A container may see its own at the root only.
func groups(root fs.FS) []string {
	const top = "sys/fs/cgroup"
	own := "/"
	text, _ := fs.ReadFile(root, "proc/self/cgroup") // absent: no cgroups
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path.Clean("/" + rest)
		}
	}
	var list []string
	for ; own != "/"; own = path.Dir(own) {
		list = append(list, top+own)
	}
	return append(list, top)
}

// readNumber reads a file that holds one number; "max" is none.
func readNumber(root fs.FS, name string) (n uint64, ok bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// readTable reads a file of lines "name number …". Of one that is not there,
// or holds something else, nothing is known.
func readTable(root fs.FS, name string) map[string]uint64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	table := make(map[string]uint64)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(fields[1], 10, 54); err == nil {
			table[fields[0]] = n
		}
	}
	return table
}
