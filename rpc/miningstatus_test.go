package rpc

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/rpc/client"
)

// watched is the status of a node that watches who mines.
func watched(warnings ...string) func(*Config) {
	return func(cfg *Config) {
		cfg.MiningStatus = func() (*client.MiningStatus, bool) {
			return &client.MiningStatus{Height: 7, Mining: 3, Required: 2, Seen: 3, MayFail: 1, Warnings: warnings}, true
		}
	}
}

func TestGetMiningStatus(t *testing.T) {
	c := newCouncil(t, watched("beware"))
	key := c.beta.SealKey()
	next := time.Unix(1_700_000_100, 0)
	c.miner.status = MinerStatus{State: "turn", Reason: "1 member is given time", Key: &key, Rank: 1, Next: next, Restart: true}
	var got client.MiningStatus
	c.read(&got, "getminingstatus", `[]`)
	beta := refOf(c.beta)
	own := client.OwnMiner{Address: c.address(c.beta), Member: &beta, State: "turn", Reason: "1 member is given time", Rank: 1, Next: next.Unix(), Restart: true}
	if diff := cmp.Diff(own, got.Own); diff != "" || got.MayFail != 1 {
		t.Errorf("own (-want +got):\n%s\n%+v", diff, got)
	}
	best := c.Chain.Best()
	var restart client.RestartInfo
	c.read(&restart, "getrestartinfo", `[]`)
	from := best.Header.Timestamp.Add(c.net.Params.Permissions.RestartDelay).Unix()
	if r := restart; r.Parent != best.Hash.String() || r.Height != 0 || r.Need != 2 || len(r.Administrators) != 3 || len(r.Miners) != 3 || r.From != from || !r.Waiting {
		t.Errorf("getrestartinfo: %+v", r)
	}
	if diff := cmp.Diff(restart, got.Restart); diff != "" {
		t.Errorf("restart in getminingstatus (-want +got):\n%s", diff)
	}
	c.miner.status = MinerStatus{State: "no-key", Rank: -1}
	var without client.MiningStatus
	c.read(&without, "getminingstatus", `[]`)
	if o := without.Own; o.Address != "" || o.Member != nil || o.State != "no-key" || o.Next != 0 {
		t.Errorf("own without a key: %+v", o)
	}
}

// Where mining is everybody's there is nothing to tell.
func TestMiningNotRestricted(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Restricted: []string{"connect"}})
	f := fixtureOf(t, chaintest.Options{Consortium: net})
	for method, params := range map[string]string{"getminingstatus": `[]`, "getrestartinfo": `[]`, "submitrestart": `["00"]`} {
		f.fails(method, params, codeMisc, "everybody mines")
	}
}

func TestSubmitRestart(t *testing.T) {
	c := newCouncil(t)
	best := c.Chain.Best().Hash
	cert, err := seal.NewCertificate(best, []record.MemberID{c.alpha.ID}, []seal.Signature{{Member: c.alpha.ID}})
	if err != nil {
		t.Fatal(err)
	}
	text := hex.EncodeToString(cert.Script())
	c.expect("submitrestart", `["`+text+`"]`, `null`)
	if diff := cmp.Diff(cert, c.miner.restart); diff != "" {
		t.Errorf("the miner got (-want +got):\n%s", diff)
	}
	c.miner.err = errors.New("1 members signed the restart, it takes 2")
	c.fails("submitrestart", `["`+text+`"]`, codeVerify, "it takes 2")
	c.fails("submitrestart", `["`+text[2:]+`"]`, codeDeserialization, "Certificate decode failed")
	c.fails("submitrestart", `["x"]`, codeDeserialization, "hexadecimal")
}

// conflicted is a chain with something to look at.
type conflicted struct{ Chain }

func (conflicted) Warnings() []string { return []string{"conflicting history"} }

func TestMiningWarnings(t *testing.T) {
	c := newCouncil(t, watched("the loss of one more mining member stops the chain"), func(cfg *Config) {
		cfg.Warnings = func() string { return "disk is nearly full" }
		cfg.Chain = conflicted{cfg.Chain}
	})
	c.miner.status = MinerStatus{State: "isolated", Reason: "too few seen"}
	for _, method := range []string{"getblockchaininfo", "getmininginfo", "getnetworkinfo"} {
		var info struct{ Warnings string }
		if err := json.Unmarshal(c.get(method, `[]`), &info); err != nil || info.Warnings != "conflicting history; the loss of one more mining member stops the chain; disk is nearly full" {
			t.Errorf("%s: warnings %q, %v", method, info.Warnings, err)
		}
	}
	var info struct{ Mining minerJSON }
	if err := json.Unmarshal(c.get("getmininginfo", `[]`), &info); err != nil || info.Mining != (minerJSON{State: "isolated", Reason: "too few seen"}) {
		t.Errorf("getmininginfo: %+v, %v", info, err)
	}
}

