package node

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/node/minestatus"
)

// miningWatch has the log say what getblockchaininfo warns of: that members
// that mine are missing, double sealing, conflicting history. A warning is of
// the kind that the words before its first colon name.
type miningWatch struct {
	warnings func() []string // empty while this node is behind
	now      func() time.Time
	log      *slog.Logger

	before []string             // kinds of the last look
	on     map[string]bool      // kinds that the log knows of
	warned map[string]time.Time // when it was warned of them last
}

// check looks once. What only one look sees is not spoken of: a node that has
// just started has seen nobody yet. One kind is warned of once in warnEvery:
// others bring it about.
func (w *miningWatch) check() error {
	var kinds []string
	now := w.now()
	for _, text := range w.warnings() {
		kind, _, _ := strings.Cut(text, ":")
		kinds = append(kinds, kind)
		if w.on[kind] || !slices.Contains(w.before, kind) {
			continue
		}
		w.on[kind] = true
		if last, ok := w.warned[kind]; ok && now.Sub(last) < warnEvery {
			w.log.Debug(text)
			continue
		}
		w.warned[kind] = now
		w.log.Warn(text)
	}
	for kind := range w.on {
		if !slices.Contains(kinds, kind) {
			delete(w.on, kind)
			w.log.Info("no longer: " + kind)
		}
	}
	w.before = kinds
	return nil
}

// Run checks from time to time until ctx is done.
func (w *miningWatch) Run(ctx context.Context) error { return watch(ctx, w.check) }

// watchMining makes the watch of a chain that restricts mining.
func (n *Node) watchMining() *miningWatch {
	return &miningWatch{
		warnings: func() []string {
			s, ok := n.mining()
			if !ok || n.syncing() {
				return nil
			}
			return append(s.Warnings, n.chain.Warnings()...)
		},
		now: n.opts.Now, log: n.log,
		on: make(map[string]bool), warned: make(map[string]time.Time),
	}
}

// miningFigures shows in metrics what getminingstatus says beyond the chain's
// own figures. A chain has 256 members that mine at most, so their names may
// be labels.
type miningFigures struct {
	status                             func() (minestatus.Status, bool)
	seen, mayFail, safe, settled, last *prometheus.Desc
}

func newMiningFigures(status func() (minestatus.Status, bool)) *miningFigures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("charter_node_"+name, help, labels, nil)
	}
	return &miningFigures{
		status:  status,
		seen:    desc("miners_seen", "Members that mine and were seen lately."),
		mayFail: desc("miners_may_fail", "How many more of them may be lost before the chain stops."),
		safe:    desc("safe_confirmations", "Confirmations from which a block is safe, whatever a minority of those that mine does."),
		settled: desc("settled_height", "Height up to which this node never leaves its branch by itself."),
		last:    desc("miner_last_block_height", "Height of the newest block that a member sealed, if it is not long ago.", "member"),
	}
}

// Describe implements prometheus.Collector.
func (f *miningFigures) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.seen, f.mayFail, f.safe, f.settled, f.last} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (f *miningFigures) Collect(to chan<- prometheus.Metric) {
	s, ok := f.status()
	if !ok {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(f.seen, float64(s.Seen))
	gauge(f.mayFail, float64(s.MayFail))
	gauge(f.safe, float64(s.SafeConfirmations))
	gauge(f.settled, float64(s.Settled))
	for i := range s.Members {
		if m := &s.Members[i]; m.Last != nil {
			gauge(f.last, float64(m.Last.Height), m.Name)
		}
	}
}
