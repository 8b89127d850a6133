package rpc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

func TestBlockHints(t *testing.T) {
	f := newFixture(t)
	story(f)
	key := chaintest.NewKey(chaintest.P2WPKH, 1)
	pay := chaintest.SpendTx(1000, 1, f.Coin("b2"))
	pay.TxOut[0].PkScript = key.Script()
	f.Next("b4", chaintest.Tx(pay, 1000)).Accept()
	spend := chaintest.Pay(key, chaintest.Outputs(pay)[:1], key, 1, 1000)
	f.Next("b5", chaintest.Tx(spend, 1000)).Accept()

	known, ok := f.Chain.Hints(f.Block("b5").Hash)
	if !ok || len(known) != 1 {
		t.Fatalf("hints %x, %v", known, ok)
	}
	f.expect("getblockhints", `["`+f.Block("b5").Hash.String()+`"]`, fmt.Sprintf(`{"inputs": 1, "hints": "%02x"}`, known[0]))
	f.expect("getblockhints", `["`+f.Block("b4").Hash.String()+`"]`, `{"inputs": 1, "hints": "00"}`)
	f.expect("getblockhints", `["`+f.Block("b1").Hash.String()+`"]`, `{"inputs": 0, "hints": ""}`)
	f.expect("getblockhints", `["`+f.Block("genesis").Hash.String()+`"]`, `{"inputs": 0, "hints": ""}`)
	f.fails("getblockhints", `["`+strings.Repeat("00", 32)+`"]`, codeAddressOrKey, "Block not found")

	f.On("b4").Next("s5", chaintest.Tx(spend, 1000)).Side()
	f.expect("getblockhints", `["`+f.Block("s5").Hash.String()+`"]`, `null`)
}