// Only the node's own miner can seal.
func TestSealedOnDemand(t *testing.T) {
	c := newCouncil(t)
	c.fails("getblocktemplate", `[{"rules": ["segwit"]}]`, codeMisc, "only the node's own miner can seal them")
	block := c.make()
	c.expect("getblocktemplate", `[{"mode": "proposal", "data": "`+blockHex(block)+`"}]`, `null`)
	bad := c.make(chaintest.Claim(c.delta.Key.Script()))
	c.expect("getblocktemplate", `[{"mode": "proposal", "data": "`+blockHex(bad)+`"}]`, `"`+string(permission.RuleReceive)+`"`)
	c.miner.err = &MayNotError{"other members have to seal first"}
	c.fails("generatetoaddress", `[1, "`+c.address(c.alpha)+`"]`, codeMisc, "other members have to seal first")
	c.fails("generateblock", `["`+c.address(c.alpha)+`", []]`, codeMisc, "other members have to seal first")
}

func TestSealer(t *testing.T) {
	c := newCouncil(t)
	c.Next("b1", chaintest.By(c.gamma)).Accept()
	want := sealerJSON{Member: c.gamma.ID.String(), Name: "gamma", Key: c.address(c.gamma)}
	for _, method := range []string{"getblock", "getblockheader", "explainblock"} {
		var got struct{ Sealer *sealerJSON }
		if err := json.Unmarshal(c.get(method, `["`+c.Block("b1").Hash.String()+`"]`), &got); err != nil || got.Sealer == nil || *got.Sealer != want {
			t.Errorf("%s: %+v, %v, want %+v", method, got.Sealer, err, want)
		}
		got.Sealer = nil
		if err := json.Unmarshal(c.get(method, `["`+c.Block("genesis").Hash.String()+`"]`), &got); err != nil || got.Sealer != nil {
			t.Errorf("%s of genesis: %+v, %v", method, got.Sealer, err)
		}
	}
}

// A block that breaks a rule of permissions is explained by it.
func TestExplainPermission(t *testing.T) {
	c := newCouncil(t)
	stranger := c.Next("b1", chaintest.Claim(c.delta.Key.Script()))
	stranger.Reject(permission.RuleReceive)
	var got explanationJSON
	if err := json.Unmarshal(c.get("explainblock", `["`+stranger.Hash.String()+`"]`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Rule != string(permission.RuleReceive) || !strings.Contains(fmt.Sprint(got.Why), "breaks the rule receive-not-permitted") || got.Sealer == nil {
		t.Errorf("explainblock: %+v", got)
	}
}

func TestRecordsInWords(t *testing.T) {
	c := newCouncil(t)
	grant := c.net.Grant(c.beta, record.Send)
	c.Next("b1", c.net.Vote([]*chaintest.Member{c.alpha}, grant)).Accept()
	script, _ := record.Script(grant)
	id := record.ID(grant)
	lapse := uint32(chaintest.Lapse)
	want := &recordJSON{ID: hex.EncodeToString(id[:]), Operation: "grant", Lapse: &lapse,
		Description: "Grant send to the member beta from now on (the vote lapses after block 50000)."}
	text := hex.EncodeToString(script)
	type output struct {
		Type   string
		Hex    string
		Record *recordJSON
	}
	var decoded output
	if err := json.Unmarshal(c.get("decodescript", `["`+text+`"]`), &decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(output{"record", "", want}, decoded); diff != "" {
		t.Errorf("decodescript (-want +got):\n%s", diff)
	}
	block := c.Block("b1")
	tx := block.Txs[1]
	for method, params := range map[string]string{
		"getrawtransaction":    `["` + tx.TxID.String() + `", 1, "` + block.Hash.String() + `"]`,
		"decoderawtransaction": `["` + hex.EncodeToString(encodeTx(tx.Msg)) + `"]`,
	} {
		var got struct {
			Vout []struct{ ScriptPubKey output }
		}
		if err := json.Unmarshal(c.get(method, params), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(output{"record", text, want}, got.Vout[1].ScriptPubKey); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
	var bad output
	if err := json.Unmarshal(c.get("decodescript", `["`+text[:len(text)-2]+`"]`), &bad); err != nil || bad.Record == nil || !strings.Contains(bad.Record.Error, "bad-record") || bad.Type == "record" {
		t.Errorf("a record cut off: %+v, %v", bad, err)
	}
	open := newFixture(t)
	var plain output
	if err := json.Unmarshal(open.get("decodescript", `["`+text+`"]`), &plain); err != nil || plain.Type != "nulldata" || plain.Record != nil {
		t.Errorf("on a chain without members: %+v, %v", plain, err)
	}
}

func TestPeerMember(t *testing.T) {
	c := newCouncil(t)
	c.peers.list = []PeerInfo{{ID: 1, Identity: c.address(c.alpha)}, {ID: 2, Identity: c.address(c.delta)}}
	var got []struct {
		Member      string
		Permissions []string
	}
	if err := json.Unmarshal(c.get("getpeerinfo", `[]`), &got); err != nil {
		t.Fatal(err)
	}
	if got[0].Member != "alpha" || fmt.Sprint(got[0].Permissions) != "[connect mine send receive admin activate]" || got[1].Member != "" || len(got[1].Permissions) != 0 {
		t.Errorf("getpeerinfo: %+v", got)
	}
}
