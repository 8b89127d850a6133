package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// TestRefusals: what the pool says, in codes and words of Bitcoin Core.
func TestRefusals(t *testing.T) {
	f := newFixture(t)
	story(f)
	tx := consensus.NewTx(chaintest.SpendTx(1000, 1, f.Coin("b2")))
	params := `["` + hex.EncodeToString(encodeTx(tx.Msg)) + `"]`
	for _, c := range []struct {
		name   string
		err    error
		code   int
		part   string
		reason string // of testmempoolaccept; "": the call fails
	}{
		{"rule", fmt.Errorf("input 0: %w", &consensus.RuleError{Rule: "bad-txns-in-belowout", Detail: "1 < 2"}), codeRejected, "bad-txns-in-belowout: 1 < 2", "bad-txns-in-belowout"},
		{"policy", policyRefusal{"min relay fee not met", "0 < 100"}, codeRejected, "min relay fee not met, 0 < 100", "min relay fee not met"},
		{"wrapped policy", fmt.Errorf("x: %w", policyRefusal{"dust", "1"}), codeRejected, "dust", "dust"},
		{"missing inputs", errors.Join(ErrMissingInputs, errors.New("bad-txns-inputs-missingorspent: 1 input")), codeVerify, "bad-txns-inputs-missingorspent", "missing-inputs"},
		{"confirmed", ErrConfirmed, codeInChain, "Transaction outputs already in utxo set", "txn-already-known"},
		{"undecided", errors.New("disk on fire"), codeInternal, "could not decide: disk on fire", ""},
		{"stopping", fmt.Errorf("make a block: %w", context.Canceled), codeInternal, "the node is stopping: the call was given up", ""},
	} {
		f.pool.refuse = c.err
		f.fails("sendrawtransaction", params, c.code, c.part)
		if c.reason == "" {
			f.fails("testmempoolaccept", "["+params+"]", c.code, c.part)
			continue
		}
		got := string(f.get("testmempoolaccept", "["+params+"]"))
		want := fmt.Sprintf(`[{"txid":"%v","wtxid":"%v","allowed":false,"reject-reason":"%s"`, tx.TxID, tx.WTxID, c.reason)
		if len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%s: got %s, want %s…", c.name, got, want)
		}
	}
	if len(f.pool.accepted) != 0 {
		t.Error("something was accepted")
	}
	f.pool.refuse = ErrInMempool // came while we looked
	f.expect("sendrawtransaction", params, `"`+tx.TxID.String()+`"`)
}

func TestSendRawTransaction(t *testing.T) {
	f := newFixture(t)
	story(f)
	msg := chaintest.SpendTx(1000, 1, f.Coin("b2"))
	tx := consensus.NewTx(msg)
	text := hex.EncodeToString(encodeTx(msg))
	vsize := tx.VSize()

	f.pool.fee = vsize * int64(defaultMaxFeeRate) / 1000
	f.expect("testmempoolaccept", `[["`+text+`"]]`, fmt.Sprintf(`[{"txid": "%v", "wtxid": "%v", "allowed": true, "vsize": %d,
		"fees": {"base": %v, "effective-feerate": %v, "effective-includes": ["%[2]v"]}}]`,
		tx.TxID, tx.WTxID, vsize, Amount(f.pool.fee), Amount(f.pool.fee*1000/vsize)))
	f.pool.fee++
	f.fails("sendrawtransaction", `["`+text+`"]`, codeVerify, "Fee exceeds maximum configured by user")
	f.expect("testmempoolaccept", `[["`+text+`"]]`, fmt.Sprintf(`[{"txid": "%v", "wtxid": "%v", "allowed": false, "reject-reason": "max-fee-exceeded"}]`, tx.TxID, tx.WTxID))
	f.fails("sendrawtransaction", `["`+text+`", false]`, codeVerify, "Fee exceeds maximum")
	for i, rate := range []string{"0", `"0"`, "0.2", `"0.99999999"`, "true"} {
		f.expect("sendrawtransaction", `["`+text+`", `+rate+`]`, `"`+tx.TxID.String()+`"`)
		if len(f.pool.accepted) != i+1 {
			t.Errorf("rate %s: not accepted", rate)
		}
	}

	burn := msg.Copy()
	burn.AddTxOut(wire.NewTxOut(5, []byte{opReturn}))
	f.fails("sendrawtransaction", fmt.Sprintf(`["%x", 0]`, encodeTx(burn)), codeVerify, "Unspendable output exceeds maximum")
	f.fails("sendrawtransaction", fmt.Sprintf(`["%x", 0, 0.00000004]`, encodeTx(burn)), codeVerify, "Unspendable output exceeds maximum")
	f.get("sendrawtransaction", fmt.Sprintf(`["%x", 0, 0.00000005]`, encodeTx(burn)))

	before := len(f.pool.accepted)
	f.poolTx(msg, 1000)
	f.expect("sendrawtransaction", `["`+text+`"]`, `"`+tx.TxID.String()+`"`)
	if len(f.pool.accepted) != before {
		t.Error("one that the pool has was offered again")
	}
}

func TestMempool(t *testing.T) {
	f := newFixture(t)
	story(f)
	f.expect("getrawmempool", `[]`, `[]`)
	f.expect("getrawmempool", `[true]`, `{}`)
	tx := f.poolTx(chaintest.SpendTx(1000, 1, f.Coin("b2")), 1000)
	child := consensus.NewTx(chaintest.SpendTx(10, 1, chaintest.Outputs(tx.Msg)...))
	e := &f.pool.entries[0]
	e.Descendants = Package{2, e.VSize + child.VSize(), 1010}
	e.SpentBy = append(e.SpentBy, child.TxID)
	id := `"` + tx.TxID.String() + `"`
	entry := fmt.Sprintf(`{"vsize": %d, "weight": %d, "time": 1700000100, "height": 2, "descendantcount": 2, "descendantsize": %d,
		"ancestorcount": 1, "ancestorsize": %[1]d, "wtxid": "%[4]v",
		"fees": {"base": 0.00001000, "modified": 0.00001000, "ancestor": 0.00001000, "descendant": 0.00001010},
		"depends": [], "spentby": ["%[5]v"], "bip125-replaceable": false, "unbroadcast": false}`,
		tx.VSize(), tx.Weight, e.Descendants.VSize, tx.WTxID, child.TxID)
	f.expect("getmempoolentry", `[`+id+`]`, entry)
	f.expect("getrawmempool", `[true]`, `{`+id+`: `+entry+`}`)
	f.expect("getrawmempool", `[]`, `[`+id+`]`)
	f.expect("getrawmempool", `[false, true]`, `{"txids": [`+id+`], "mempool_sequence": 1}`)
	f.expect("getrawtransaction", `[`+id+`]`, `"`+hex.EncodeToString(encodeTx(tx.Msg))+`"`)

	f.pool.info = PoolInfo{Loaded: true, Count: 1, VBytes: 110, Usage: 900, MaxUsage: 300_000_000, TotalFee: 1000,
		MinFee: 50, MinRelayFee: 100, IncrementalFee: 100, FullRBF: true}
	f.expect("getmempoolinfo", `[]`, `{"loaded": true, "size": 1, "bytes": 110, "usage": 900, "total_fee": 0.00001000, "maxmempool": 300000000,
		"mempoolminfee": 0.00000100, "minrelaytxfee": 0.00000100, "incrementalrelayfee": 0.00000100, "unbroadcastcount": 0, "fullrbf": true}`)
}
