package chain_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// TestStapledRecord: whatever part of a transaction an administrator signed, a
// record that somebody else adds to it is not asked for by him.
func TestStapledRecord(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	alpha, delta := net.Member("alpha"), net.Member("delta")
	funds := net.Funds(alpha)
	h.Next("b1").Accept()
	for _, part := range []txscript.SigHashType{
		txscript.SigHashDefault, txscript.SigHashAll, txscript.SigHashNone, txscript.SigHashSingle,
		txscript.SigHashAll | txscript.SigHashAnyOneCanPay, txscript.SigHashNone | txscript.SigHashAnyOneCanPay,
		txscript.SigHashSingle | txscript.SigHashAnyOneCanPay,
	} {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: funds.OutPoint, Sequence: wire.MaxTxInSequenceNum})
		tx.AddTxOut(wire.NewTxOut(funds.Amount, delta.Key.Script()))
		prev := txscript.NewCannedPrevOutputFetcher(alpha.Key.Script(), funds.Amount)
		msg, err := txscript.CalcTaprootSignatureHash(txscript.NewTxSigHashes(tx, prev), part, tx, 0, prev)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := schnorr.Sign(alpha.Signer(), msg)
		if err != nil {
			t.Fatal(err)
		}
		witness := sig.Serialize()
		if part != txscript.SigHashDefault {
			witness = append(witness, byte(part))
		}
		tx.TxIn[0].Witness = wire.TxWitness{witness}
		tx.AddTxOut(wire.NewTxOut(0, script(net.Grant(delta, record.Issue))))

		want := permission.RuleNoAuthority // the input does not speak
		if part == txscript.SigHashDefault || part == txscript.SigHashAll {
			want = consensus.RuleBlockScript // it would, but did not sign this
		}
		h.Next(fmt.Sprintf("stapled to %#x", part), chaintest.Tx(tx, 0)).Reject(want)
	}
	h.Next("b2", net.Vote(members{alpha}, net.Grant(delta, record.Issue))).Accept() // his own
}

// TestMovedSeals: a seal is for one block, on one parent, at one height of one
// chain.
func TestMovedSeals(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	alpha, beta := net.Member("alpha"), net.Member("beta")
	h.Next("b1", chaintest.By(alpha)).Accept()
	h.Next("b2", chaintest.By(beta)).Accept()
	h.On("b1").Next("b2'", chaintest.By(net.Member("gamma"))).Side()
	sealOf := func(name string) []byte {
		outs := h.Block(name).Txs[0].Msg.TxOut
		return outs[len(outs)-1].PkScript
	}
	put := func(b *wire.MsgBlock, script []byte) {
		outs := b.Transactions[0].TxOut
		outs[len(outs)-1].PkScript = script
		b.Header.MerkleRoot = b.Transactions[0].TxHash()
	}
	later := chaintest.Change(func(d *chaintest.Draft) { d.Block.Header.Timestamp = d.Block.Header.Timestamp.Add(time.Second) })
	h.On("b1").Next("sealed by beta, of another second", chaintest.By(beta), later, chaintest.Final(func(b *wire.MsgBlock) {
		put(b, sealOf("b2"))
	})).Reject(seal.RuleSignature)
	h.On("b2'").Next("sealed by beta, on another branch", chaintest.By(beta), chaintest.Final(func(b *wire.MsgBlock) {
		put(b, sealOf("b2"))
	})).Reject(seal.RuleSignature)
	resealed := func(name string, genesis chainhash.Hash, height int32, want consensus.Rule) {
		t.Helper()
		step := h.On("b2'").Next(name, chaintest.By(beta), chaintest.Final(func(b *wire.MsgBlock) {
			if err := seal.SealBlock(genesis, b, height, beta.Signer()); err != nil {
				t.Fatal(err)
			}
		}))
		if want != "" {
			step.Reject(want)
			return
		}
		step.Accept()
	}
	other := chaintest.NewConsortium(chaintest.ConsortiumOptions{Spacing: 61})
	resealed("sealed for another chain", other.Params.GenesisHash, 3, seal.RuleSignature)
	resealed("sealed for another height", net.Params.GenesisHash, 4, seal.RuleSignature)
	resealed("sealed for this one", net.Params.GenesisHash, 3, "")
}

