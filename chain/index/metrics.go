package index

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the figures of the indexes.
type Metrics struct {
	height *prometheus.GaugeVec
}

// NewMetrics makes the figures and registers them with reg, if not nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{height: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "charter_index_height",
		Help: "Height of the last block in an optional index (tx, addr, basicfilter), -1 while it is empty.",
	}, []string{"index"})}
	if reg != nil {
		reg.MustRegister(m.height)
	}
	return m
}
