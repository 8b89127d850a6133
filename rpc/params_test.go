package rpc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

// TestBadParameters: a wrong parameter gets Bitcoin Core's code and a sentence
// with its name, what was given and what is wanted.
func TestBadParameters(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Peers = nil })
	genesis := `"` + f.Block("genesis").Hash.String() + `"`
	id := `"` + strings.Repeat("ab", 32) + `"`
	for _, c := range []struct {
		method, params string
		code           int
		part           string
	}{
		// How many, and which.
		{"getblock", `[]`, codeMisc, "getblock \"blockhash\" ( verbosity )"},
		{"getblock", `[` + genesis + `, 1, 2]`, codeMisc, "Arguments:"},
		{"getblockcount", `[1]`, codeMisc, "Returns the height"},
		{"getblock", `[null]`, codeType, "position 1 (blockhash): JSON value of type null"},
		{"getblock", `{"hash": ` + genesis + `}`, codeInvalidParam, "Unknown named parameter hash"},
		{"getblock", `{"args": [` + genesis + `], "blockhash": ` + genesis + `}`, codeInvalidParam, "Parameter blockhash specified twice"},
		{"getblock", `{"verbosity": 1, "verbose": 1, "blockhash": ` + genesis + `}`, codeInvalidParam, "specified twice"},
		{"getblock", `{"args": [1, 2, 3]}`, codeMisc, "Arguments:"},

		// Hashes.
		{"getblock", `[1]`, codeType, "position 1 (blockhash): JSON value of type number is not of expected type string"},
		{"getblock", `["abc"]`, codeInvalidParam, "blockhash must be of length 64 (not 3, for 'abc')"},
		{"getblock", `["` + strings.Repeat("zz", 32) + `"]`, codeInvalidParam, "blockhash must be hexadecimal string (not '"},
		{"getblock", `[` + id + `]`, codeAddressOrKey, "Block not found"},
		{"getblockheader", `[` + id + `]`, codeAddressOrKey, "Block not found"},

		// Numbers.
		{"getblock", `[` + genesis + `, "1"]`, codeType, "position 2 (verbosity): JSON value of type string is not of expected type number"},
		{"getblock", `[` + genesis + `, 1.5]`, codeMisc, "JSON integer out of range: verbosity is 1.5"},
		{"getblockhash", `[1]`, codeInvalidParam, "Block height out of range: height is 1, want 0 to 0"},
		{"getblockhash", `[4294967296]`, codeMisc, "JSON integer out of range: height is 4294967296"},
		{"getblockhash", `[1e99]`, codeMisc, "JSON integer out of range"},
		{"gettxout", `[` + id + `, -1]`, codeMisc, "n is -1, want 0 to 4294967295"},
		{"gettxout", `[` + id + `, 0, 1]`, codeType, "position 3 (include_mempool)"},

		// Amounts.
		{"sendrawtransaction", `["` + mainTx + `", "x"]`, codeType, `Invalid amount: maxfeerate is "x": not a decimal number`},
		{"sendrawtransaction", `["` + mainTx + `", -1]`, codeType, "Amount out of range: maxfeerate is -1"},
		{"sendrawtransaction", `["` + mainTx + `", 0.000000001]`, codeType, "more than eight decimals"},
		{"sendrawtransaction", `["` + mainTx + `", []]`, codeType, "Invalid amount"},
		{"sendrawtransaction", `["` + mainTx + `", 1]`, codeInvalidParam, "Fee rates larger than or equal to 1"},

		// Transactions and blocks.
		{"sendrawtransaction", `["00"]`, codeDeserialization, "TX decode failed"},
		{"sendrawtransaction", `["` + mainTx + `00"]`, codeDeserialization, "TX decode failed"},
		{"decoderawtransaction", `["xy"]`, codeDeserialization, "not hexadecimal"},
		// One that announces 10 million inputs.
		{"decoderawtransaction", `["01000000fe80969800"]`, codeDeserialization, "input count"},
		{"testmempoolaccept", `[[]]`, codeInvalidParam, "between 1 and 25"},
		{"testmempoolaccept", `[["00"]]`, codeDeserialization, "rawtxs: element 0: TX decode failed"},
		{"testmempoolaccept", `[[7]]`, codeType, "rawtxs: element 0 is of type number"},
		{"testmempoolaccept", `[[` + strings.TrimSuffix(strings.Repeat(`"00",`, 26), ",") + `]]`, codeInvalidParam, "rawtxs has 26 elements, at most 25"},
		{"submitblock", `["00"]`, codeDeserialization, "Block decode failed"},
		{"decodescript", `["0"]`, codeInvalidParam, "hexstring must be hexadecimal string (not '0')"},

		// The rest.
		{"getrawmempool", `[true, true]`, codeInvalidParam, "Verbose results cannot contain mempool sequence values."},
		{"getmempoolentry", `[` + id + `]`, codeAddressOrKey, "Transaction not in mempool"},
		{"gettxoutsetinfo", `["hash_serialized_3", 5]`, codeInvalidParam, "hash_serialized_3 hash type cannot be queried for a specific block"},
		{"gettxoutsetinfo", `["md5"]`, codeInvalidParam, "'md5' is not a valid hash_type"},
		{"gettxoutsetinfo", `["none", 5]`, codeInvalidParam, "Querying specific block heights requires coinstatsindex"},
		{"scantxoutset", `["dance"]`, codeInvalidParam, "Invalid action 'dance'"},
		{"scantxoutset", `["start"]`, codeMisc, "scanobjects argument is required"},
		{"scantxoutset", `["start", ["addr(x)"]]`, codeAddressOrKey, "scanobjects: element 0: address is not valid"},
		{"scantxoutset", `["start", [{"range": 5}]]`, codeInvalidParam, "element 0 of scanobjects"},
		{"scantxoutset", `["start", [5]]`, codeInvalidParam, "Scan object needs to be either a string or an object"},
		{"generatetoaddress", `[1, "bad"]`, codeAddressOrKey, "Error: Invalid address"},
		{"generatetoaddress", `[-1, "bad"]`, codeInvalidParam, "nblocks is -1"},
		{"generateblock", `["raw(51)", ["zz"]]`, codeDeserialization, "transactions: element 0: TX decode failed"},
		{"generateblock", `["raw(51)", [` + id + `]]`, codeAddressOrKey, "not in mempool"},
		{"generateblock", `["combo(` + key1 + `)", []]`, codeInvalidParam, "has 4 scripts"},
		{"getblocktemplate", `[{}]`, codeInvalidParam, "must be called with the segwit rule set"},
		{"getblocktemplate", `[{"mode": "dream"}]`, codeInvalidParam, "Invalid mode"},
		{"getblocktemplate", `[{"mode": "proposal"}]`, codeType, "Missing data String key for proposal"},
		{"getblocktemplate", `[{"rules": "segwit"}]`, codeType, `not of the expected type for "rules"`},
		{"addnode", `["127.0.0.1:1", "add"]`, codeP2PDisabled, "Peer-to-peer functionality missing"},
		{"getconnectioncount", `[]`, codeP2PDisabled, "Peer-to-peer"},
	} {
		f.fails(c.method, c.params, c.code, c.part)
	}
	f.expect("getblockcount", `[]`, `0`) // nothing has changed
}

