package rpc

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// council is a server over a chain of alpha, beta and gamma, who administer
// and mine. Two of them decide; one, as an activator, over connect, send and
// receive.
type council struct {
	*fixture
	net                *chaintest.Consortium
	alpha, beta, gamma *chaintest.Member
	delta              *chaintest.Member // a stranger
}

func newCouncil(t *testing.T, change ...func(*Config)) *council {
	t.Helper()
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	return &council{
		fixture: fixtureOf(t, chaintest.Options{Consortium: net}, change...), net: net,
		alpha: net.Member("alpha"), beta: net.Member("beta"), gamma: net.Member("gamma"), delta: chaintest.NewMember("delta"),
	}
}

func (c *council) address(m *chaintest.Member) string {
	text, ok := c.net.Params.Address.Encode(m.Key.Script())
	if !ok {
		c.t.Fatalf("%s has no address", m.Name)
	}
	return text
}

func refOf(m *chaintest.Member) client.MemberRef {
	return client.MemberRef{ID: m.ID.String(), Name: m.Name}
}

// read calls a method and reads its result into out.
func (f *fixture) read(out any, method, params string) {
	f.t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(f.get(method, params))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil {
		f.t.Fatalf("%s: %v", method, err)
	}
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Where permissions are off every method says so.
func TestNoMembers(t *testing.T) {
	f := newFixture(t)
	address, _ := f.Chain.Params().Address.Encode(chaintest.NewMember("x").Key.Script())
	for method, params := range map[string]string{
		"listmembers": `[]`, "getmember": `["alpha"]`, "listpending": `[]`,
		"listpermissions": `[]`, "verifypermission": `["` + address + `", "send"]`, "listminers": `[]`,
		"grant": `["alpha", "send"]`, "revoke": `["alpha", "send"]`, "simulaterecords": `[{"records": ["00"]}]`,
		"listauthority": `["alpha"]`, "getminingstatus": `[]`, "getrestartinfo": `[]`, "submitrestart": `["00"]`,
	} {
		f.fails(method, params, codeNoMembers, "this chain has no members: permissions are off")
	}
	if help := string(f.get("help", `[]`)); !strings.Contains(help, "== Members ==") {
		t.Errorf("no heading for them in help: %s", help)
	}
}

func TestListMembers(t *testing.T) {
	c := newCouncil(t)
	forever := client.Forever
	want := func(m *chaintest.Member) client.Member {
		return client.Member{
			MemberRef: refOf(m), Administers: true, Activates: true,
			Permissions: []client.Permission{{Permission: "admin", Until: forever, InForce: true}},
			Keys: []client.Key{{
				Address: c.address(m), Script: hex.EncodeToString(m.Key.Script()), Type: "P2TR",
				Roles: []string{"connect", "mine", "send", "receive", "admin", "activate", "manage"}, Until: forever, InForce: true,
			}},
			Mining: &client.MiningMember{Active: true},
		}
	}
	var list client.MemberList
	c.read(&list, "listmembers", `[]`)
	members := []client.Member{want(c.alpha), want(c.beta), want(c.gamma)}
	slices.SortFunc(members, func(a, b client.Member) int { return strings.Compare(a.ID, b.ID) })
	wantList := client.MemberList{Height: 1, Restricted: list.Restricted, Members: members}
	if diff := cmp.Diff(wantList, list); diff != "" || !slices.Contains(list.Restricted, "connect") || !slices.Contains(list.Restricted, "admin") {
		t.Errorf("listmembers (-want +got):\n%s\nrestricted: %v", diff, list.Restricted)
	}
	for _, which := range []string{"beta", c.beta.ID.String(), c.address(c.beta)} {
		var got client.Member
		c.read(&got, "getmember", `["`+which+`"]`)
		if diff := cmp.Diff(want(c.beta), got); diff != "" {
			t.Errorf("getmember %s (-want +got):\n%s", which, diff)
		}
	}
	c.fails("getmember", `["delta"]`, codeAddressOrKey, `there is no member "delta"`)
	c.fails("getmember", `["`+c.delta.ID.String()+`"]`, codeAddressOrKey, "there is no member with the id")
	c.fails("getmember", `["`+c.address(c.delta)+`"]`, codeAddressOrKey, "is no key of any member")
	c.fails("listmembers", `[-1]`, codeInvalidParam, "height")
}

// Earlier heights are judged by the members of their time, later ones by those
// of today.
func TestMembersAtHeight(t *testing.T) {
	c := newCouncil(t)
	both := []*chaintest.Member{c.alpha, c.beta}
	c.Next("b1", c.net.Vote(both, c.net.Create(c.delta, record.Send|record.Mine))).Accept()
	later := c.net.Grant(c.delta, record.Send|record.Mine).(record.Grant)
	later.From = 10
	c.Next("b2", c.net.Vote(both, later)).Accept()
	for height, want := range map[int]int{0: 4, 1: 3, 2: 4, 3: 4, 100: 4} {
		var list client.MemberList
		c.read(&list, "listmembers", fmt.Sprintf(`[%d]`, height))
		if len(list.Members) != want || height > 0 && int(list.Height) != height {
			t.Errorf("at %d: %d members judged at %d, want %d", height, len(list.Members), list.Height, want)
		}
	}
	var now, then client.Member
	c.read(&now, "getmember", `["delta"]`)
	c.read(&then, "getmember", `["delta", 10]`)
	if now.Permissions[0].InForce || !then.Permissions[0].InForce || now.Permissions[0].From != 10 {
		t.Errorf("permissions now %+v, at height 10 %+v", now.Permissions, then.Permissions)
	}
	if m := now.Mining; m == nil || m.Active || m.NeedsReady || m.ActiveFrom != client.Forever || m.Since != 10 {
		t.Errorf("mining now: %+v", m)
	}
	if m := then.Mining; m == nil || !m.NeedsReady || m.Since != 10 {
		t.Errorf("mining at height 10: %+v", m)
	}
	c.fails("getmember", `["delta", 1]`, codeAddressOrKey, "no member")
	c.expect("verifypermission", `["`+c.address(c.delta)+`", "send"]`, `false`)
	c.expect("verifypermission", `["`+c.address(c.delta)+`", "send", 10]`, `true`)
}

func TestListPending(t *testing.T) {
	c := newCouncil(t)
	c.expect("listpending", `[]`, `[]`)
	grant := c.net.Revoke(c.gamma, record.Mine)
	c.Next("b1", c.net.Vote([]*chaintest.Member{c.alpha}, grant)).Accept()
	data, _ := record.Encode(grant)
	id := record.ID(grant)
	want := client.PendingVote{
		ID: hex.EncodeToString(id[:]), Record: hex.EncodeToString(data), Operation: "grant",
		Description: "Revoke mine from the member gamma (the vote lapses after block 50000).", Lapse: chaintest.Lapse,
		Have: 1, Need: 2, Voters: []client.MemberRef{refOf(c.alpha)},
	}
	var got []client.PendingVote
	c.read(&got, "listpending", `[]`)
	missing := []client.MemberRef{refOf(c.beta), refOf(c.gamma)}
	slices.SortFunc(missing, func(a, b client.MemberRef) int { return strings.Compare(a.ID, b.ID) })
	want.Missing = missing
	if diff := cmp.Diff([]client.PendingVote{want}, got); diff != "" {
		t.Errorf("one vote (-want +got):\n%s", diff)
	}
	c.Next("b2", c.net.Vote([]*chaintest.Member{c.beta}, grant)).Accept()
	got = nil
	c.read(&got, "listpending", `[]`)
	if len(got) != 1 || !got[0].Done || got[0].Have != 0 || len(got[0].Voters) != 2 || len(got[0].Missing) != 0 {
		t.Errorf("decided: %+v", got)
	}
}
