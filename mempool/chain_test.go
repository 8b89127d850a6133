package mempool

import (
	"context"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// The pool follows the real chain through a reorganisation, and through one
// that fails half way and returns.
func TestRealReorganisation(t *testing.T) {
	r := newReal(t)
	expect := func(txs ...*consensus.Tx) {
		t.Helper()
		want := map[string]bool{}
		for _, tx := range txs {
			want[tx.TxID.String()] = true
		}
		got := r.pool.TxIDs()
		for _, id := range got {
			if !want[id.String()] {
				t.Errorf("%v is in the pool", id)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d transactions in the pool, want %d", len(got), len(want))
		}
	}
	r.Next("a1").Accept()
	coin := r.Coin("a1")
	paid := spend(1000, 2, output{coin.OutPoint, coin.Amount})
	child := spend(1000, 1, outputOf(paid, 0))
	for _, tx := range []*consensus.Tx{paid, child} {
		if err := r.pool.Accept(context.Background(), tx); err != nil {
			t.Fatal(err)
		}
	}
	r.Next("a2", chaintest.Tx(paid.Msg, 1000)).Accept()
	expect(child)

	r.On("a1").Next("b2").Side()
	r.Next("b3").Accept()
	expect(paid, child)
	r.mine(TemplateOptions{}, 1) // confirms both, at height 4
	expect()

	// A better branch whose second block breaks a rule.
	r.On("b3").Next("c4").Side()
	r.Next("c5", chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().TxOut[0].Value++ })).Reject(consensus.RuleCoinbaseAmount)
	expect()
	if got := r.Chain.Best().Height; got != 4 {
		t.Fatalf("height is %d, want 4", got)
	}
	if tpl, err := r.pool.Template(context.Background(), TemplateOptions{}); err != nil || len(tpl.Txs) != 0 || tpl.Height != 5 {
		t.Errorf("template after it: %v", err)
	}
}
