package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/index"
)

// indexed is a fixture whose node has all indexes, at the best block.
func indexed(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	story(f)
	f.index()
	return f
}

// index builds the indexes and serves them.
func (f *fixture) index() {
	f.t.Helper()
	set, err := index.Open(index.Config{
		Params: f.Params, Store: f.Store, Source: chain.IndexSource{Chain: f.Chain},
		Tx: true, Addr: true, Filter: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(f.Chain.Subscribe(func(chain.Event) { set.Wake() }))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Error(err)
		}
	})
	f.serve(func(c *Config) { c.Indexes = set })
	f.waitSynced()
}

// waitSynced asks until all indexes are at the best block.
func (f *fixture) waitSynced() {
	f.t.Helper()
	for strings.Contains(string(f.get("getindexinfo", `[]`)), "false") {
		f.call("getrawtransaction", `["`+strings.Repeat("00", 32)+`"]`) // waits for the index
	}
}

func (f *fixture) address(script []byte) string {
	f.t.Helper()
	addr, ok := f.Params.Address.Encode(script)
	if !ok {
		f.t.Fatalf("script %x has no address", script)
	}
	return addr
}

func TestWithoutIndexes(t *testing.T) {
	f := newFixture(t)
	story(f)
	addr := f.address(chaintest.AnyoneCanSpend())
	f.expect("getindexinfo", `[]`, `{}`)
	f.fails("getblockfilter", `["`+f.Block("b1").Hash.String()+`"]`, codeMisc, "--filterindex")
	f.fails("getaddressbalance", `["`+addr+`"]`, codeMisc, "--addrindex")
	f.fails("searchrawtransactions", `["`+addr+`"]`, codeMisc, "--addrindex")
	f.fails("getrawtransaction", `["`+f.Block("b1").Txs[0].TxID.String()+`"]`, codeAddressOrKey, "--txindex")
}