// rewritten offers n blocks on the block from by these members in turn; the
// best block must stay, with a conflict for the operator.
func rewritten(t *testing.T, h *chaintest.Harness, from string, n int, by ...*chaintest.Member) {
	t.Helper()
	tip := h.Chain.Best().Hash
	h.On(from)
	for i := range n {
		b := h.Next(fmt.Sprint("x", i), chaintest.By(by[i%len(by)]))
		if _, err := h.Chain.AcceptBlock(context.Background(), b.Block); err != nil {
			t.Fatalf("x%d: %v", i, err)
		}
	}
	if h.Chain.Best().Hash != tip {
		t.Error("history was rewritten")
	}
	if _, ok := h.Chain.Conflict(); !ok {
		t.Error("nobody is told")
	}
}

// TestFounderRewritesSetup: once the set-up is over, the founder's keys, which
// could do everything alone in it, make no other one, though it be longer.
func TestFounderRewritesSetup(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{SetupBlocks: 3, SettleDepth: 100,
		Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}}})
	alpha, beta := net.Member("alpha"), chaintest.NewMember("beta")
	h.Next("b1", chaintest.By(alpha)).Accept()
	h.Next("b2", chaintest.By(alpha), net.Vote(members{alpha}, net.Create(beta, chaintest.EveryRole), net.Grant(beta, record.Admin))).Accept()
	h.Next("b3", chaintest.By(alpha)).Accept()
	h.Next("b4", chaintest.By(beta)).Accept()
	rewritten(t, h, "b1", 8, alpha) // where beta never became a member
}

// TestRetiredKeysRewriteHistory: members that mined once make a longer branch
// from a time when they could.
func TestRetiredKeysRewriteHistory(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net, Settle: 5})
	alpha, beta, gamma := net.Member("alpha"), net.Member("beta"), net.Member("gamma")
	h.Next("b1", chaintest.By(alpha)).Accept()
	h.Next("b2", chaintest.By(beta), net.Vote(members{alpha, beta, gamma}, net.Revoke(beta, record.Admin), net.Revoke(gamma, record.Admin))).Accept()
	h.Next("no more", chaintest.By(gamma), chaintest.Claim(alpha.Key.Script())).Reject(permission.RuleSealNotMining)
	for i := range 5 {
		h.Next(fmt.Sprint("b", 3+i), chaintest.By(alpha)).Accept()
	}
	rewritten(t, h, "b1", 10, gamma, beta)
}

// TestRestartTwice: a certificate is good on its parent only, each restart
// waits anew, and one that comes when the chain goes on changes nothing.
func TestRestartTwice(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{Permissions: "restart_delay = 3600"})
	alpha, beta, gamma := net.Member("alpha"), net.Member("beta"), net.Member("gamma")
	signers := members{alpha, beta, gamma}
	h.Next("b1", chaintest.By(gamma)).Accept()
	h.Next("r2", chaintest.Restart(members{alpha, beta}, signers)).Accept()
	var cert *wire.TxOut
	for _, out := range h.Block("r2").Txs[0].Msg.TxOut {
		if _, err := seal.ParseCertificate(out.PkScript); err == nil {
			cert = out
		}
	}
	again := chaintest.Change(func(d *chaintest.Draft) {
		d.Coinbase().AddTxOut(cert)
		d.Block.Header.Timestamp = d.Block.Header.Timestamp.Add(2 * time.Hour)
	})
	h.Next("the same certificate", chaintest.By(alpha), again, chaintest.Unchecked()).Reject(seal.RuleRestartParent)
	early := chaintest.Change(func(d *chaintest.Draft) { d.Block.Header.Timestamp = d.Block.Header.Timestamp.Add(-time.Second) })
	h.Next("too early", chaintest.Restart(members{beta}, signers), early).Reject(seal.RuleRestartTime)
	h.Next("by two of four", chaintest.Restart(members{beta}, members{alpha, beta})).Reject(permission.RuleRestartSigners)
	h.Next("r3", chaintest.Restart(members{beta}, signers)).Accept()
	h.Next("no more", chaintest.By(alpha)).Reject(permission.RuleSealNotMining)
	for i := range 3 {
		h.Next(fmt.Sprint("b", 4+i), chaintest.By(beta)).Accept()
	}
	h.On("r2").Next("late", chaintest.Restart(members{alpha}, signers)).Side()
	h.ExpectTip("b6")
}