func TestParameterForms(t *testing.T) {
	f := newFixture(t)
	hash := f.Block("genesis").Hash.String()
	want := string(f.get("getblock", `["`+hash+`", 0]`))
	for _, params := range []string{
		`["` + hash + `", false]`, `{"blockhash": "` + hash + `", "verbosity": 0}`, `{"blockhash": "` + hash + `", "verbose": false}`,
		`{"args": ["` + hash + `", 0]}`, `{"args": ["` + hash + `"], "verbosity": 0}`, `["` + hash + `", -7]`,
	} {
		f.expect("getblock", params, want)
	}
	if string(f.get("getblock", `["`+hash+`", null]`)) != string(f.get("getblock", `["`+hash+`"]`)) {
		t.Error("null is not the default")
	}
}

func TestHelp(t *testing.T) {
	f := newFixture(t)
	list := string(f.get("help", `[]`))
	for name, m := range f.server.table.methods {
		if !strings.Contains(list, name) {
			t.Errorf("%s is not listed", name)
		}
		text := string(f.get("help", `["`+name+`"]`))
		if m.summary == "" || m.result == "" || m.area == "" || !strings.Contains(text, "Result:") {
			t.Errorf("%s: %s", name, text)
		}
		optional := false
		for i := range m.params {
			p := &m.params[i]
			if p.want == "" || p.help == "" {
				t.Errorf("%s: parameter %q lacks its help", name, p.name)
			}
			if optional && p.required() {
				t.Errorf("%s: %q must be given, but not what stands before it", name, p.name)
			}
			optional = optional || !p.required()
		}
	}
	f.expect("help", `["nosuch"]`, `"help: unknown command: nosuch"`)
	f.expect("help", `["getblockheader"]`, `"getblockheader \"blockhash\" ( verbose )\n\nReturns a block header.\n\nArguments:\n1. blockhash (string, 64 hex digits, required) The block hash.\n2. verbose (boolean, optional, default=true) true: an object; false: the 80 bytes as hex.\n\nResult:\nAn object, or a string of hex.\n"`)
}

