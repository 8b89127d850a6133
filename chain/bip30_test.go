package chain_test

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// TestOverwriteException: BIP30 is in force at every height but in the blocks
// that the chain file names; there the later transaction takes the place of
// the earlier one, as twice in Bitcoin's history.
func TestOverwriteException(t *testing.T) {
	p := *chaintest.Params(chaintest.ChainFile)
	p.Deployments.BIP34 = 1000 // so that coinbases may repeat
	p.Exceptions = map[chainhash.Hash]params.Exception{}
	h := chaintest.New(t, chaintest.Options{Params: &p})
	b1 := h.Next("b1")
	b1.Accept()
	again := chaintest.Change(func(d *chaintest.Draft) { d.Block.Transactions[0] = b1.Txs[0].Msg.Copy() })
	before := h.Chain.Stats().Coins

	named := h.Next("b2", again)
	p.Exceptions[named.Hash] = params.Exception{BIP30: true}
	named.Accept()
	if got := h.Chain.Stats().Coins; got != before {
		t.Errorf("%d coins, %d before: the coinbase must be there once", got, before)
	}
	coin, ok, err := h.Chain.Coin(h.Coin("b2").OutPoint)
	if err != nil || !ok || coin.Height != 2 {
		t.Errorf("coin %+v, %v, %v: it must be that of block 2", coin, ok, err)
	}
	h.Next("b3", again).Reject(consensus.RuleTxOverwrite)

	// Both can be checked, and left for another branch.
	if r, err := h.Chain.VerifyChain(t.Context(), chain.VerifyConnect, 0, nil); err != nil || !r.Complete {
		t.Errorf("verified %+v, %v", r.Fault, err)
	}
	if err := h.Chain.Invalidate(t.Context(), b1.Hash); err != nil {
		t.Fatal(err)
	}
	if got := h.Chain.Stats().Coins; got != before-1 {
		t.Errorf("%d coins without both blocks, want %d", got, before-1)
	}
	if err := h.Chain.Reconsider(t.Context(), b1.Hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b2")
	if got := h.Chain.Stats().Coins; got != before {
		t.Errorf("%d coins after all, want %d", got, before)
	}
}
