package node

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
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
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "charter_sigcheck_inputs_total",
			Help: "Transaction inputs whose scripts and signatures were checked.",
		}, func() float64 { return float64(n.checker.Checked()) }),
	)
}