// TestMethodList holds every method that the node must have.
func TestMethodList(t *testing.T) {
	f := newFixture(t)
	want := strings.Fields(`getblockchaininfo getblockcount getbestblockhash getblockhash getblock getblockheader getblockhints getchaintips getdifficulty
		gettxout gettxoutsetinfo getrawtransaction decoderawtransaction decodescript sendrawtransaction testmempoolaccept getrawmempool
		getmempoolinfo getmempoolentry submitblock getblocktemplate generatetoaddress generateblock getmininginfo getpeerinfo
		getnetworkinfo getconnectioncount addnode disconnectnode setnetworkactive validateaddress invalidateblock reconsiderblock
		preciousblock verifychain explainblock pruneblockchain getchainstates
		getindexinfo getblockfilter getaddressbalance getaddresstxids getaddressutxos searchrawtransactions
		scantxoutset stop uptime help getrpcinfo
		listmembers getmember listpending listpermissions verifypermission listminers grant revoke simulaterecords listauthority
		getminingstatus getrestartinfo submitrestart getjoininfo
		authenticate notifyblocks stopnotifyblocks notifynewtransactions stopnotifynewtransactions`)
	for _, name := range want {
		if f.server.table.methods[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if got := len(f.server.table.methods); got != len(want) {
		t.Errorf("%d methods, want %d", got, len(want))
	}
}

func TestControl(t *testing.T) {
	f := newFixture(t)
	f.now = f.now.Add(90_500_000_000)
	f.expect("uptime", `[]`, `90`)
	f.expect("getrpcinfo", `[]`, `{"active_commands": [{"method": "getrpcinfo", "duration": 0}]}`)
	f.expect("stop", `[]`, `"Charter stopping"`)
	if f.stopped != 1 {
		t.Errorf("stopped %d times", f.stopped)
	}
}

func TestValidateAddress(t *testing.T) {
	f := fixtureOn(t, shipped(t, "bitcoin-mainnet"))
	// Addresses of BIP173, BIP350 and Bitcoin's wiki.
	f.expect("validateaddress", `["BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"]`, `{"isvalid": true, "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
		"scriptPubKey": "0014751e76e8199196d454941c45d1b3a323f1433bd6", "isscript": false, "iswitness": true,
		"witness_version": 0, "witness_program": "751e76e8199196d454941c45d1b3a323f1433bd6"}`)
	f.expect("validateaddress", `["bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"]`, `{"isvalid": true,
		"address": "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "scriptPubKey": "5120`+key1[2:]+`",
		"isscript": true, "iswitness": true, "witness_version": 1, "witness_program": "`+key1[2:]+`"}`)
	f.expect("validateaddress", `["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"]`, `{"isvalid": true, "address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
		"scriptPubKey": "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac", "isscript": false, "iswitness": false}`)
	f.expect("validateaddress", `["3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"]`, `{"isvalid": true, "address": "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
		"scriptPubKey": "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87", "isscript": true, "iswitness": false}`)
	for address, part := range map[string]string{
		"": "empty",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3tx": `"error_locations":[41]`,
		"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3":         "checksum",
		"mkmZxiEcEd8ZqjQWVZuC6so5dFMKEFpN2j":         "another chain",
	} {
		got := string(f.get("validateaddress", `["`+address+`"]`))
		if !strings.HasPrefix(got, `{"isvalid":false,"error_locations":[`) || !strings.Contains(got, part) {
			t.Errorf("%s: got %s, want %s", address, got, part)
		}
	}
}

func TestDecodeScript(t *testing.T) {
	f := fixtureOn(t, shipped(t, "bitcoin-mainnet"))
	f.expect("decodescript", `["6a04deadbeef"]`, `{"asm": "OP_RETURN -1874767326", "desc": "`+withChecksum("raw(6a04deadbeef)")+`", "type": "nulldata"}`)
	// BIP173's key: its addresses are published.
	f.expect("decodescript", `["21`+key1+`ac"]`, `{"asm": "`+key1+` OP_CHECKSIG", "desc": "`+withChecksum("pk("+key1+")")+`", "type": "pubkey",
		"p2sh": "`+f.p2sh("21"+key1+"ac")+`",
		"segwit": {"asm": "0 751e76e8199196d454941c45d1b3a323f1433bd6", "desc": "`+withChecksum("addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)")+`",
			"hex": "0014751e76e8199196d454941c45d1b3a323f1433bd6", "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
			"type": "witness_v0_keyhash", "p2sh-segwit": "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN"}}`)
	multi := "5121" + key1 + "51ae"
	if got := string(f.get("decodescript", `["`+multi+`"]`)); !strings.Contains(got, withChecksum("wsh(multi(1,"+key1+"))")) {
		t.Errorf("multisig: %s", got)
	}
	for name, c := range map[string]struct {
		script       string
		wrap, segwit bool
	}{
		"uncompressed key": {"41" + key1U + "ac", true, false},
		"p2wpkh":           {"0014" + key1[:40], true, false},
		"p2sh":             {"a914" + key1[:40] + "87", false, false},
		"taproot":          {"5120" + key1[2:], false, false},
		"any":              {"5187", true, true},
		"empty":            {"", true, true},
		"tapscript only":   {"51ba", false, false},
		"op_success":       {"517e", false, false},
		"cut off":          {"51ff02", false, false},
	} {
		got := string(f.get("decodescript", `["`+c.script+`"]`))
		if strings.Contains(got, `"p2sh":`) != c.wrap || strings.Contains(got, `"segwit":`) != c.segwit {
			t.Errorf("%s: got %s, want p2sh %v and segwit %v", name, got, c.wrap, c.segwit)
		}
	}
}

func (f *fixture) p2sh(script string) string {
	m := &rawTxMethods{shape: &shaper{address: f.Params.Address}}
	return m.p2sh(unhex(f.t, script))
}

func TestGenerate(t *testing.T) {
	f := newFixture(t)
	story(f)
	addr, _ := f.Params.Address.Encode(chaintest.AnyoneCanSpend())
	f.miner.hashes = append(f.miner.hashes, f.Block("b1").Hash)
	f.expect("generatetoaddress", fmt.Sprintf(`[1, "%s"]`, addr), `["`+f.Block("b1").Hash.String()+`"]`)
	if f.miner.n != 1 || string(f.miner.script) != string(chaintest.AnyoneCanSpend()) || f.miner.tries != defaultTries {
		t.Errorf("%+v", f.miner)
	}
	f.miner.block = f.Block("b3")
	tx := f.poolTx(f.Block("b3").Txs[1].Msg, 1000)
	hash := `"hash": "` + f.Block("b3").Hash.String() + `"`
	f.expect("generateblock", fmt.Sprintf(`["raw(51)", ["%v"]]`, tx.TxID), `{`+hash+`}`)
	if !f.miner.submit || string(f.miner.script) != "\x51" || len(f.miner.txs) != 1 || f.miner.txs[0].TxID != tx.TxID {
		t.Errorf("%+v", f.miner)
	}
	raw, _ := f.Chain.ReadRawBlock(f.Block("b3").Hash)
	f.expect("generateblock", fmt.Sprintf(`["%s", ["%x"], false]`, addr, encodeTx(tx.Msg)), fmt.Sprintf(`{%s, "hex": "%x"}`, hash, raw))

	open := fixtureOn(t, shipped(t, "open"))
	openAddr, _ := open.Params.Address.Encode(chaintest.AnyoneCanSpend())
	open.fails("generatetoaddress", `[1, "`+openAddr+`"]`, codeMisc, "pow.on_demand")
	open.fails("generateblock", `["raw(51)", []]`, codeMisc, "pow.on_demand")
	sealed := fixtureOn(t, shipped(t, "consortium"))
	sealedAddr, _ := sealed.Params.Address.Encode(chaintest.AnyoneCanSpend())
	sealed.fails("generatetoaddress", `[1, "`+sealedAddr+`"]`, codeMisc, "sealed by members that may mine: start the node with --mine")
}
