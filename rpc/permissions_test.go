package rpc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

func TestListPermissions(t *testing.T) {
	c := newCouncil(t)
	both := []*chaintest.Member{c.alpha, c.beta}
	until := c.net.Grant(c.delta, record.Send).(record.Grant)
	until.Until = 900
	c.Next("b1", c.net.Vote(both, c.net.Create(c.delta, record.Send|record.Issue), until)).Accept()
	c.Next("b2", c.net.Vote(both[:1], c.net.Grant(c.delta, record.Issue))).Accept()

	address := c.address(c.delta)
	row := permissionRow{Address: address, Type: "send", StartBlock: 2, EndBlock: 900, Member: c.delta.ID.String(), Name: "delta"}
	for _, params := range []string{`["*", "delta"]`, `["send,issue", "` + address + `"]`, `[["send"], ["` + c.delta.ID.String() + `"]]`} {
		var got []permissionRow
		c.read(&got, "listpermissions", params)
		if diff := cmp.Diff([]permissionRow{row}, got); diff != "" {
			t.Errorf("listpermissions%s (-want +got):\n%s", params, diff)
		}
	}
	var verbose []permissionRow
	c.read(&verbose, "listpermissions", `["*", "delta", true]`)
	if len(verbose) != 2 {
		t.Fatalf("verbose: %+v", verbose)
	}
	if admins := *verbose[0].Admins; len(admins) != 2 || !strings.Contains(strings.Join(admins, " "), c.address(c.beta)) || len(*verbose[0].Pending) != 0 {
		t.Errorf("send: admins %v, pending %v", admins, *verbose[0].Pending)
	}
	open := []pendingGrant{{0, client.Forever, []string{c.address(c.alpha)}, 1}}
	if diff := cmp.Diff(open, *verbose[1].Pending); diff != "" || verbose[1].Type != "issue" || verbose[1].EndBlock != 0 {
		t.Errorf("issue (-want +got):\n%s\n%+v", diff, verbose[1])
	}
	// admin is all permissions that the key has the role for.
	var all []permissionRow
	c.read(&all, "listpermissions", `[]`)
	if len(all) != 3*6+1 {
		t.Errorf("%d rows, want six of each of three and one: %+v", len(all), all)
	}
	c.expect("listpermissions", `["send", "delta", false, 900]`, `[]`)
	c.expect("listpermissions", `["*", "`+c.address(chaintest.NewMember("nobody"))+`"]`, `[]`)
	c.fails("listpermissions", `["fly"]`, codeInvalidParam, "want of connect,mine")
	c.fails("listpermissions", `["manage"]`, codeInvalidParam, "want of connect,mine")
	c.fails("listpermissions", `["*", "epsilon"]`, codeAddressOrKey, "no member")
	c.fails("listpermissions", `[7]`, codeType, "is not a string")
}

func TestVerifyPermission(t *testing.T) {
	c := newCouncil(t)
	own, strange := c.address(c.alpha), c.address(c.delta)
	c.expect("verifypermission", `["`+own+`", "mine"]`, `true`)
	c.expect("verifypermission", `["`+own+`", "manage"]`, `true`)
	c.expect("verifypermission", `["`+own+`", "issue"]`, `false`) // its key has not that role
	c.expect("verifypermission", `["`+strange+`", "connect"]`, `false`)
	c.fails("verifypermission", `["alpha", "mine"]`, codeAddressOrKey, "Invalid address")
	c.fails("verifypermission", `["`+own+`", "fly"]`, codeInvalidParam, `"fly" is no permission or role`)
	c.fails("verifypermission", `["`+own+`"]`, codeMisc, "verifypermission")
}

func TestListMiners(t *testing.T) {
	c := newCouncil(t)
	key := c.alpha.SealKey()
	c.miner.status.Key = &key
	both := []*chaintest.Member{c.alpha, c.beta}
	c.Next("b1", chaintest.By(c.gamma), c.net.Vote(both, c.net.Create(c.delta, record.Mine), c.net.Grant(c.delta, record.Mine))).Accept()
	c.Next("b2", chaintest.By(c.alpha)).Accept()
	var rows []minerRow
	c.read(&rows, "listminers", `[true]`)
	got := map[string]minerRow{}
	for _, row := range rows {
		got[row.Name] = row
	}
	height := func(h int32) *int32 { return &h }
	count := func(n int) *int { return &n }
	row := func(m *chaintest.Member, state string, wait int32, last *int32, n int) minerRow {
		return minerRow{Address: c.address(m), IsLocal: m == c.alpha, Permitted: true, WaitBlocks: wait, LastMined: last, BlocksMined: count(n),
			ChainState: state, Member: m.ID.String(), Name: m.Name}
	}
	want := map[string]minerRow{
		"alpha": row(c.alpha, "waiting-mining-diversity", 1, height(2), 1),
		"beta":  row(c.beta, "mining-permitted", 0, nil, 0),
		"gamma": row(c.gamma, "mining-permitted", 0, height(1), 1),
		"delta": row(c.delta, "not-ready", 0, nil, 0),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listminers (-want +got):\n%s", diff)
	}
	later := c.net.Grant(c.delta, record.Mine).(record.Grant)
	later.From = 50
	c.Next("b3", c.net.Vote(both, later)).Accept()
	rows = nil
	c.read(&rows, "listminers", `[]`)
	for _, row := range rows {
		if row.Name == "delta" && (row.Permitted || row.ChainState != "not-permitted") || row.BlocksMined != nil {
			t.Errorf("later: %+v", row)
		}
	}
}
