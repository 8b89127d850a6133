package transport

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/p2p/message"
)

// Metrics counts what the links of a node move. All methods work on nil.
type Metrics struct {
	bytes      *prometheus.CounterVec
	messages   *prometheus.CounterVec
	handshakes *prometheus.CounterVec
	budget     prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "charter_transport_bytes_total",
			Help: "Bytes of frames exchanged with peers, without TLS overhead.",
		}, []string{"direction", "type"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "charter_transport_messages_total",
			Help: "Whole messages exchanged with peers.",
		}, []string{"direction", "type"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "charter_transport_handshakes_total",
			Help: "Handshakes with peers by role and result.",
		}, []string{"role", "result"}),
		budget: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "charter_transport_budget_used_bytes",
			Help: "Memory taken from the budget for incoming messages.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.bytes, m.messages, m.handshakes, m.budget)
	}
	return m
}

const (
	directionIn  = "in"
	directionOut = "out"
)

func (m *Metrics) countFrame(direction string, t message.Type, bytes int) {
	if m != nil {
		m.bytes.WithLabelValues(direction, t.String()).Add(float64(bytes))
	}
}

func (m *Metrics) countMessage(direction string, t message.Type) {
	if m != nil {
		m.messages.WithLabelValues(direction, t.String()).Inc()
	}
}

func (m *Metrics) countHandshake(role, result string) {
	if m != nil {
		m.handshakes.WithLabelValues(role, result).Inc()
	}
}

func (m *Metrics) addBudget(bytes int64) {
	if m != nil {
		m.budget.Add(float64(bytes))
	}
}
