package node

import (
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/charterchain/charter/chain/sigcheck"
)

// registerMetrics adds the figures that belong to no single part.
func (n *Node) registerMetrics() {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "charter_node_build_info",
		Help:        "1, with the version of the program and of Go as labels.",
		ConstLabels: prometheus.Labels{"version": n.opts.Version, "goversion": runtime.Version()},
	})
	build.Set(1)
	n.registry.MustRegister(
		build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "charter_node_best_block_age_seconds",
			Help: "Time since the header time of the best block.",
		}, func() float64 { return n.opts.Now().Sub(n.chain.Best().Header.Timestamp).Seconds() }),
		n.shortGauge("disk", &n.disk.low),
		n.shortGauge("memory", &n.memory.low.on),
		n.shortGauge("files", &n.files.few.on),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "charter_node_memory_available_bytes",
			Help: "Memory that this process could still get; 0 where the system does not tell.",
		}, func() float64 {
			m, _ := n.opts.Memory()
			return float64(m.Available)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "charter_sigcheck_inputs_total",
			Help: "Transaction inputs whose scripts and signatures were checked.",
		}, func() float64 { return float64(n.checker.Checked()) }),
	)
	n.registry.MustRegister(checkFigures(n.checker)...)
	if n.sealed() {
		n.registry.MustRegister(newMiningFigures(n.mining))
	}
}

// shortGauge shows whether one resource of the machine runs short.
func (n *Node) shortGauge(resource string, short *atomic.Bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "charter_node_resource_short",
		Help:        "1 while this resource of the machine runs short: disk, memory, files.",
		ConstLabels: prometheus.Labels{"resource": resource},
	}, func() float64 {
		if short.Load() {
			return 1
		}
		return 0
	})
}

// refusedConnections counts what fileWatch turns away.
func (n *Node) refusedConnections() *prometheus.CounterVec {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "charter_node_refused_connections_total",
		Help: "Inbound connections that were closed because few more files could be opened, by kind: peer, http.",
	}, []string{"kind"})
	n.registry.MustRegister(refused)
	return refused
}

// checkFigures show how scripts and signatures are checked.
func checkFigures(c *sigcheck.Checker) (all []prometheus.Collector) {
	for _, f := range []struct {
		name, help string
		value      func(s sigcheck.Stats) uint64
	}{
		{"inputs_known", "Transaction inputs that needed no check because the pool had made it.", func(s sigcheck.Stats) uint64 { return s.Skipped }},
		{"batches", "Batches of signatures that were checked, parts of failed ones included.", func(s sigcheck.Stats) uint64 { return s.Batches }},
		{"batched_signatures", "Signatures in batches that were checked, each time they were.", func(s sigcheck.Stats) uint64 { return s.Batched }},
		{"single_signatures", "Signatures that were checked one by one, those of multisig apart.", func(s sigcheck.Stats) uint64 { return s.Singles }},
		{"interpreted_inputs", "Transaction inputs whose scripts the interpreter ran.", func(s sigcheck.Stats) uint64 { return s.Interpreted }},
		{"wrong_hints", "Hints about ECDSA signatures that were found wrong.", func(s sigcheck.Stats) uint64 { return s.WrongHints }},
		{"overruled_inputs", "Inputs that the interpreter accepts against the quick checks: more than 0 is a bug.", func(s sigcheck.Stats) uint64 { return s.Overruled }},
	} {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "charter_sigcheck_" + f.name + "_total",
			Help: f.help,
		}, func() float64 { return float64(f.value(c.Stats())) }))
	}
	return all
}
