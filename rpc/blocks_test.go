package rpc

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

const (
	mainGenesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	mainRoot    = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
	mainHeader  = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
	mainTarget  = "00000000ffff0000000000000000000000000000000000000000000000000000"
	mainText    = "04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73"
	mainTx      = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d" + mainText +
		"ffffffff0100f2052a01000000" + "43" + "41" + genesisKey + "ac" + "00000000"
)

// TestGenesis compares with what Bitcoin Core says of Bitcoin's first block.
func TestGenesis(t *testing.T) {
	f := fixtureOn(t, shipped(t, "bitcoin-mainnet"))
	header := `"hash": "` + mainGenesis + `", "confirmations": 1, "height": 0, "version": 1, "versionHex": "00000001",
		"merkleroot": "` + mainRoot + `", "time": 1231006505, "mediantime": 1231006505, "nonce": 2083236893,
		"bits": "1d00ffff", "target": "` + mainTarget + `", "difficulty": 1,
		"chainwork": "0000000000000000000000000000000000000000000000000000000100010001", "nTx": 1`
	quoted := `"` + mainGenesis + `"`
	f.expect("getblockheader", `[`+quoted+`]`, `{`+header+`}`)
	f.expect("getblockheader", `[`+quoted+`, false]`, `"`+mainHeader+`"`)
	f.expect("getblock", `[`+quoted+`, 0]`, `"`+mainHeader+"01"+mainTx+`"`)
	body := header + `, "strippedsize": 285, "size": 285, "weight": 1140, "tx": [`
	f.expect("getblock", `[`+quoted+`]`, `{`+body+`"`+mainRoot+`"]}`)
	tx := `"txid": "` + mainRoot + `", "hash": "` + mainRoot + `", "version": 1, "size": 204, "vsize": 204, "weight": 816, "locktime": 0,
		"vin": [{"coinbase": "` + mainText + `", "sequence": 4294967295}],
		"vout": [{"value": 50.00000000, "n": 0, "scriptPubKey": {"asm": "` + genesisKey + ` OP_CHECKSIG",
			"desc": "pk(` + genesisKey + `)#vlz6ztea", "hex": "41` + genesisKey + `ac", "type": "pubkey"}}]`
	for _, verbosity := range []string{"2", "3"} {
		f.expect("getblock", `{"blockhash": `+quoted+`, "verbosity": `+verbosity+`}`, `{`+body+`{`+tx+`, "hex": "`+mainTx+`"}]}`)
	}
	f.expect("decoderawtransaction", `["`+mainTx+`"]`, `{`+tx+`}`)
	f.expect("getblockchaininfo", `[]`, `{"chain": "main", "blocks": 0, "headers": 0, "bestblockhash": `+quoted+`,
		"bits": "1d00ffff", "target": "`+mainTarget+`", "difficulty": 1, "time": 1231006505, "mediantime": 1231006505,
		"verificationprogress": 1, "initialblockdownload": `+fmt.Sprint(f.Chain.InitialSync())+`,
		"chainwork": "0000000000000000000000000000000000000000000000000000000100010001", "pruned": false, "warnings": ""}`)
	f.fails("getrawtransaction", `["`+mainRoot+`"]`, codeAddressOrKey, "genesis block coinbase is not considered an ordinary transaction")
}

// story makes a chain of three blocks; the third holds a payment of one input
// and two outputs with a fee of 1,000. A branch of one block leaves at height 1.
func story(f *fixture) {
	f.Next("b1").Accept()
	f.Next("b2").Accept()
	f.Next("b3", chaintest.Tx(chaintest.SpendTx(1000, 2, f.Coin("b1")), 1000)).Accept()
	f.On("b1").Next("side").Side()
	f.On("b3")
}

