package p2p

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

// Metrics counts what the sessions do. Bytes and messages by type and
// direction, and handshakes by result, are counted by p2p/transport.
type Metrics struct {
	transport *transport.Metrics

	peers      *prometheus.GaugeVec
	ends       *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	dials      *prometheus.CounterVec
	blocks     *prometheus.CounterVec
	hints      *prometheus.CounterVec
	txs        *prometheus.CounterVec
	timeouts   *prometheus.CounterVec
	dropped    *prometheus.CounterVec
	presenceIn *prometheus.CounterVec
	addresses  prometheus.Gauge
	presences  prometheus.Gauge
	bestHeight prometheus.Gauge
	wanted     prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &Metrics{
		transport: transport.NewMetrics(reg),
		peers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "charter_p2p_peers", Help: "Open sessions with peers."}, []string{"direction"}),
		ends:       counters("charter_p2p_sessions_ended_total", "Sessions that ended, by the reason this node gave.", "reason"),
		refusals:   counters("charter_p2p_sessions_refused_total", "Links refused before or after their handshake, by reason.", "reason"),
		dials:      counters("charter_p2p_dials_total", "Attempts to dial a peer.", "result"),
		blocks:     counters("charter_p2p_blocks_received_total", "Blocks received, by what became of them.", "result"),
		hints:      counters("charter_p2p_block_hints_received_total", "Blocks connected that came with hints about their signatures, by whether these were right.", "result"),
		txs:        counters("charter_p2p_txs_received_total", "Transactions received, by what became of them.", "result"),
		timeouts:   counters("charter_p2p_request_timeouts_total", "Requests that a peer left unanswered.", "kind"),
		dropped:    counters("charter_p2p_dropped_total", "Items dropped because a bounded queue was full.", "queue"),
		presenceIn: counters("charter_p2p_presences_received_total", "Signed presences of nodes received, by what became of them.", "result"),
		addresses:  gauge("charter_p2p_known_addresses", "Addresses in the address book."),
		presences:  gauge("charter_p2p_known_presences", "Nodes whose newest signed presence is remembered, this one included."),
		bestHeight: gauge("charter_p2p_peers_best_height", "Largest header height that a connected peer is known to have, -1 if none."),
		wanted:     gauge("charter_p2p_blocks_wanted", "Blocks within the download window that have not arrived."),
	}
	m.session(true, 0) // no peers are a figure too
	m.session(false, 0)
	if reg != nil {
		reg.MustRegister(m.peers, m.ends, m.refusals, m.dials, m.blocks, m.hints, m.txs,
			m.timeouts, m.dropped, m.presenceIn, m.addresses, m.presences, m.bestHeight, m.wanted)
	}
	return m
}

func (m *Metrics) session(inbound bool, by float64) {
	direction := "outbound"
	if inbound {
		direction = "inbound"
	}
	m.peers.WithLabelValues(direction).Add(by)
}

func (m *Metrics) ended(code message.Code)   { m.ends.WithLabelValues(code.String()).Inc() }
func (m *Metrics) refused(code message.Code) { m.refusals.WithLabelValues(code.String()).Inc() }
func (m *Metrics) refusedAtGate()            { m.refusals.WithLabelValues("gate").Inc() }
func (m *Metrics) timeout(kind string)       { m.timeouts.WithLabelValues(kind).Inc() }
func (m *Metrics) drop(queue string)         { m.dropped.WithLabelValues(queue).Inc() }
func (m *Metrics) dialled(ok bool) {
	result := "failed"
	if ok {
		result = "session"
	}
	m.dials.WithLabelValues(result).Inc()
}

// The results under which blocks and transactions are counted.
const (
	resultNew       = "new"
	resultKnown     = "known"
	resultUnasked   = "unasked"
	resultInvalid   = "invalid"
	resultRefused   = "refused"
	resultUndecided = "undecided"
)

func (m *Metrics) block(result string)    { m.blocks.WithLabelValues(result).Inc() }
func (m *Metrics) hint(result string)     { m.hints.WithLabelValues(result).Inc() }
func (m *Metrics) presence(result string) { m.presenceIn.WithLabelValues(result).Inc() }
func (m *Metrics) tx(result string)       { m.txs.WithLabelValues(result).Inc() }
