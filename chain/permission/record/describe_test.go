package record

import (
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	sig := new([64]byte)
	namer := func(id MemberID) string {
		if id == acme {
			return "acme"
		}
		return ""
	}
	addr := func(s []byte) string {
		if string(s) == string(p2tr(1)) {
			return "chr1p…a"
		}
		return ""
	}
	for _, tt := range []struct {
		r    Record
		want string
	}{
		{CreateMember{9, salt, "beta", p2tr(1), Mine | Admin | Send, sig},
			"Create the member beta, whose first key chr1p…a acts as mine, send and admin (the vote lapses after block 9)."},
		{CreateMember{9, salt, "beta", p2wpkh, Send, nil},
			"Create the member beta, whose first key 0014000102030405060708090a0b0c0d0e0f10111213 acts as send (the vote lapses after block 9)."},
		{RenameMember{9, salt, acme, "acme.corp"}, "Rename the member acme to acme.corp (the vote lapses after block 9)."},
		{RenameMember{9, salt, other, "b"}, "Rename the member aaf85156a1a9eb14dbab36a73fc67fd26b0afd3a to b (the vote lapses after block 9)."},
		{Grant{9, salt, acme, Mine, Range{}}, "Revoke mine from the member acme (the vote lapses after block 9)."},
		{Grant{9, salt, acme, Send | Receive, Range{0, Forever}}, "Grant send and receive to the member acme from now on (the vote lapses after block 9)."},
		{Grant{9, salt, acme, Send, Range{7, Forever}}, "Grant send to the member acme from block 7 on (the vote lapses after block 9)."},
		{Grant{9, salt, acme, Send, Range{7, 8}}, "Grant send to the member acme from block 7 until before block 8 (the vote lapses after block 9)."},
		{Grant{9, salt, acme, Send, Range{0, 8}}, "Grant send to the member acme from the next block until before block 8 (the vote lapses after block 9)."},
		{AddKey{9, salt, acme, p2tr(1), Mine, Range{0, Forever}, sig},
			"Add the key chr1p…a to the member acme, to act as mine from now on (the vote lapses after block 9)."},
		{ChangeKey{9, salt, acme, p2tr(1), Mine | Manage, Range{3, Forever}, sig},
			"Have the key chr1p…a of the member acme act as mine and manage from block 3 on, and as nothing else (the vote lapses after block 9)."},
		{RemoveKey{9, salt, acme, p2tr(1)}, "Remove the key chr1p…a from the member acme (the vote lapses after block 9)."},
		{Ready{acme, keyOf(1), 77, *sig},
			"Declare that the member acme is ready to mine with the key chr1p…a, under the permission that counts from block 77."},
		{Upgrade{9, salt, "next", 1234}, "Put the rule change next into force from block 1234 on (the vote lapses after block 9)."},
	} {
		if got := Describe(tt.r, namer, addr); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	if got := Describe(RemoveKey{9, salt, acme, p2tr(1)}, nil, nil); !strings.Contains(got, acme.String()) || !strings.Contains(got, "5120") {
		t.Error(got)
	}
}

func TestOpNames(t *testing.T) {
	want := []string{"operation 0", "create-member", "rename-member", "grant", "add-key", "change-key", "remove-key", "ready", "upgrade", "operation 9"}
	for i, w := range want {
		if got := Op(i).String(); got != w {
			t.Errorf("%d: %s, want %s", i, got, w)
		}
	}
}
