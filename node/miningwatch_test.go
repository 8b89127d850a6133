package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/node/minestatus"
)

// TestMiningWatch has warnings come, change and go, look by look.
func TestMiningWatch(t *testing.T) {
	const double = "double sealing: b"
	now := time.Unix(1_700_000_000, 0)
	var list []string
	var log bytes.Buffer
	w := &miningWatch{
		warnings: func() []string { return list }, now: func() time.Time { return now },
		log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
		on: make(map[string]bool), warned: make(map[string]time.Time),
	}
	warn := func(text string) string { return `level=WARN msg="` + text + "\"\n" }
	over := func(kind string) string { return `level=INFO msg="no longer: ` + kind + "\"\n" }
	for i, look := range []struct {
		after    time.Duration
		warnings []string
		want     string
	}{
		{0, []string{"one more: a"}, ""}, // may be a start
		{0, nil, ""},
		{0, []string{"one more: a"}, ""},
		{0, []string{"one more: b"}, warn("one more: b")},
		{0, []string{"one more: c"}, ""},
		{0, []string{"stands: a, b", double}, over("one more")},
		{0, []string{"stands: a, b", double}, warn("stands: a, b") + warn(double)},
		{0, []string{double + " again"}, over("stands")},
		{0, []string{"one more: a"}, over("double sealing")},
		{0, []string{"one more: a"}, ""}, // within the hour
		{0, nil, over("one more")},
		{warnEvery, []string{"one more: a"}, ""},
		{0, []string{"one more: a"}, warn("one more: a")},
	} {
		now, list = now.Add(look.after), look.warnings
		log.Reset()
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(look.want, log.String()); diff != "" {
			t.Errorf("look %d (-want +got):\n%s", i+1, diff)
		}
	}
}

func TestMiningFigures(t *testing.T) {
	known := true
	f := newMiningFigures(func() (minestatus.Status, bool) {
		return minestatus.Status{
			Seen: 3, MayFail: 1, SafeConfirmations: 2, Settled: 7,
			Members: []minestatus.Member{{Name: "a", Last: &minestatus.Block{Height: 9}}, {Name: "b"}},
		}, known
	})
	var want strings.Builder
	for _, line := range []string{
		"miner_last_block_height Height of the newest block that a member sealed, if it is not long ago.", `miner_last_block_height{member="a"} 9`,
		"miners_may_fail How many more of them may be lost before the chain stops.", "miners_may_fail 1",
		"miners_seen Members that mine and were seen lately.", "miners_seen 3",
		"safe_confirmations Confirmations from which a block is safe, whatever a minority of those that mine does.", "safe_confirmations 2",
		"settled_height Height up to which this node never leaves its branch by itself.", "settled_height 7",
	} {
		if name, help, ok := strings.Cut(line, " "); ok && len(help) > 5 {
			want.WriteString("# HELP charter_node_" + line + "\n# TYPE charter_node_" + name + " gauge\n")
			continue
		}
		want.WriteString("charter_node_" + line + "\n")
	}
	if err := testutil.CollectAndCompare(f, strings.NewReader(want.String())); err != nil {
		t.Error(err)
	}
	known = false
	if err := prometheus.NewRegistry().Register(f); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(f); n != 0 {
		t.Errorf("%d metrics where mining is not restricted", n)
	}
}
