package chain_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// TestCleanUpFromHeight: what BIP54 forbids is valid in the last block before
// it, and breaks its rule in the first one under it.
func TestCleanUpFromHeight(t *testing.T) {
	p := *chaintest.Params(chaintest.ChainFile)
	p.Deployments.BIP54 = 4
	h := chaintest.New(t, chaintest.Options{Params: &p})

	// A script with 2,501 signature operations, of which none runs.
	script := append([]byte{txscript.OP_0, txscript.OP_IF}, bytes.Repeat([]byte{txscript.OP_CHECKMULTISIG}, 125)...)
	script = append(script, txscript.OP_CHECKSIG, txscript.OP_ENDIF, txscript.OP_1)
	h.Next("b1").Accept()
	make2 := chaintest.SpendTx(0, 2, h.Coin("b1"))
	for _, out := range make2.TxOut {
		out.PkScript = script
	}
	h.Next("b2", chaintest.Tx(make2, 0)).Accept()
	heavy := func(n uint32) chaintest.Option {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: make2.TxHash(), Index: n}, nil, nil))
		tx.AddTxOut(wire.NewTxOut(make2.TxOut[n].Value, chaintest.AnyoneCanSpend()))
		return chaintest.Tx(tx, 0)
	}
	small := func(from string) chaintest.Option {
		tx := chaintest.SpendTx(0, 1, h.Coin(from))
		tx.TxOut[0].PkScript = []byte{txscript.OP_1, txscript.OP_1, txscript.OP_1, txscript.OP_1}
		if size := tx.SerializeSizeStripped(); size != 64 {
			t.Fatalf("the transaction has %d bytes", size)
		}
		return chaintest.Tx(tx, 0)
	}
	final := chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().TxIn[0].Sequence = wire.MaxTxInSequenceNum })
	unlocked := chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().LockTime = 0 })

	h.Next("b3", heavy(0), small("b2"), final, unlocked).Accept()
	h.Next("heavy", heavy(1)).Reject(consensus.RuleTxSigOps)
	h.Next("small", small("b3")).Reject(consensus.RuleTxSize)
	h.Next("final", final).Reject(consensus.RuleCoinbaseSequence)
	h.Next("unlocked", unlocked).Reject(consensus.RuleCoinbaseLockTime)
	h.ExpectTip("b3")
	for name, rule := range map[string]consensus.Rule{"heavy": consensus.RuleTxSigOps, "small": consensus.RuleTxSize, "unlocked": consensus.RuleCoinbaseLockTime} {
		if err := h.Chain.CheckProposal(t.Context(), h.Block(name)); !errors.Is(err, rule) {
			t.Errorf("proposal %s: error %v, want %s", name, err, rule)
		}
	}
	h.Next("b4", h.Spend("b3")).Accept()
}
