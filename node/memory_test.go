package node

import (
	"testing"
	"testing/fstest"
)

func TestReadMemory(t *testing.T) {
	const gib = 1 << 30
	info := "MemTotal:        8388608 kB\nMemFree:          100 kB\nMemAvailable:    2097152 kB\nHugePages_Total:       0\n"
	group := func(dir, limit, current, stat string) map[string]string {
		return map[string]string{dir + "/memory.max": limit, dir + "/memory.current": current, dir + "/memory.stat": stat}
	}
	for _, tt := range []struct {
		name  string
		files []map[string]string
		want  Memory
		known bool
	}{
		{"no such system", nil, Memory{}, false},
		{"an old kernel", []map[string]string{{"proc/meminfo": "MemTotal: 5 kB\n"}}, Memory{}, false},
		{"a machine", []map[string]string{{"proc/meminfo": info}}, Memory{8 * gib, 2 * gib}, true},
		{"a container, its group at the root", []map[string]string{
			{"proc/meminfo": info, "proc/self/cgroup": "0::/\n"},
			group("sys/fs/cgroup", "1073741824\n", "1000000000\n", "anon 900000000\nactive_file 50000\ninactive_file 7000\nfile 99999999\n"),
		}, Memory{gib, gib - 1000000000 + 57000}, true},
		{"a group above has less room", []map[string]string{
			{"proc/meminfo": info, "proc/self/cgroup": "1:name=systemd:/x\n0::/system.slice/charterd.service\n"},
			group("sys/fs/cgroup/system.slice/charterd.service", "max\n", "5\n", ""),
			group("sys/fs/cgroup/system.slice", "4000000\n", "3000000\n", ""),
		}, Memory{4000000, 1000000}, true},
		{"the path of the host, which the container does not see", []map[string]string{
			{"proc/meminfo": info, "proc/self/cgroup": "0::/docker/1234\n"},
			group("sys/fs/cgroup", "4000000\n", "3000000\n", "inactive_file 9000000\n"),
		}, Memory{4000000, 4000000}, true},
		{"over its limit", []map[string]string{
			{"proc/meminfo": info},
			group("sys/fs/cgroup", "4000000\n", "5000000\n", ""),
		}, Memory{4000000, 0}, true},
		{"the machine has less than the group may take", []map[string]string{
			{"proc/meminfo": info},
			group("sys/fs/cgroup", "99999999999\n", "5\n", ""),
		}, Memory{8 * gib, 2 * gib}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for _, files := range tt.files {
				for name, text := range files {
					root[name] = &fstest.MapFile{Data: []byte(text)}
				}
			}
			if got, known := readMemory(root); got != tt.want || known != tt.known {
				t.Errorf("%+v (known: %v), want %+v", got, known, tt.want)
			}
		})
	}
}
