package p2p

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/p2p/message"
)

func TestMetricsLint(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	m.session(true, 1)
	m.ended(message.CodeShutdown)
	m.refused(message.CodeFull)
	m.refusedAtGate()
	m.dialled(true)
	m.block(resultNew)
	m.hint(resultRight)
	m.tx(resultNew)
	m.timeout("block")
	m.drop("outbox")
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
