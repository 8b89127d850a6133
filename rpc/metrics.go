package rpc

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// unknownMethod labels calls of methods that do not exist, however they were
// spelt: labels are a closed set.
const unknownMethod = "unknown"

// Metrics counts calls and connections. NewMetrics makes one.
type Metrics struct {
	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	authFailures prometheus.Counter
	wsClients    prometheus.Gauge
	wsSlow       prometheus.Counter
}

// NewMetrics registers the metrics of this package with reg. A nil reg makes
// metrics that nobody reads.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "charter_rpc_requests_total",
			Help: "Calls by method, and by whether the answer was a result or an error.",
		}, []string{"method", "outcome"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "charter_rpc_request_duration_seconds",
			Help:    "Time from a call's parameters to its result, by method.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"method"}),
		authFailures: f.NewCounter(prometheus.CounterOpts{
			Name: "charter_rpc_auth_failures_total",
			Help: "Requests with a missing or wrong user and password.",
		}),
		wsClients: f.NewGauge(prometheus.GaugeOpts{
			Name: "charter_rpc_websocket_clients",
			Help: "Open WebSocket connections.",
		}),
		wsSlow: f.NewCounter(prometheus.CounterOpts{
			Name: "charter_rpc_websocket_slow_clients_total",
			Help: "WebSocket connections closed because the client did not read.",
		}),
	}
}
