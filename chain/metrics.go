package chain

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/utxo"
)

// Metrics are the chain's figures for Prometheus.
type Metrics struct {
	height     prometheus.Gauge
	bestTime   prometheus.Gauge
	headers    prometheus.Gauge
	work       prometheus.Gauge
	reorgs     prometheus.Counter
	ahead      prometheus.Counter
	connect    prometheus.Histogram
	flush      prometheus.Histogram
	coins      prometheus.Gauge
	cacheBytes prometheus.Gauge
	pruned     prometheus.Gauge
	background prometheus.Gauge

	// Of chains with permissions; 0 on others.
	members     prometheus.Gauge
	miners      prometheus.Gauge
	required    prometheus.Gauge
	undecided   prometheus.Gauge
	conflicting prometheus.Gauge
	doubles     prometheus.Counter
}

// NewMetrics registers the chain's metrics with reg; nil makes metrics that
// nobody reads.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "charter_chain_" + name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "charter_chain_" + name, Help: help,
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		})
	}
	m := &Metrics{
		height:   gauge("height", "Height of the best block."),
		bestTime: gauge("best_block_timestamp_seconds", "Header time of the best block, seconds since 1970."),
		headers:  gauge("header_height", "Height of the header with the most work."),
		work:     gauge("work", "Total work of the best branch, in expected hashes."),
		reorgs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "charter_chain_reorganisations_total", Help: "Times the best branch changed to another one.",
		}),
		ahead: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "charter_chain_ahead_blocks_total", Help: "Blocks whose scripts were checked before it was their turn to be connected.",
		}),
		connect:    seconds("block_connect_seconds", "Time to check and connect a block, scripts included."),
		flush:      seconds("flush_seconds", "Time to write a frozen state to disk, beside validation."),
		coins:      gauge("utxos", "Unspent outputs as of the best block."),
		cacheBytes: gauge("utxo_cache_bytes", "Memory that the cache of unspent outputs takes."),
		pruned:     gauge("pruned_height", "Height up to which blocks of the best branch are pruned; -1: none."),
		background: gauge("background_height", "Height up to which the blocks below a UTXO snapshot are checked; -1: there is nothing to check."),
	}
	m.members = gauge("members", "Members of the chain, whatever they may do.")
	m.miners = gauge("mining_members", "Members that may seal blocks and count for how many different ones are needed.")
	m.required = gauge("required_miners", "Different members that must have sealed the last blocks in a row.")
	m.undecided = gauge("undecided_headers", "Headers in memory of which it is open whether their sealers may seal them.")
	m.conflicting = gauge("conflicting_history", "1 while a branch would be better but leaves the best one deeper than blocks are undone, else 0.")
	m.doubles = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "charter_chain_double_seals_total", Help: "Times a member was seen to seal two blocks on one parent.",
	})
	m.background.Set(-1)
	if reg != nil {
		reg.MustRegister(m.height, m.bestTime, m.headers, m.work, m.reorgs, m.ahead, m.connect, m.flush, m.coins, m.cacheBytes, m.pruned, m.background,
			m.members, m.miners, m.required, m.undecided, m.conflicting, m.doubles)
	}
	return m
}

// at shows tip as the best block.
func (m *Metrics) at(tip *node, cache *utxo.Cache) {
	work, _ := tip.work.Float64()
	m.height.Set(float64(tip.height))
	m.bestTime.Set(float64(tip.time))
	m.work.Set(work)
	m.coins.Set(float64(cache.Stats().Coins))
	m.cacheBytes.Set(float64(cache.Size()))
}

// permitted shows who may do what in the block at height.
func (m *Metrics) permitted(state *permission.State, height int32) {
	if state == nil {
		return
	}
	m.members.Set(float64(state.Count()))
	m.miners.Set(float64(len(state.Miners(height))))
	m.required.Set(float64(state.Required(height)))
}

func (m *Metrics) connected(tip *node, took time.Duration, cache *utxo.Cache) {
	m.connect.Observe(took.Seconds())
	m.at(tip, cache)
}

func (m *Metrics) loaded(tip, header *node, cache *utxo.Cache, pruned int32, state *permission.State) {
	m.permitted(state, tip.height+1)
	m.pruned.Set(float64(pruned))
	m.headers.Set(float64(header.height))
	m.at(tip, cache)
}
