package rpc

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

func (c *council) authority(which string) (list []client.AuthorityCoin) {
	c.t.Helper()
	c.read(&list, "listauthority", `["`+which+`"]`)
	return list
}

func TestListAuthority(t *testing.T) {
	c := newCouncil(t)
	c.Next("b1").Accept()
	at := c.Authority(c.beta)
	funds := c.net.Funds(c.beta)
	for _, which := range []string{"beta", c.beta.ID.String(), c.address(c.beta)} {
		list := c.authority(which)
		if len(list) != 1 || list[0].TxID != at.Hash.String() || list[0].Vout != at.Index || list[0].AmountSats != 0 ||
			list[0].Address != c.address(c.beta) || list[0].Confirmations != 2 {
			t.Errorf("listauthority %s: %+v, want %v", which, list, at)
		}
	}
	// Who made a block has an output of amount 0 too, once it is mature.
	for maturity, want := range map[int32]int{1: 2, 2: 1} {
		c.net.Params.Subsidy.Maturity = maturity
		if list := c.authority("alpha"); len(list) != want {
			t.Errorf("maturity %d: %+v, want %d", maturity, list, want)
		}
	}
	// Once a waiting transaction spends it, the other coins are left.
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&at, nil, nil))
	c.poolTx(tx, 0)
	list := c.authority("beta")
	if len(list) == 0 || list[0].AmountSats != funds.Amount || list[0].TxID != funds.Hash.String() {
		t.Errorf("with the pool: %+v, want the coin %v", list, funds)
	}
	if list := c.authority(c.address(c.delta)); len(list) != 0 {
		t.Errorf("of a stranger: %+v", list)
	}
	c.fails("listauthority", `["delta"]`, codeAddressOrKey, "no member")
	other, _ := c.net.Params.Address.Encode(chaintest.AnyoneCanSpend())
	c.fails("listauthority", `["`+other+`"]`, codeAddressOrKey, "is not P2TR")
}

// With the address index the answer is the same, without a walk.
func TestListAuthorityIndexed(t *testing.T) {
	c := newCouncil(t)
	c.Next("b1", c.net.Vote([]*chaintest.Member{c.beta}, c.net.Revoke(c.gamma, record.Mine))).Accept()
	all := []string{"alpha", "beta", c.address(c.gamma)}
	walked := make([][]client.AuthorityCoin, len(all))
	for i, which := range all {
		walked[i] = c.authority(which)
	}
	c.index()
	for i, which := range all {
		if diff := cmp.Diff(walked[i], c.authority(which)); diff != "" || len(walked[i]) == 0 {
			t.Errorf("%s: by the index (-walk +index):\n%s", which, diff)
		}
	}
}

// signed takes the transaction out of a PSBT and has these members sign it.
func (c *council) signed(psbt string, by ...*chaintest.Member) *wire.MsgTx {
	c.t.Helper()
	p, err := packet.Parse(psbt)
	if err != nil {
		c.t.Fatal(err)
	}
	for i, coin := range c.spends(p.Tx) {
		if got := p.Coins[i]; got.OutPoint != coin.op || got.Amount != coin.amount || string(got.Script) != string(coin.script) {
			c.t.Errorf("PSBT says that input %d spends %+v, it is %+v", i, got, coin)
		}
	}
	c.sign(p.Tx, by)
	return p.Tx
}

// spends looks up what a transaction spends.
func (c *council) spends(tx *wire.MsgTx) (coins []speakingCoin) {
	for _, in := range tx.TxIn {
		coin, ok, err := c.Chain.Coin(in.PreviousOutPoint)
		if err != nil || !ok {
			c.t.Fatalf("%v: %v, %v", in.PreviousOutPoint, ok, err)
		}
		coins = append(coins, speakingCoin{in.PreviousOutPoint, coin.Amount, coin.Height, coin.Script, coin.Coinbase})
	}
	return coins
}

func (c *council) sign(tx *wire.MsgTx, by []*chaintest.Member) {
	c.t.Helper()
	prev := txscript.NewMultiPrevOutFetcher(nil)
	for _, coin := range c.spends(tx) {
		prev.AddPrevOut(coin.op, wire.NewTxOut(coin.amount, coin.script))
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i, m := range by {
		hash, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, tx, i, prev)
		if err != nil {
			c.t.Fatal(err)
		}
		sig, err := schnorr.Sign(m.Signer(), hash)
		if err != nil {
			c.t.Fatal(err)
		}
		tx.TxIn[i].Witness = wire.TxWitness{sig.Serialize()}
	}
}

