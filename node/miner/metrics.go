package miner

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the figures that the miner shows.
type Metrics struct {
	hashes, found, stale, templates prometheus.Counter
	rate, mining                    prometheus.Gauge
	states                          *prometheus.GaugeVec
}

// NewMetrics registers the metrics with reg, or nowhere when it is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "charter_miner_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "charter_miner_" + name, Help: help})
	}
	m := &Metrics{
		hashes:    counter("hashes_total", "Block headers hashed."),
		found:     counter("blocks_total", "Blocks found that became the best one."),
		stale:     counter("stale_blocks_total", "Blocks found that did not become the best one."),
		templates: counter("rounds_total", "Rounds begun: a new best block, or a better template."),
		rate:      gauge("hash_rate", "Hashes per second of the last round."),
		mining:    gauge("mining", "1 while threads are hashing."),
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "charter_miner_state", Help: "1 for what the miner does, or what keeps it from mining.",
		}, []string{"state"}),
	}
	if reg != nil {
		reg.MustRegister(m.hashes, m.found, m.stale, m.templates, m.rate, m.mining, m.states)
	}
	return m
}

// state shows what the miner does.
func (m *Metrics) state(now State) {
	for _, s := range States() {
		m.states.WithLabelValues(string(s)).Set(is(s == now))
	}
	m.mining.Set(is(now == StateMining))
}

func is(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
