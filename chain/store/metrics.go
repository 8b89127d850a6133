package store

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of one Store.
type Metrics struct {
	written prometheus.Counter
	fsync   prometheus.Histogram
	commits prometheus.Counter
}

// NewMetrics makes the counters and registers them with reg, if not nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "charter_store_written_bytes_total",
			Help: "Bytes handed to the operating system for block files and databases.",
		}),
		fsync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "charter_store_fsync_seconds",
			Help:    "Time that one fsync of a file or folder took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}),
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "charter_store_commits_total",
			Help: "Commits of the chain state.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.written, m.fsync, m.commits)
	}
	return m
}
