package record

import (
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// TestMessages compares with values made by a program that shares nothing
// with this one.
func TestMessages(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  [32]byte
		want string
	}{
		{"create", KeyMessage(genesis, acme, p2tr(1), Admin|Mine, Range{0, Forever}), "ee1b24051942611ec675875c82515252192a0f36a7bba77146067b4f4e009c4f"},
		{"add", KeyMessage(genesis, acme, p2tr(2), Manage|Connect, Range{500, 1000}), "0d152f39ddd865c3c147234cab212390ebbfe9c2e010279c85cc619210d48a10"},
		{"change", KeyMessage(genesis, acme, p2tr(2), Activate, Range{0, Forever}), "08e388ce1737b483fbd165578e722a7fa79e2c562d58d6a05736809ea9cb6e3e"},
		{"ready", ReadyMessage(genesis, acme, keyOf(2), 77), "139502e846fcdebb60277a75434c6549e5867a579455ed22b1d9d6325268bbeb"},
	} {
		if got := hex.EncodeToString(tt.got[:]); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := acme.String(); got != "ac3a5e1fb21364f427896a33db4d6dfeac2ffb3a" {
		t.Errorf("id of acme: %s", got)
	}
	if got := other.String(); got != "aaf85156a1a9eb14dbab36a73fc67fd26b0afd3a" {
		t.Errorf("id of the other: %s", got)
	}
}

// TestCheckSig: the golden signatures fit, and no longer when anything they
// cover is another.
func TestCheckSig(t *testing.T) {
	names, data := golden(t)
	records := goldenRecords(data)
	for _, name := range names {
		wantRule(t, CheckSig(genesis, records[name]), "", "")
	}
	create := records["create-with-signature"].(CreateMember)
	add := records["add-key-with-signature"].(AddKey)
	change := records["change-key-with-signature"].(ChangeKey)
	ready := records["ready"].(Ready)
	bad := func(sig *[64]byte) *[64]byte {
		s := *sig
		s[63] ^= 1
		return &s
	}
	tests := map[string]Record{}
	set := func(name string, r Record) { tests[name] = r }
	{
		r := create
		r.Name = "acne"
		set("create: name", r)
		r = create
		r.Roles |= Send
		set("create: roles", r)
		r = create
		r.Identity = p2tr(2)
		set("create: identity", r)
		r = create
		r.Sig = bad(r.Sig)
		set("create: signature", r)
		r.Sig = nil
		set("create: no signature", r)
		r.Sig = add.Sig
		set("create: another's signature", r)
	}
	{
		r := add
		r.Member = other
		set("add: member", r)
		r = add
		r.From++
		set("add: from", r)
		r = add
		r.Until++
		set("add: until", r)
		r = add
		r.Roles = Manage
		set("add: roles", r)
		r = add
		r.Identity = p2tr(1)
		set("add: identity", r)
		r.Identity = p2wsh
		set("add: identity that cannot sign", r)
		r.Identity = noPoint
		set("add: identity that is no key", r)
	}
	{
		r := change
		r.Until--
		set("change: until", r)
		s := [64]byte{}
		for i := range s {
			s[i] = 0xff // neither a field element nor a scalar
		}
		r = change
		r.Sig = &s
		set("change: no signature at all", r)
	}
	{
		r := ready
		r.Since++
		set("ready: since", r)
		r = ready
		r.Member = other
		set("ready: member", r)
		r = ready
		r.Key = keyOf(1)
		set("ready: key", r)
		r.Key = [32]byte{}
		set("ready: no key", r)
		r = ready
		r.Sig = *bad(&r.Sig)
		set("ready: signature", r)
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) { wantRule(t, CheckSig(genesis, r), RuleSignature, r.Op().String()) })
	}
	// What no signature covers may change: it is the voters' business.
	r := add
	r.Lapse, r.Salt = 1, [4]byte{}
	wantRule(t, CheckSig(genesis, r), "", "")
	wantRule(t, CheckSig(elsewhere(), add), RuleSignature, "")
}

// elsewhere is the genesis hash of another chain.
func elsewhere() (h [32]byte) {
	h[0] = 1
	return h
}

// TestOwnSignature goes the way of a wallet, and shows that an added and a
// changed key sign the same.
func TestOwnSignature(t *testing.T) {
	msg := KeyMessage(genesis, acme, p2tr(3), Mine, Range{5, Forever})
	sig, err := schnorr.Sign(private(3), msg[:])
	if err != nil {
		t.Fatal(err)
	}
	s := [64]byte(sig.Serialize())
	for _, r := range []Record{
		AddKey{9, salt, acme, p2tr(3), Mine, Range{5, Forever}, &s},
		ChangeKey{9, salt, acme, p2tr(3), Mine, Range{5, Forever}, &s},
	} {
		wantRule(t, CheckSig(genesis, r), "", "")
	}
	if VerifyKeySig(genesis, acme, p2tr(3), Mine, Range{5, Forever}, nil) {
		t.Error("no signature is a good one")
	}
}