func TestBlockOnBranches(t *testing.T) {
	f := newFixture(t)
	story(f)
	type header struct {
		Confirmations int
		Height        int
		Next          string `json:"nextblockhash"`
		Previous      string `json:"previousblockhash"`
	}
	for name, want := range map[string]header{
		"b1":   {3, 1, f.Block("b2").Hash.String(), f.Block("genesis").Hash.String()},
		"b3":   {1, 3, "", f.Block("b2").Hash.String()},
		"side": {-1, 2, "", f.Block("b1").Hash.String()},
	} {
		var got header
		if err := json.Unmarshal(f.get("getblockheader", `["`+f.Block(name).Hash.String()+`"]`), &got); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	f.expect("getblockcount", `[]`, `3`)
	f.expect("getbestblockhash", `[]`, `"`+f.Block("b3").Hash.String()+`"`)
	f.expect("getblockhash", `[2]`, `"`+f.Block("b2").Hash.String()+`"`)
	f.expect("getchaintips", `[]`, `[
		{"height": 3, "hash": "`+f.Block("b3").Hash.String()+`", "branchlen": 0, "status": "active"},
		{"height": 2, "hash": "`+f.Block("side").Hash.String()+`", "branchlen": 1, "status": "valid-headers"}]`)
	f.expect("getdifficulty", `[]`, `4.656542373906925e-10`) // Bitcoin Core's on regtest
	// A block that was never connected: its transactions, without fees.
	if got := string(f.get("getblock", `["`+f.Block("side").Hash.String()+`", 3]`)); strings.Contains(got, `"fee"`) {
		t.Errorf("fees out of nothing: %s", got)
	}
}

func TestInvalidateReconsider(t *testing.T) {
	f := newFixture(t)
	story(f)
	f.expect("invalidateblock", `["`+f.Block("b2").Hash.String()+`"]`, `null`)
	f.expect("getbestblockhash", `[]`, `"`+f.Block("side").Hash.String()+`"`)
	f.expect("reconsiderblock", `["`+f.Block("b2").Hash.String()+`"]`, `null`)
	f.expect("getbestblockhash", `[]`, `"`+f.Block("b3").Hash.String()+`"`)
	f.fails("invalidateblock", `["`+f.Block("genesis").Hash.String()+`"]`, codeInvalidParam, "genesis")
	f.fails("reconsiderblock", `["`+strings.Repeat("00", 32)+`"]`, codeAddressOrKey, "Block not found")
}

// TestSpentOutputs: levels 2 and 3 of getblock, and of getrawtransaction with
// the block, tell fee and spent outputs from the undo data.
func TestSpentOutputs(t *testing.T) {
	f := newFixture(t)
	story(f)
	block, tx := f.Block("b3"), f.Block("b3").Txs[1]
	script := chaintest.AnyoneCanSpend()
	addr, _ := f.Params.Address.Encode(script)
	pub := `{"asm": "0 ` + hex.EncodeToString(script[2:]) + `", "desc": "` + describe(script, f.Params.Address) + `",
		"hex": "` + hex.EncodeToString(script) + `", "address": "` + addr + `", "type": "witness_v0_scripthash"}`
	spent := f.Coin("b1")
	shape := func(prevout string) string {
		return fmt.Sprintf(`"txid": "%v", "hash": "%v", "version": 2, "size": %d, "vsize": %d, "weight": %d, "locktime": 0,
			"vin": [{"txid": "%v", "vout": 0, "scriptSig": {"asm": "", "hex": ""}, "txinwitness": ["51"]%s, "sequence": 4294967295}],
			"vout": [{"value": 24.99999500, "n": 0, "scriptPubKey": %s}, {"value": 24.99999500, "n": 1, "scriptPubKey": %s}]`,
			tx.TxID, tx.WTxID, tx.Size, tx.VSize(), tx.Weight, spent.Hash, prevout, pub, pub)
	}
	txHex := `"hex": "` + hex.EncodeToString(encodeTx(tx.Msg)) + `"`
	prevout := `, "prevout": {"generated": true, "height": 1, "value": 50.00000000, "scriptPubKey": ` + pub + `}`
	place := fmt.Sprintf(`"blockhash": "%v", "confirmations": 1, "time": %d, "blocktime": %[2]d`, block.Hash, block.Header.Timestamp.Unix())

	for verbosity, want := range map[int]string{
		2: shape("") + `, "fee": 0.00001000, ` + txHex,
		3: shape(prevout) + `, "fee": 0.00001000, ` + txHex,
	} {
		var got struct{ Tx []json.RawMessage }
		if err := json.Unmarshal(f.get("getblock", fmt.Sprintf(`["%v", %d]`, block.Hash, verbosity)), &got); err != nil {
			t.Fatal(err)
		}
		if a, b := indent(t, string(got.Tx[1])), indent(t, "{"+want+"}"); a != b {
			t.Errorf("verbosity %d: got %s, want %s", verbosity, a, b)
		}
	}
	id := tx.TxID.String()
	f.expect("getrawtransaction", fmt.Sprintf(`["%s", 0, "%v"]`, id, block.Hash), `"`+hex.EncodeToString(encodeTx(tx.Msg))+`"`)
	f.expect("getrawtransaction", fmt.Sprintf(`["%s", true, "%v"]`, id, block.Hash), `{"in_active_chain": true, `+shape("")+`, `+txHex+`, `+place+`}`)
	f.expect("getrawtransaction", fmt.Sprintf(`["%s", 2, "%v"]`, id, block.Hash), `{"in_active_chain": true, `+shape(prevout)+`, "fee": 0.00001000, `+txHex+`, `+place+`}`)
	f.fails("getrawtransaction", `["`+id+`"]`, codeAddressOrKey, "No such mempool transaction")
	f.fails("getrawtransaction", fmt.Sprintf(`["%s", 0, "%v"]`, id, f.Block("b2").Hash), codeAddressOrKey, "No such transaction found in the provided block")
	f.fails("getrawtransaction", `["`+id+`", 0, "`+strings.Repeat("00", 32)+`"]`, codeAddressOrKey, "Block hash not found")
}

func TestCoins(t *testing.T) {
	f := newFixture(t)
	story(f)
	script := chaintest.AnyoneCanSpend()
	pub, _ := json.Marshal((&shaper{address: f.Params.Address}).scriptPubKey(script))
	best := f.Block("b3").Hash.String()
	coinbase, tx := f.Coin("b2").Hash.String(), f.Block("b3").Txs[1]
	out := func(confirmations int, value, coinbase string) string {
		return fmt.Sprintf(`{"bestblock": "%s", "confirmations": %d, "value": %s, "scriptPubKey": %s, "coinbase": %s}`,
			best, confirmations, value, pub, coinbase)
	}
	f.expect("gettxout", `["`+coinbase+`", 0]`, out(2, "50.00000000", "true"))
	f.expect("gettxout", `["`+tx.TxID.String()+`", 1]`, out(1, "24.99999500", "false"))
	f.expect("gettxout", `["`+f.Coin("b1").Hash.String()+`", 0]`, `null`) // spent
	f.expect("gettxout", `["`+coinbase+`", 9]`, `null`)

	next := f.poolTx(chaintest.SpendTx(500, 1, f.Coin("b2")), 500)
	f.expect("gettxout", `["`+coinbase+`", 0]`, `null`)
	f.expect("gettxout", `["`+coinbase+`", 0, false]`, out(2, "50.00000000", "true"))
	f.expect("gettxout", `["`+next.TxID.String()+`", 0]`, out(0, "49.99999500", "false"))
	f.expect("gettxout", `["`+next.TxID.String()+`", 1]`, `null`)
	f.expect("gettxout", `["`+next.TxID.String()+`", 0, false]`, `null`)
}

func TestScanTxOutSet(t *testing.T) {
	f := newFixture(t)
	story(f)
	script := chaintest.AnyoneCanSpend()
	raw := "raw(" + hex.EncodeToString(script) + ")"
	addr, _ := f.Params.Address.Encode(script)
	f.expect("scantxoutset", `["status"]`, `null`)
	f.expect("scantxoutset", `["abort"]`, `false`)
	for _, object := range []string{`"` + raw + `"`, `"addr(` + addr + `)"`, `{"desc": "` + raw + `", "range": 10}`} {
		var got struct {
			Success  bool
			TxOuts   int
			Height   int
			Total    json.Number `json:"total_amount"`
			Unspents []struct {
				Desc, BlockHash string
				Confirmations   int
				Height          int
				Amount          json.Number
				Coinbase        bool
			}
		}
		if err := json.Unmarshal(f.get("scantxoutset", `["start", [`+object+`]]`), &got); err != nil {
			t.Fatal(err)
		}
		if !got.Success || got.TxOuts != 4 || got.Height != 3 || got.Total != "150.00000000" || len(got.Unspents) != 4 {
			t.Errorf("%s: %+v", object, got)
		}
		for _, u := range got.Unspents {
			info, _ := f.Chain.AtHeight(int32(u.Height))
			if u.BlockHash != info.Hash.String() || u.Confirmations != 4-u.Height || u.Coinbase != (u.Amount == "50.00000000" || u.Amount == "50.00001000") {
				t.Errorf("%s: %+v", object, u)
			}
		}
	}
	f.expect("scantxoutset", `["start", []]`, `{"success": true, "txouts": 4, "height": 3, "bestblock": "`+f.Block("b3").Hash.String()+`",
		"unspents": [], "total_amount": 0.00000000}`)
}

// TestScanOnce: a second search is refused while one runs, which can be aborted.
func TestScanOnce(t *testing.T) {
	aborted := false
	m := &scanMethods{}
	if !m.begin(func() { aborted = true }) || m.begin(nil) {
		t.Fatal("want the first search only")
	}
	m.setPercent(41)
	if got, _ := json.Marshal(m.status()); string(got) != `{"progress":41}` {
		t.Errorf("status %s", got)
	}
	if !m.stop() || !aborted {
		t.Error("not aborted")
	}
	m.end()
	if m.stop() || !m.begin(nil) {
		t.Error("want an idle scanner again")
	}
}
