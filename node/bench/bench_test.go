package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charterchain/charter/node/bench/workload"
)

// small is a run that takes no time to speak of.
func small(name string, dir string) Options {
	return Options{Benches: []string{name}, Blocks: 3, Weight: 10_000, Txs: 60, Rounds: 1, DBCache: 8, Dir: dir, Samples: 1, Checks: 2}
}

// TestInstruments runs each instrument on a chain of a few payments, so that
// none of them rots.
func TestInstruments(t *testing.T) {
	dir := t.TempDir()
	for _, in := range instruments() {
		t.Run(in.name, func(t *testing.T) {
			o := small(in.name, dir)
			if in.name != "stages" { // which is about signatures too
				o.Kinds = []workload.Kind{workload.Anyone}
			}
			if in.phases != nil {
				o.Blocks = 60 // percents of which are blocks
			}
			report, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Lines) == 0 {
				t.Fatal("nothing was measured")
			}
			for _, l := range report.Lines {
				if l.Value.N != 1 || l.Value.Median < 0 {
					t.Errorf("%s: %+v", l.Name, l.Value)
				}
				if byU := l.Unit == PerSecond || l.Unit == Millis || l.Unit == Micros; byU && (l.PerU == nil || l.PerU.Median <= 0) {
					t.Errorf("%s is not given in U", l.Name)
				}
			}
			var text bytes.Buffer
			if err := report.Text(&text); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), in.name) {
				t.Errorf("the table does not name the bench:\n%s", text.String())
			}
		})
	}
}

// TestImportKinds: blocks of every kind are valid to a whole node.
func TestImportKinds(t *testing.T) {
	dir := t.TempDir()
	o := small("import", dir)
	o.Kinds, o.Blocks = workload.Kinds(), 1
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range workload.Kinds() {
		if !slices.ContainsFunc(report.Lines, func(l Line) bool { return l.Bench == "import "+string(kind) }) {
			t.Errorf("nothing about %s", kind)
		}
	}
}

// TestHints: the file with hints holds them, and is imported.
func TestHints(t *testing.T) {
	dir := t.TempDir()
	o := small("import", dir)
	o.Kinds, o.Hints, o.Blocks = []workload.Kind{workload.P2WPKH}, true, 1
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sizes := make(map[string]int64)
	for _, end := range []string{".blocks.dat", ".blocks.hinted.dat"} {
		names, err := filepath.Glob(filepath.Join(dir, "*"+end))
		if err != nil || len(names) != 1 {
			t.Fatalf("files that end in %s: %q, %v", end, names, err)
		}
		info, err := os.Stat(names[0])
		if err != nil {
			t.Fatal(err)
		}
		sizes[end] = info.Size()
	}
	if more := sizes[".blocks.hinted.dat"] - sizes[".blocks.dat"]; more <= 0 {
		t.Errorf("hints take %d bytes", more)
	}
}

// TestRound: a round that is a process of its own says the same things.
func TestRound(t *testing.T) {
	o := small("import", t.TempDir())
	o.Kinds = []workload.Kind{workload.Anyone}
	var jobs int
	o.Start = func(ctx context.Context, job []byte) ([]byte, error) {
		jobs++
		var out bytes.Buffer
		err := Round(ctx, bytes.NewReader(job), &out)
		return out.Bytes(), err
	}
	o.Rounds = 2
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if jobs != 2 || report.Lines[0].Value.N != 2 {
		t.Errorf("%d processes, figures of %d rounds, want 2", jobs, report.Lines[0].Value.N)
	}
	var again Report
	text, err := json.Marshal(report)
	if err != nil || json.Unmarshal(text, &again) != nil || !slices.EqualFunc(again.Lines, report.Lines, func(a, b Line) bool { return a.Name == b.Name && a.Value == b.Value }) {
		t.Errorf("the report does not survive JSON: %v\n%s", err, text)
	}
	if err := Round(t.Context(), strings.NewReader(`{"bench":"nothing"}`), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("an unknown bench: %v", err)
	}
}

func TestSpread(t *testing.T) {
	rounds := []measured{
		{Result{[]Figure{{"rate", 1000, PerSecond}, {"time", 3, Millis}, {"memory", 5, MiB}}}, 200, 100},
		{Result{[]Figure{{"rate", 3000, PerSecond}, {"time", 1, Millis}, {"memory", 7, MiB}}}, 100, 100},
	}
	list := lines("b", rounds)
	want := []Line{
		{"b", "rate", PerSecond, Spread{2000, 1000, 3000, 2}, &Spread{0.25, 0.2, 0.3, 2}, "per U"},
		{"b", "time", Millis, Spread{2, 1, 3, 2}, &Spread{12.5, 10, 15, 2}, "U"},
		{"b", "memory", MiB, Spread{6, 5, 7, 2}, nil, ""},
	}
	got, _ := json.Marshal(list)
	exp, _ := json.Marshal(want)
	if string(got) != string(exp) {
		t.Errorf("got  %s\nwant %s", got, exp)
	}
}
