package rpc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

func TestVerifyChain(t *testing.T) {
	f := newFixture(t)
	story(f)
	for _, params := range []string{`[]`, `[4, 0]`, `[0]`, `[9, -5]`, `{"nblocks": 1}`} {
		f.expect("verifychain", params, `true`)
	}
	f.fails("verifychain", `["3"]`, codeType, "checklevel")
	f.fails("verifychain", `[1.5]`, codeMisc, "checklevel")
}

func TestExplainBlock(t *testing.T) {
	f := newFixture(t)
	story(f)
	b1, b3, side := f.Block("b1").Hash, f.Block("b3").Hash, f.Block("side").Hash
	f.expect("explainblock", `["`+b3.String()+`"]`, fmt.Sprintf(`{"hash": "%s", "verdict": "active",
		"why": ["It is the best block, so it breaks no rule."],
		"known": true, "height": 3, "confirmations": 1, "previousblockhash": "%s", "chainwork": "%064x",
		"on_best_branch": true, "fork": {"hash": "%s", "height": 3}, "have_body": true, "have_undo": true,
		"precious": false, "by_operator": false}`, b3, f.Block("b2").Hash, 8, b3))
	f.expect("explainblock", `["`+side.String()+`"]`, fmt.Sprintf(`{"hash": "%s", "verdict": "stored",
		"why": ["Its body keeps the rules that need no coins. It was never connected, so its inputs and scripts are not checked.",
			"Its branch leaves the best one at height 1 and has less work than the best one, or as much and came later."],
		"known": true, "height": 2, "confirmations": -1, "previousblockhash": "%s", "chainwork": "%064x",
		"on_best_branch": false, "fork": {"hash": "%s", "height": 1}, "have_body": true, "have_undo": false,
		"precious": false, "by_operator": false}`, side, b1, 6, b1))
	unknown := strings.Repeat("1", 64)
	f.expect("explainblock", `["`+unknown+`"]`, `{"hash": "`+unknown+`", "verdict": "unknown",
		"why": ["This node does not know the block."], "known": false, "on_best_branch": false,
		"have_body": false, "have_undo": false, "precious": false, "by_operator": false}`)

	f.Next("b4", chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().TxOut[0].Value++ })).Reject(consensus.RuleCoinbaseAmount)
	got := string(f.get("explainblock", `["`+f.Block("b4").Hash.String()+`"]`))
	for _, want := range []string{`"verdict":"invalid"`, `"rule":"bad-cb-amount"`, `"detail":"`, `"culprit":{"hash":"` + f.Block("b4").Hash.String(), "breaks the rule bad-cb-amount: "} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	f.fails("explainblock", `["xy"]`, codeInvalidParam, "blockhash must be of length 64")
}

// TestDamageIsShown: what verifychain finds, explainblock tells.
func TestDamageIsShown(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	f.Harness = chaintest.New(t, chaintest.Options{Dir: dir})
	f.serve()
	story(f)
	name := filepath.Join(dir, "blocks", "blk00000.dat")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	hash := f.Block("b3").Hash
	raw[strings.Index(string(raw), string(hash[:]))+40] ^= 1
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f.expect("verifychain", `[0]`, `false`)
	got := string(f.get("explainblock", `["`+hash.String()+`"]`))
	for _, want := range []string{`"verdict":"active"`, `"verify_level":0`, "blk00000.dat", "--reindex"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}

func TestPreciousBlock(t *testing.T) {
	f := newFixture(t)
	f.Next("b1").Accept()
	f.On("genesis").Next("b1a").Side()
	f.expect("preciousblock", `["`+f.Block("b1a").Hash.String()+`"]`, `null`)
	f.ExpectTip("b1a")
	f.fails("preciousblock", `["`+strings.Repeat("1", 64)+`"]`, codeAddressOrKey, "Block not found")
}
