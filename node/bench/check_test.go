package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/node/bench/workload"
)

// TestOptionsCheck: what cannot work is said before a chain is made.
func TestOptionsCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Options)
		says   string
	}{
		{"unknown bench", func(o *Options) { o.Benches = []string{"import", "imprt"} }, `"imprt"`},
		{"unknown kind", func(o *Options) { o.Benches, o.Kinds = []string{"template"}, []workload.Kind{"p2x"} }, `kind "p2x"`},
		{"negative rounds", func(o *Options) { o.Rounds, o.Samples = -1, 0 }, "rounds = -1"},
		{"negative checks", func(o *Options) { o.Checks = -5 }, "u-checks = -5"},
		{"negative transactions", func(o *Options) { o.Txs = -1 }, "txs = -1"},
		{"negative blocks", func(o *Options) { o.Blocks = -1 }, "blocks = -1"},
		{"too many blocks", func(o *Options) { o.Blocks = 100_001 }, "100001 blocks"},
		{"too little weight", func(o *Options) { o.Weight = 9_999 }, "weight 9999"},
		{"too little memory", func(o *Options) { o.DBCache = 3 }, "dbcache"},
		{"too many threads", func(o *Options) { o.Par = 1025 }, "par"},
		{"profile nowhere", func(o *Options) { o.CPUProfile = filepath.Join(o.Dir, "no", "cpu.out") }, "cpu.out"},
		{"trace nowhere", func(o *Options) { o.Trace = filepath.Join(o.Dir, "no", "trace.out") }, "trace.out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := small("import", t.TempDir())
			tt.change(&o)
			_, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want one that says %s", err, tt.says)
			}
			if files, _ := os.ReadDir(o.Dir); len(files) > 0 {
				t.Errorf("%d files were made before that", len(files))
			}
		})
	}
}

// TestDamagedChain: a chain that is kept and was damaged since is not measured,
// and the error names the file.
func TestDamagedChain(t *testing.T) {
	o := small("import", t.TempDir())
	o.Kinds = []workload.Kind{workload.Anyone}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(o.Dir, "*.blocks.dat"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%q, %v", names, err)
	}
	whole, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(whole)-1] ^= 1 // the lock time of a transaction
	for name, data := range map[string][]byte{"flipped": flipped, "cut": whole[:len(whole)-1]} {
		if err := os.WriteFile(names[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), names[0]) {
			t.Errorf("%s: %v, want one that names the file", name, err)
		}
	}
}