// What grant prepares holds once it is signed; what revoke prepares ends it.
func TestGrantAndRevoke(t *testing.T) {
	c := newCouncil(t)
	address := c.address(c.delta)
	name := nameFor(address)
	holds := func(want ...string) {
		t.Helper()
		var m client.Member
		c.read(&m, "getmember", `["`+address+`"]`)
		var got []string
		for _, p := range m.Permissions {
			got = append(got, p.Permission)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("permissions (-want +got):\n%s", diff)
		}
	}
	ask := func(method, params string) client.GrantResult {
		t.Helper()
		var got client.GrantResult
		c.read(&got, method, params)
		return got
	}
	// An activator decides alone, also that there is such a member.
	got := ask("grant", `["`+address+`", "send,receive"]`)
	if !got.Complete || got.Need != 1 || got.Have != 1 || len(got.Records) != 2 || len(got.Signers) != 1 || got.Signers[0].Name != "alpha" {
		t.Fatalf("grant: %+v", got)
	}
	c.Next("b1", chaintest.Tx(c.signed(got.PSBT, c.alpha), 0)).Accept()
	holds("send", "receive")

	got = ask("grant", `{"addresses": "`+name+`", "permissions": "issue", "options": {"signers": ["alpha"]}}`)
	if got.Complete || got.Need != 2 || got.Have != 1 || len(got.Missing) != 2 ||
		got.Records[0] != "Grant issue to the member "+name+" from now on (the vote lapses after block 10002)." {
		t.Fatalf("the first vote: %+v", got)
	}
	c.Next("b2", chaintest.Tx(c.signed(got.PSBT, c.alpha), 0)).Accept()
	holds("send", "receive")
	// The second joins the open vote, and who voted is not asked again.
	got = ask("grant", `["`+address+`", "issue"]`)
	if !got.Complete || len(got.Signers) != 1 || got.Signers[0].Name != "beta" {
		t.Fatalf("the second vote: %+v", got)
	}
	c.Next("b3", chaintest.Tx(c.signed(got.PSBT, c.beta), 0)).Accept()
	holds("send", "receive", "issue")

	got = ask("revoke", `["`+name+`", "issue,send"]`)
	if !got.Complete || len(got.Signers) != 2 || got.Signers[0].Name != "alpha" || got.Signers[1].Name != "beta" {
		t.Fatalf("revoke: %+v", got)
	}
	c.Next("b4", chaintest.Tx(c.signed(got.PSBT, c.alpha, c.beta), 0)).Accept()
	holds("receive")
}

// A key without authority outputs speaks by a coin, and gets it back.
func TestGrantByCoin(t *testing.T) {
	c := newCouncil(t)
	at := c.Authority(c.gamma)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&at, nil, nil))
	c.poolTx(tx, 0)
	var got client.GrantResult
	c.read(&got, "grant", `["beta", "issue", 0, 20, 30, "why", "whom", {"signers": ["`+c.address(c.gamma)+`"]}]`)
	signed := c.signed(got.PSBT, c.gamma)
	funds := c.net.Funds(c.gamma)
	if outs := signed.TxOut; len(outs) != 3 || outs[1].Value != funds.Amount || outs[2].Value != 0 || signed.TxIn[0].PreviousOutPoint != funds.OutPoint {
		t.Errorf("outputs %+v, want the record, the coin and an authority output", outs)
	}
	located, err := record.FromTx(signed)
	if g, ok := located[0].Record.(record.Grant); err != nil || !ok || (g.Range != record.Range{From: 20, Until: 30}) || g.Permissions != record.Issue {
		t.Errorf("record %+v, %v", located, err)
	}
	c.Next("b1", chaintest.Tx(signed, 0)).Accept()
}

func TestGrantErrors(t *testing.T) {
	c := newCouncil(t)
	strange := c.address(c.delta)
	c.fails("grant", `["`+strange+`", "connect"]`, codeAddressOrKey, "has to sign for itself: make a key card")
	c.fails("grant", `["delta", "send"]`, codeAddressOrKey, "no member")
	c.fails("grant", `["beta", "fly"]`, codeInvalidParam, "want of connect")
	c.fails("grant", `["beta", ""]`, codeInvalidParam, "want of connect")
	c.fails("grant", `["beta", "send", 1]`, codeInvalidParam, "native-amount")
	c.fails("grant", `["beta", "send", 0, 30, 30]`, codeInvalidParam, "startblock is 30 and endblock 30")
	c.fails("grant", `{"addresses": "beta", "permissions": "send", "options": {"signers": ["delta"]}}`, codeAddressOrKey, "no member")
	c.fails("grant", `{"addresses": "beta", "permissions": "send", "options": {"signers": []}}`, codeInvalidParam, "no signers")
	c.fails("grant", `[["alpha", "beta", "gamma", "alpha", "beta", "gamma", "alpha", "beta", "gamma"], "send"]`, codeInvalidParam, "at most 8")
	c.fails("revoke", `["beta", "send"]`, codeInvalidParam, "the member beta does not hold send by that name")
	c.fails("revoke", `["alpha,beta,gamma", "admin"]`, codeRejected, string(permission.RuleLastAdmin))
}

// Refusals of the pool name the rule, and the member whose key it is.
func TestRefusedByPermission(t *testing.T) {
	c := newCouncil(t)
	state, at := c.Chain.Permissions(), c.Chain.Next().Height
	tx := consensus.NewTx(chaintest.SpendTx(0, 1, c.net.Funds(c.alpha)))
	c.pool.refuse = state.CheckTx(tx, []consensus.Coin{{Script: chaintest.AnyoneCanSpend()}}, at)
	hex := fmt.Sprintf("%x", encodeTx(tx.Msg))
	c.fails("sendrawtransaction", `["`+hex+`"]`, codeRejected, "send-not-permitted")
	var results []map[string]json.RawMessage
	c.read(&results, "testmempoolaccept", `[["`+hex+`"]]`)
	if got := string(results[0]["reject-reason"]); got != `"send-not-permitted"` {
		t.Errorf("testmempoolaccept: %s", got)
	}
	c.Next("b1", c.net.Vote([]*chaintest.Member{c.alpha, c.beta}, c.net.Create(c.delta, record.Send))).Accept()
	c.pool.refuse = c.Chain.Permissions().CheckTx(tx, []consensus.Coin{{Script: c.delta.Key.Script()}}, at+1)
	c.fails("sendrawtransaction", `["`+hex+`"]`, codeRejected, "of the member delta may not send")
}
