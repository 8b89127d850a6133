package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/rpc/client"
)

// TestOutcomeUndecided has votes missing: what would come of them is said.
func TestOutcomeUndecided(t *testing.T) {
	beta := client.MemberRef{Name: "beta"}
	now := client.MinerCount{Mining: 3, Required: 2, MayFail: 1}
	sim := &client.Simulation{MinersBefore: now, MinersAfter: now, Decided: &client.Decision{
		LetsIn:      []client.AccessChange{{MemberRef: beta, Permissions: []string{"send"}, From: 7}},
		CutsOff:     []client.AccessChange{{MemberRef: beta, Permissions: []string{"mine", "admin"}, From: 9}},
		MinersAfter: client.MinerCount{Mining: 2, Required: 2},
	}}
	o := &outcome{g: &governance{}, sim: sim}
	const want = "Once decided: Lets in: beta: send from block 7 on at the earliest.\n" +
		"Once decided: Cuts off: beta: mine, admin from block 9 on at the earliest.\n" +
		"Once decided: Miners: 3 now, of which 1 may fail; 2 then, of which 0 may fail.\n" +
		"Careful: then the chain stops as soon as one miner fails.\n"
	if diff := cmp.Diff(want, o.text()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sim.Decided = &client.Decision{Error: &client.RuleFault{Rule: "last-admin", Detail: "nobody is left"}}
	if got := o.text(); got != "It cannot come about as things stand: last-admin: nobody is left.\n" {
		t.Errorf("with a fault: %q", got)
	}
}
