package chain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/store"
)

func TestPermissionMetrics(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{SettleDepth: 8})
	var reg *prometheus.Registry
	open := func() {
		t.Helper()
		h.Close()
		reg = prometheus.NewRegistry()
		if err := h.TryOpenWith(func(_ *store.Config, cc *chain.Config) { cc.Metrics, cc.SettleDepth = chain.NewMetrics(reg), 8 }); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when string, want map[string]float64) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]float64)
		for _, f := range families {
			m := f.GetMetric()[0]
			got[strings.TrimPrefix(f.GetName(), "charter_chain_")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		for name, value := range want {
			if v, ok := got[name]; v != value || !ok {
				t.Errorf("%s: %s is %v (there: %v), want %v", when, name, v, ok, value)
			}
		}
	}
	open()
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	expect("at first", map[string]float64{"members": 4, "mining_members": 4, "required_miners": 3, "double_seals_total": 0, "conflicting_history": 0, "undecided_headers": 0})
	alpha, delta := net.Member("alpha"), net.Member("delta")
	fifth := chaintest.NewMember("fifth")
	h.Next("b1", net.Vote(members{alpha, net.Member("beta"), net.Member("gamma")}, net.Create(fifth, record.Connect), net.Revoke(delta, record.Admin))).Accept()
	now := map[string]float64{"members": 5, "mining_members": 3, "required_miners": 2}
	expect("after b1", now)
	open()
	expect("after a start", now)
	if err := h.Chain.Invalidate(t.Context(), h.Block("b1").Hash); err != nil {
		t.Fatal(err)
	}
	expect("without b1", map[string]float64{"members": 4, "mining_members": 4, "required_miners": 3})
	names := siblings(h, alpha, "genesis", chain.MaxSiblings+2)
	for _, name := range names {
		if _, err := offer(h, peer, name); err != nil {
			t.Fatal(err)
		}
	}
	expect("siblings", map[string]float64{"undecided_headers": 2, "double_seals_total": 1})
	h.Chain.ForgetSource(peer)
	expect("forgotten", map[string]float64{"undecided_headers": 0})
	h.Again(names[0]).Accept()
	h.On(names[0])
	for i := range 12 {
		h.Next(fmt.Sprint("own", i))
		h.Again(fmt.Sprint("own", i)).Accept()
	}
	h.On(names[0])
	for i := range 14 {
		h.Next(fmt.Sprint("other", i))
		if _, err := h.Chain.AcceptBlock(t.Context(), h.Block(fmt.Sprint("other", i))); err != nil {
			t.Fatal(err)
		}
	}
	expect("a longer branch", map[string]float64{"conflicting_history": 1})
}