func TestIndexInfoAndFilter(t *testing.T) {
	f := indexed(t)
	at3 := `{"synced": true, "best_block_height": 3}`
	f.expect("getindexinfo", `[]`, `{"addrindex": `+at3+`, "basic block filter index": `+at3+`, "txindex": `+at3+`}`)
	f.expect("getindexinfo", `["txindex"]`, `{"txindex": `+at3+`}`)
	f.expect("getindexinfo", `["nosuch"]`, `{}`)
	b := f.Block("b3")
	spent, err := f.Chain.ReadSpent(b.Hash)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := index.BasicFilter(b, spent)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Filter, Header string }
	if err := json.Unmarshal(f.get("getblockfilter", `["`+b.Hash.String()+`", "basic"]`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Filter != hex.EncodeToString(filter) || len(got.Header) != 64 {
		t.Errorf("filter %+v, want %x", got, filter)
	}
	f.fails("getblockfilter", `["`+b.Hash.String()+`", "other"]`, codeAddressOrKey, "Unknown filtertype")
	f.fails("getblockfilter", `["`+strings.Repeat("11", 32)+`"]`, codeAddressOrKey, "Block not found")
	f.fails("getblockfilter", `["`+f.Block("side").Hash.String()+`"]`, codeAddressOrKey, "not connected")
}

func TestRawTransactionByIndex(t *testing.T) {
	f := indexed(t)
	b := f.Block("b3")
	for i, tx := range b.Txs {
		quoted := `"` + tx.TxID.String() + `"`
		f.expect("getrawtransaction", `[`+quoted+`]`, `"`+hex.EncodeToString(encodeTx(tx.Msg))+`"`)
		for _, verbosity := range []string{"1", "2"} {
			var byHash map[string]any
			whole := f.get("getrawtransaction", `[`+quoted+`, `+verbosity+`, "`+b.Hash.String()+`"]`)
			if err := json.Unmarshal(whole, &byHash); err != nil {
				t.Fatal(err)
			}
			delete(byHash, "in_active_chain")
			var got map[string]any
			if err := json.Unmarshal(f.get("getrawtransaction", `[`+quoted+`, `+verbosity+`]`), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(byHash, got); diff != "" {
				t.Errorf("transaction %d, verbosity %s (-by block +by index):\n%s", i, verbosity, diff)
			}
		}
	}
	f.fails("getrawtransaction", `["`+strings.Repeat("11", 32)+`"]`, codeAddressOrKey, "No such mempool or blockchain transaction")
	// The last block is waited for.
	f.Next("b4").Accept()
	f.get("getrawtransaction", `["`+f.Block("b4").Txs[0].TxID.String()+`"]`)
}

func TestAddressMethods(t *testing.T) {
	f := newFixture(t)
	story(f)
	one := append([]byte{txscript.OP_0, txscript.OP_DATA_20}, make([]byte, 20)...)
	pay := chaintest.SpendTx(1000, 1, f.Coin("b2"))
	pay.TxOut[0].Value -= 7000
	pay.AddTxOut(wire.NewTxOut(7000, one))
	f.Next("b4", chaintest.Tx(pay, 1000)).Accept()
	f.index()
	a, b := f.address(chaintest.AnyoneCanSpend()), f.address(one)
	txid := pay.TxHash().String()

	f.expect("getaddressbalance", `["`+b+`"]`, `{"balance": 7000, "received": 7000}`)
	total := f.Chain.Stats().Total
	var sums struct{ Balance, Received int64 }
	if err := json.Unmarshal(f.get("getaddressbalance", `[{"addresses": ["`+a+`", "`+b+`"]}]`), &sums); err != nil || sums.Balance != total {
		t.Errorf("sums %+v, %v, want balance %d", sums, err, total)
	}
	f.expect("getaddresstxids", `["`+b+`"]`, `["`+txid+`"]`)
	f.expect("getaddresstxids", `[{"addresses": ["`+b+`"], "start": 1, "end": 3}]`, `[]`)
	f.expect("getaddresstxids", `[{"addresses": ["`+b+`", "`+a+`"], "start": 4, "end": 9}]`,
		`["`+f.Block("b4").Txs[0].TxID.String()+`", "`+txid+`"]`)
	f.expect("getaddressutxos", `["`+b+`"]`,
		fmt.Sprintf(`[{"address": %q, "txid": %q, "outputIndex": 1, "script": "%x", "satoshis": 7000, "height": 4}]`, b, txid, one))
	f.expect("getaddressutxos", `[{"addresses": ["`+b+`"], "chainInfo": true, "limit": 5, "cursor": "`+strings.Repeat("ff", 40)+`"}]`,
		`{"utxos": [], "hash": "`+f.Block("b4").Hash.String()+`", "height": 4}`)

	var ids []string
	var page struct {
		TxIDs  []string
		Cursor string
	}
	for {
		raw := f.get("getaddresstxids", fmt.Sprintf(`[{"addresses": [%q], "limit": 2, "cursor": %q}]`, a, page.Cursor))
		page.Cursor = ""
		if err := json.Unmarshal(raw, &page); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, page.TxIDs...)
		if page.Cursor == "" {
			break
		}
	}
	var all []string
	if err := json.Unmarshal(f.get("getaddresstxids", `["`+a+`"]`), &all); err != nil || len(all) != 6 {
		t.Errorf("%d transactions, %v, want 6", len(all), err)
	}
	if diff := cmp.Diff(all, ids); diff != "" {
		t.Errorf("pages (-whole +pages):\n%s", diff)
	}
	for params, want := range map[string]string{
		`["x"]`:                                                  "Invalid address",
		`[{"addresses": []}]`:                                    "0 addresses",
		`[{"addresses": ["` + a + `"], "x":1}]`:                  "unexpected key",
		`[{"addresses": ["` + a + `"], "start": 1}]`:             "go together",
		`[{"addresses": ["` + a + `"], "start": 3, "end": 2}]`:   "start is 3",
		`[{"addresses": ["` + a + `"], "limit": 10001}]`:         "limit is 10001",
		`[{"addresses": ["` + a + `"], "cursor": "00"}]`:         "needs a limit",
		`[{"addresses": ["` + a + `"], "limit":1,"cursor":"0"}]`: "cursor",
	} {
		if _, err := f.call("getaddresstxids", params); err == nil || !strings.Contains(err.Message, want) {
			t.Errorf("%s: %v, want %q", params, err, want)
		}
	}
}

// TestSearchRawTransactions: stretches over blocks and mempool, both ways.
func TestSearchRawTransactions(t *testing.T) {
	f := indexed(t)
	addr := f.address(chaintest.AnyoneCanSpend())
	waiting := f.poolTx(chaintest.SpendTx(500, 1, f.Coin("b2")), 500)
	var want []string
	for _, name := range []string{"b1", "b2", "b3"} {
		for _, tx := range f.Block(name).Txs {
			want = append(want, tx.TxID.String())
		}
	}
	want = append(want, waiting.TxID.String())
	search := func(rest string) (ids []string) {
		t.Helper()
		var list []struct{ TxID string }
		if err := json.Unmarshal(f.get("searchrawtransactions", `["`+addr+`", 1`+rest+`]`), &list); err != nil {
			t.Fatal(err)
		}
		for _, tx := range list {
			ids = append(ids, tx.TxID)
		}
		return ids
	}
	for skip := range len(want) {
		for count := 1; count <= len(want)+1; count++ {
			end := min(skip+count, len(want))
			if diff := cmp.Diff(want[skip:end], search(fmt.Sprintf(`, %d, %d`, skip, count))); diff != "" {
				t.Fatalf("skip %d, count %d (-want +got):\n%s", skip, count, diff)
			}
			var back []string
			for i := skip; i < end; i++ {
				back = append(back, want[len(want)-1-i])
			}
			if diff := cmp.Diff(back, search(fmt.Sprintf(`, %d, %d, 0, true`, skip, count))); diff != "" {
				t.Fatalf("reverse, skip %d, count %d (-want +got):\n%s", skip, count, diff)
			}
		}
	}
	var hexes []string
	if err := json.Unmarshal(f.get("searchrawtransactions", `["`+addr+`", 0, 3, 1]`), &hexes); err != nil || len(hexes) != 1 ||
		hexes[0] != hex.EncodeToString(encodeTx(f.Block("b3").Txs[1].Msg)) {
		t.Errorf("hex: %v, %v", hexes, err)
	}
	f.checkSearchShape(addr)
	other := f.address(append([]byte{txscript.OP_0, txscript.OP_DATA_20}, make([]byte, 20)...))
	f.fails("searchrawtransactions", `["`+other+`"]`, codeAddressOrKey, "No information available")
	f.fails("searchrawtransactions", `["`+addr+`", 1, 0, 1001]`, codeInvalidParam, "count")
	f.fails("searchrawtransactions", `["`+addr+`", 1, 0, 1, 0, false, [1]]`, codeType, "filteraddrs")
}

// checkSearchShape looks at the payment of the story as btcd shows it.
func (f *fixture) checkSearchShape(addr string) {
	f.t.Helper()
	b, tx := f.Block("b3"), f.Block("b3").Txs[1]
	script := chaintest.AnyoneCanSpend()
	vout := func(n int) string {
		return fmt.Sprintf(`{"value": 24.99999500, "n": %d, "scriptPubKey": {"asm": "0 %x", "desc": "%s", "hex": "%x", "address": "%s", "type": "witness_v0_scripthash"}}`,
			n, script[2:], describe(script, f.Params.Address), script, addr)
	}
	time := b.Header.Timestamp.Unix()
	f.expect("searchrawtransactions", `["`+addr+`", 1, 3, 1, 1, false, ["`+addr+`"]]`, fmt.Sprintf(`[{"hex": "%x", "txid": "%s", "hash": "%s", "version": 2, "locktime": 0,
		"vin": [{"txid": "%s", "vout": 0, "scriptSig": {"asm": "", "hex": ""}, "txinwitness": ["51"], "sequence": 4294967295,
			"prevOut": {"addresses": ["%s"], "value": 50.00000000}}],
		"vout": [%s, %s], "blockhash": "%s", "confirmations": 1, "time": %d, "blocktime": %d}]`,
		encodeTx(tx.Msg), tx.TxID, tx.WTxID, f.Block("b1").Txs[0].TxID, addr, vout(0), vout(1), b.Hash, time, time))
}
