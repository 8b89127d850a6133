package chain_test

import (
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
)

func TestMemberJoins(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net})
	alpha, beta := net.Member("alpha"), net.Member("beta")
	delta := chaintest.NewMember("delta")
	funds := net.Funds(alpha)

	pay := func(from chaintest.Output, by, to *chaintest.Member) chaintest.Option {
		return chaintest.Tx(chaintest.Pay(by.Key, []chaintest.Output{from}, to.Key, 1, 1000), 1000)
	}
	h.Next("too soon", pay(funds, alpha, delta)).Reject(permission.RuleReceive)
	h.Next("b1", net.Vote([]*chaintest.Member{alpha}, net.Create(delta, record.Send|record.Receive|record.Mine))).Accept()
	h.Next("b2", net.Vote([]*chaintest.Member{alpha}, net.Grant(delta, record.Receive))).Accept()
	h.Next("b3", pay(funds, alpha, delta)).Accept()
	got := chaintest.Output{OutPoint: chaintest.Outputs(h.Block("b3").Txs[1].Msg)[0].OutPoint, Amount: funds.Amount - 1000}
	h.Next("not sent", pay(got, delta, beta)).Reject(permission.RuleSend)
	h.Next("b4", net.Vote([]*chaintest.Member{beta}, net.Grant(delta, record.Send))).Accept()
	h.Next("b5", pay(got, delta, beta)).Accept()

	state := h.Chain.Permissions()
	if m, ok := state.ByName("delta"); !ok || !m.May(record.Send|record.Receive, 6) {
		t.Errorf("delta: %+v", m)
	}
	hash := state.Hash()
	h.Close()
	h.Open()
	if got := h.Chain.Permissions().Hash(); got != hash {
		t.Errorf("permissions after a restart %x, want %x", got, hash)
	}
	if m, ok := must(h.Chain.PermissionsAt(2)).ByName("delta"); !ok || m.Holds(record.Send, 3) || !m.Holds(record.Receive, 3) {
		t.Errorf("delta after block 2: %+v", m)
	}
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("not there")
	}
	return v
}
