package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/rpc/client"
)

// TestHeldAfterRestart: a restart block ended the mining of all members but
// alpha; beta holds admin still, gamma was granted mine again by name.
func TestHeldAfterRestart(t *testing.T) {
	admin := client.Permission{Permission: "admin", Until: client.Forever, InForce: true}
	mine := client.Permission{Permission: "mine", From: 100, Until: client.Forever, InForce: true}
	mining := &client.MiningMember{Active: true, ActiveFrom: 100, Since: 100}
	r := &roster{MemberList: &client.MemberList{Height: 120, Restricted: []string{"connect", "mine"}, Members: []client.Member{
		{MemberRef: client.MemberRef{Name: "alpha"}, Permissions: []client.Permission{admin}, Mining: mining},
		{MemberRef: client.MemberRef{Name: "beta"}, Permissions: []client.Permission{admin}},
		{MemberRef: client.MemberRef{Name: "gamma"}, Permissions: []client.Permission{mine, admin}, Mining: mining},
	}}}
	got := make(map[string][]string)
	for _, p := range r.held() {
		for _, h := range p.Holders {
			name := h.Name
			if h.Admin {
				name += "*"
			}
			got[p.Permission] = append(got[p.Permission], name)
		}
	}
	want := map[string][]string{
		"mine": {"alpha*", "gamma"}, "admin": {"alpha", "beta", "gamma"}, "connect": {"alpha*", "beta*", "gamma*"},
	}
	for perm, names := range want {
		if diff := cmp.Diff(names, got[perm]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", perm, diff)
		}
	}
	for i := range r.Members {
		m := &r.Members[i]
		holds := slices.ContainsFunc(got["mine"], func(s string) bool { return s == m.Name || s == m.Name+"*" })
		if holds != (mines(m) != "no") {
			t.Errorf("%s: mines %s by the list of members, and %v by that of permissions", m.Name, mines(m), got["mine"])
		}
	}
}
