package mempool

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/mempool/policy"
)

// Metrics are the figures that the pool shows.
type Metrics struct {
	count, vsize, usage, fees, orphans prometheus.Gauge
	minFee                             prometheus.Gauge
	accepted, undecided                prometheus.Counter
	refused, left                      *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg, or nowhere when it is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "charter_mempool_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "charter_mempool_" + name, Help: help})
	}
	m := &Metrics{
		count:     gauge("transactions", "Transactions in the pool."),
		vsize:     gauge("size_bytes", "Virtual bytes of the transactions in the pool."),
		usage:     gauge("usage_bytes", "Estimated memory that the pool takes."),
		fees:      gauge("fees_units", "Fees of the transactions in the pool, in smallest units."),
		minFee:    gauge("floor_fee_rate", "Fee rate below which a full pool takes nothing, in smallest units per 1,000 virtual bytes."),
		orphans:   gauge("orphans", "Transactions that wait for their parents."),
		accepted:  counter("accepted_total", "Transactions taken into the pool."),
		undecided: counter("undecided_total", "Transactions that could not be judged."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "charter_mempool_refused_total", Help: "Transactions refused, by reason.",
		}, []string{"reason"}),
		left: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "charter_mempool_removed_total", Help: "Transactions that left the pool, by reason.",
		}, []string{"reason"}),
	}
	for _, r := range refusals() {
		m.refused.WithLabelValues(r)
	}
	for _, r := range reasons() {
		m.left.WithLabelValues(string(r))
	}
	if reg != nil {
		reg.MustRegister(m.count, m.vsize, m.usage, m.fees, m.minFee, m.orphans, m.accepted, m.undecided, m.refused, m.left)
	}
	return m
}

// txRules returns the rules that a transaction can break here. Those that
// a later block may satisfy are policy codes.
func txRules() []consensus.Rule {
	return []consensus.Rule{
		RuleCoinbase, consensus.RuleCoinbaseLength,
		consensus.RuleTxNoInputs, consensus.RuleTxNoOutputs, consensus.RuleTxOversize, consensus.RuleTxWeight, consensus.RuleTxSize,
		consensus.RuleTxOutputNegative, consensus.RuleTxOutputTooLarge, consensus.RuleTxOutputsTooLarge,
		consensus.RuleTxDuplicateInputs, consensus.RuleTxNullInput,
		consensus.RuleTxMissingInputs, consensus.RuleTxInputValues, consensus.RuleTxInputsBelowOut, consensus.RuleTxFee, consensus.RuleTxSigOps,
		consensus.RuleTxScript,
	}
}

// refusals returns every value that the label of refused can have.
func refusals() []string {
	var list []string
	for _, r := range slices.Concat(txRules(), lastingRules(), permission.Rules()) {
		list = append(list, string(r))
	}
	for _, c := range policy.Codes() {
		list = append(list, string(c))
	}
	for _, err := range []error{ErrInPool, ErrSameTxID, ErrInChain} {
		list = append(list, err.Error())
	}
	return list
}

// outcome counts what Accept returned.
func (m *Metrics) outcome(err error) {
	if err == nil {
		m.accepted.Inc()
		return
	}
	if reason := reasonOf(err); reason != "" {
		m.refused.WithLabelValues(reason).Inc()
	} else {
		m.undecided.Inc()
	}
}

// reasonOf returns the label for a refusal, "" where none was decided.
func reasonOf(err error) string {
	if rule := consensus.AsRule(err); rule != nil {
		return string(rule.Rule)
	}
	if refused, ok := errors.AsType[*policy.Error](err); ok {
		return string(refused.Code)
	}
	if _, ok := errors.AsType[*MissingInputsError](err); ok {
		return string(consensus.RuleTxMissingInputs)
	}
	for _, known := range []error{ErrInPool, ErrSameTxID, ErrInChain} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return ""
}

func (m *Metrics) removed(why Reason) { m.left.WithLabelValues(string(why)).Inc() }

func (m *Metrics) content(count int, vsize, usage, fees int64) {
	m.count.Set(float64(count))
	m.vsize.Set(float64(vsize))
	m.usage.Set(float64(usage))
	m.fees.Set(float64(fees))
}
