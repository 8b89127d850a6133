package chaintest_test

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// TestEveryKind pays to every kind of output, refuses to spend it with a
// spoilt signature, and spends it; then another branch takes all that back.
func TestEveryKind(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	anyone := chaintest.NewKey(chaintest.Anyone, 0)
	h.Next("genesis + 1").Accept()
	at := "genesis + 1"
	for i, kind := range chaintest.Kinds() {
		key, name := chaintest.NewKey(kind, i), string(kind)
		paid := chaintest.Pay(anyone, []chaintest.Output{h.Coin(at)}, key, 1, 0)
		spent := chaintest.Pay(key, chaintest.Outputs(paid), anyone, 2, 1000)

		h.Next(name+" paid", chaintest.Tx(paid, 0)).Accept()
		if kind != chaintest.Anyone {
			h.Next(name+" spoilt", chaintest.Tx(spoil(spent), 1000)).Reject(consensus.RuleBlockScript)
		}
		h.Next(name+" spent", chaintest.Tx(spent, 1000)).Accept()
		at = name + " spent"
	}
	tip := h.Chain.Best()
	coins := h.Chain.Stats()

	h.On("genesis + 1")
	for i := range tip.Height - 1 {
		h.Next(fmt.Sprint("other ", i)).Side()
	}
	h.Next("other tip").Accept()
	if got, want := h.Chain.Stats().Coins, int64(tip.Height)+1; got != want {
		t.Errorf("%d coins on the branch without payments, want %d", got, want)
	}
	if err := h.Chain.Invalidate(t.Context(), h.Block("other tip").Hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip(at)
	if got := h.Chain.Stats(); got.Coins != coins.Coins || got.Total != coins.Total {
		t.Errorf("%+v after going there and back, %+v before", got, coins)
	}
}

// spoil returns a copy of tx with a bit of its signature changed.
func spoil(tx *wire.MsgTx) *wire.MsgTx {
	bad := tx.Copy()
	if in := bad.TxIn[0]; len(in.Witness) > 0 {
		in.Witness[0][10] ^= 1
	} else {
		in.SignatureScript[10] ^= 1
	}
	return bad
}

// TestBreaches: each breaks its rule and no other, and nothing else is held
// against the chain.
func TestBreaches(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	seen := make(map[consensus.Rule]bool)
	for i, breach := range chaintest.Breaches(h.Coin("b1")) {
		if seen[breach.Rule] {
			t.Errorf("%s is broken twice", breach.Rule)
		}
		seen[breach.Rule] = true
		h.Next(fmt.Sprint("bad ", i), breach.Option).Reject(breach.Rule)
		h.ExpectTip("b2")
	}
	h.Next("b3", h.Spend("b1")).Accept()
	if info, _ := h.Chain.Lookup(h.Block("b2").Hash); info.State != chain.StateValid {
		t.Errorf("b2 has state %d", info.State)
	}
}
