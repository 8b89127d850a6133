package rpc

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// simulated asks what records by these members would do.
func (c *council) simulated(by []*chaintest.Member, records ...record.Record) client.Simulation {
	c.t.Helper()
	req := client.SimulateRequest{Identities: []string{}}
	for _, m := range by {
		req.Identities = append(req.Identities, c.address(m))
	}
	for _, r := range records {
		data, err := record.Encode(r)
		if err != nil {
			c.t.Fatal(err)
		}
		req.Records = append(req.Records, hex.EncodeToString(data))
	}
	var sim client.Simulation
	c.read(&sim, "simulaterecords", `[`+text(req)+`]`)
	return sim
}

func TestSimulateVotes(t *testing.T) {
	c := newCouncil(t)
	revoke := c.net.Revoke(c.gamma, record.Admin)
	one := c.simulated([]*chaintest.Member{c.alpha}, revoke)
	if r := one.Records; len(r) != 1 || !r[0].Effective || r[0].Completes || r[0].Have != 1 || r[0].Need != 2 || len(r[0].Missing) != 2 {
		t.Errorf("one vote: %+v", r)
	}
	if len(one.LetsIn)+len(one.CutsOff) != 0 || one.Height != 1 || one.MinersBefore != one.MinersAfter {
		t.Errorf("one vote changes: %+v", one)
	}
	all := []string{"connect", "mine", "send", "receive", "admin", "activate"}
	decided := &client.Decision{
		LetsIn: []client.AccessChange{}, CutsOff: []client.AccessChange{{MemberRef: refOf(c.gamma), From: 2, Permissions: all}},
		MinersAfter: client.MinerCount{Mining: 2, Required: 2},
	}
	if diff := cmp.Diff(decided, one.Decided); diff != "" {
		t.Errorf("once decided (-want +got):\n%s", diff)
	}
	c.Next("b1", c.net.Vote([]*chaintest.Member{c.alpha}, revoke)).Accept()
	if r := c.simulated([]*chaintest.Member{c.alpha}, revoke).Records; r[0].Effective || r[0].Have != 1 {
		t.Errorf("the same vote again: %+v", r)
	}
	two := c.simulated([]*chaintest.Member{c.beta}, revoke)
	if r := two.Records; !r[0].Effective || !r[0].Completes || r[0].Have != 2 || len(r[0].Missing) != 0 {
		t.Errorf("the second vote: %+v", r)
	}
	off := []client.AccessChange{{MemberRef: refOf(c.gamma), From: 3,
		Permissions: all}}
	if diff := cmp.Diff(off, two.CutsOff); diff != "" || len(two.LetsIn) != 0 {
		t.Errorf("cuts off (-want +got):\n%s\nlets in: %+v", diff, two.LetsIn)
	}
	if two.Decided != nil {
		t.Errorf("all votes are there, and yet: %+v", two.Decided)
	}
	if want := (client.MinerCount{Mining: 3, Required: 2, MayFail: 1}); two.MinersBefore != want {
		t.Errorf("miners before: %+v, want %+v", two.MinersBefore, want)
	}
	if want := (client.MinerCount{Mining: 2, Required: 2, MayFail: 0}); two.MinersAfter != want {
		t.Errorf("miners after: %+v, want %+v", two.MinersAfter, want)
	}
	c.Next("b2", c.net.Vote([]*chaintest.Member{c.beta}, revoke)).Accept()
	if r := c.simulated([]*chaintest.Member{c.alpha}, revoke).Records; r[0].Effective || r[0].Completes || len(r[0].Missing) != 0 {
		t.Errorf("a vote for what is done: %+v", r)
	}
}

// A member and its permissions in one transaction; one permission from a later
// height on, one without a key that could use it.
func TestSimulateNewMember(t *testing.T) {
	c := newCouncil(t)
	later := c.net.Grant(c.delta, record.Receive).(record.Grant)
	later.From = 100
	sim := c.simulated([]*chaintest.Member{c.alpha, c.gamma},
		c.net.Create(c.delta, record.Send|record.Receive), c.net.Grant(c.delta, record.Send|record.Connect), later)
	want := []client.AccessChange{
		{MemberRef: refOf(c.delta), Permissions: []string{"send"}, From: 2},
		{MemberRef: refOf(c.delta), Permissions: []string{"receive"}, From: 100},
	}
	if diff := cmp.Diff(want, sim.LetsIn); diff != "" || len(sim.CutsOff) != 0 || sim.Error != nil {
		t.Errorf("lets in (-want +got):\n%s\n%+v", diff, sim)
	}
	if len(sim.Records) != 3 || sim.Records[1].Description != "Grant connect and send to the member delta from now on (the vote lapses after block 50000)." {
		t.Errorf("records: %+v", sim.Records)
	}
	// One's own keys take no vote.
	own := c.simulated([]*chaintest.Member{c.beta}, c.net.AddKey(c.beta, chaintest.NewMember("spare").Key, record.Send))
	if r := own.Records; !r[0].Completes || r[0].Need != 0 || len(own.LetsIn) != 0 {
		t.Errorf("a key of one's own: %+v", own)
	}
}

func TestSimulateFaults(t *testing.T) {
	c := newCouncil(t)
	all := []*chaintest.Member{c.alpha, c.beta, c.gamma}
	for name, test := range map[string]struct {
		by      []*chaintest.Member
		records []record.Record
		rule    string
	}{
		"a stranger":      {[]*chaintest.Member{c.delta}, []record.Record{c.net.Grant(c.delta, record.Send)}, string(permission.RuleNoAuthority)},
		"unknown member":  {all, []record.Record{c.net.Grant(c.delta, record.Send)}, string(permission.RuleUnknownMember)},
		"the second":      {all, []record.Record{c.net.Grant(c.alpha, record.Send), c.net.Grant(c.delta, record.Send)}, string(permission.RuleUnknownMember)},
		"last to mine":    {all, []record.Record{c.net.Revoke(c.alpha, record.Admin), c.net.Revoke(c.beta, record.Admin), c.net.Revoke(c.gamma, record.Admin)}, string(permission.RuleLastAdmin)},
		"nine of them":    {all, repeat(c.net.Grant(c.alpha, record.Send), 9), "too-many-records"},
		"a bad signature": {all, []record.Record{forged(c.net.Create(c.delta, record.Connect))}, string(record.RuleSignature)},
	} {
		sim := c.simulated(test.by, test.records...)
		if sim.Error == nil || sim.Error.Rule != test.rule || sim.Error.Detail == "" || len(sim.Records) != 0 {
			t.Errorf("%s: %+v, want the rule %s", name, sim, test.rule)
		}
	}
	address := c.address(c.alpha)
	c.fails("simulaterecords", `[{"records": [], "identities": ["`+address+`"]}]`, codeInvalidParam, "1 or more records")
	c.fails("simulaterecords", `[{"records": ["43485201"], "identities": []}]`, codeDeserialization, "record 1")
	c.fails("simulaterecords", `[{"records": ["xx"], "identities": []}]`, codeDeserialization, "record 1")
	data, _ := record.Encode(c.net.Grant(c.alpha, record.Send))
	c.fails("simulaterecords", `[{"records": ["`+hex.EncodeToString(data)+`"], "identities": ["nobody"]}]`, codeAddressOrKey, "identity 1")
}

func repeat(r record.Record, n int) (list []record.Record) {
	for range n {
		list = append(list, r)
	}
	return list
}

func forged(r record.Record) record.Record {
	m := r.(record.CreateMember)
	sig := *m.Sig
	sig[5] ^= 1
	m.Sig = &sig
	return m
}
