package record

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	acme  = NewMemberID("acme", p2tr(1))
	other = NewMemberID("beta.corp-2", p2wpkh)
	salt  = [4]byte{1, 2, 3, 4}
)

func sigOf(data []byte) *[64]byte {
	s := [64]byte(data[len(data)-64:])
	return &s
}

// goldenRecords are those of testdata/records.txt. Signatures are taken from
// there: sign_test.go checks them.
func goldenRecords(data map[string][]byte) map[string]Record {
	sig := func(name string) *[64]byte { return sigOf(data[name]) }
	return map[string]Record{
		"create-with-signature":        CreateMember{100000, salt, "acme", p2tr(1), Admin | Mine, sig("create-with-signature")},
		"create-without-signature":     CreateMember{0, salt, "beta.corp-2", p2wpkh, Send | Receive, nil},
		"rename":                       RenameMember{7, salt, acme, strings.Repeat("a", 32)},
		"grant":                        Grant{1<<31 - 1, salt, acme, Connect | Mine | Admin, Range{1000, 2000}},
		"grant-for-ever":               Grant{9, salt, acme, Send | Receive | Activate | Issue | Create, Range{0, Forever}},
		"revoke":                       Grant{9, salt, acme, Mine, Range{}},
		"add-key-with-signature":       AddKey{9, salt, acme, p2tr(2), Manage | Connect, Range{500, 1000}, sig("add-key-with-signature")},
		"add-key-without-signature":    AddKey{9, salt, other, p2pkh, Send, Range{1, 2}, nil},
		"change-key-with-signature":    ChangeKey{9, salt, acme, p2tr(2), Activate, Range{0, Forever}, sig("change-key-with-signature")},
		"change-key-without-signature": ChangeKey{9, salt, acme, p2tr(2), Issue | Create, Range{3, 1<<31 - 1}, nil},
		"remove-key":                   RemoveKey{9, salt, acme, p2sh},
		"remove-key-p2wsh":             RemoveKey{9, salt, acme, p2wsh},
		"ready":                        Ready{acme, keyOf(2), 77, *sig("ready")},
		"upgrade":                      Upgrade{9, salt, "next", 12345},
	}
}

func TestGolden(t *testing.T) {
	names, data := golden(t)
	records := goldenRecords(data)
	if len(names) != len(records) {
		t.Fatalf("%d vectors, %d records", len(names), len(records))
	}
	ops := make(map[Op]bool)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			want := records[name]
			ops[want.Op()] = true
			got, err := Decode(data[name])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			b, err := Encode(want)
			if err != nil || !bytes.Equal(b, data[name]) {
				t.Errorf("encoded %x, %v", b, err)
			}
			lapse, votes := Lapse(want)
			if isReady := want.Op() == OpReady; votes == isReady || votes && lapse != uint32(b[5])|uint32(b[6])<<8|uint32(b[7])<<16|uint32(b[8])<<24 {
				t.Errorf("lapse %d, %v", lapse, votes)
			}
		})
	}
	if len(ops) != int(OpUpgrade) {
		t.Errorf("vectors for %d of %d operations", len(ops), OpUpgrade)
	}
}

func TestID(t *testing.T) {
	grant := Grant{1<<31 - 1, salt, acme, Connect | Mine | Admin, Range{1000, 2000}}
	id := ID(grant)
	if got := hex.EncodeToString(id[:]); got != "96142d17363dc60215d00316c19cecd46285eecc371d172a528ce85c32a57f4c" {
		t.Errorf("id %s", got)
	}
	again := grant
	if ID(again) != id {
		t.Error("equal votes have other ids")
	}
	again.Salt[3]++
	if ID(again) == id {
		t.Error("the salt is no part of the id")
	}
}

// TestCutAndLengthened: nothing shorter or longer than a record is one.
func TestCutAndLengthened(t *testing.T) {
	names, data := golden(t)
	for _, name := range names {
		whole := data[name]
		for n := range len(whole) {
			_, err := Decode(whole[:n])
			wantRule(t, err, RuleMalformed, "")
		}
		_, err := Decode(append(bytes.Clone(whole), 0))
		wantRule(t, err, RuleMalformed, "1 bytes follow its operands")
	}
}

// TestDecodeCopies: a record does not change with the bytes it came from.
func TestDecodeCopies(t *testing.T) {
	_, data := golden(t)
	b := bytes.Clone(data["add-key-with-signature"])
	r, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if diff := cmp.Diff(goldenRecords(data)["add-key-with-signature"], r); diff != "" {
		t.Error(diff)
	}
}

func TestHeads(t *testing.T) {
	_, data := golden(t)
	change := func(at int, to byte) []byte {
		b := bytes.Clone(data["upgrade"])
		b[at] = to
		return b
	}
	long := append(bytes.Clone(data["upgrade"]), make([]byte, MaxSize)...)
	for _, tt := range []struct {
		name string
		data []byte
		says string
	}{
		{"nothing", nil, "does not begin with CHR"},
		{"other magic", change(2, 'S'), "does not begin with CHR"},
		{"magic only", []byte("CHR"), "ends before its operation"},
		{"no operation", []byte("CHR\x01"), "ends before its operation"},
		{"version 0", change(3, 0), "version 0"},
		{"version 2", change(3, 2), "version 2, only 1 is known"},
		{"operation 0", change(4, 0), "unknown operation 0"},
		{"operation 9", change(4, 9), "unknown operation 9"},
		{"520 bytes", long[:MaxSize], "bytes follow"},
		{"521 bytes", long[:MaxSize+1], "521 bytes, at most 520"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.data)
			wantRule(t, err, RuleMalformed, tt.says)
		})
	}
}

// TestFields tries each bound of each field on both sides, and that Encode
// and Decode draw the same line.
func TestFields(t *testing.T) {
	const top = 1<<31 - 1
	sig := new([64]byte)
	name := func(s string) Record { return RenameMember{9, salt, acme, s} }
	grant := func(s Set, from, until uint32) Record { return Grant{9, salt, acme, s, Range{from, until}} }
	key := func(identity []byte, roles Set, sig *[64]byte) Record {
		return AddKey{9, salt, acme, identity, roles, Range{1, 2}, sig}
	}
	keyRange := func(from, until uint32) Record {
		return ChangeKey{9, salt, acme, p2pkh, Send, Range{from, until}, nil}
	}
	type field struct {
		name string
		r    Record
		says string // "": good
	}
	tests := []field{
		{"name of 1", name("a"), ""},
		{"name of 32", name(strings.Repeat("z", 32)), ""},
		{"name of every kind", name("az.-09"), ""},
		{"no name", name(""), "name has 0 characters"},
		{"name of 33", name(strings.Repeat("z", 33)), "name has 33 characters"},
		{"capital", name("aB"), "'B' at position 2"},
		{"before a", name("`"), "position 1"},
		{"after z", name("{"), "position 1"},
		{"slash", name("/"), "position 1"},
		{"colon", name(":"), "position 1"},
		{"comma", name("a,"), "position 2"},
		{"beyond ASCII", name("é"), "position 1"},
		{"newline", name("a\n"), "position 2"},
		{"name of a new member", CreateMember{9, salt, "A", p2pkh, Send, nil}, "name has"},
		{"deployment of 33", Upgrade{9, salt, strings.Repeat("x", 33), 1}, "deployment has 33"},
		{"deployment", Upgrade{9, salt, "New", 1}, "deployment has 'N'"},
		{"upgrade at the last height", Upgrade{9, salt, "x", top}, ""},
		{"upgrade beyond", Upgrade{9, salt, "x", top + 1}, "height is 2147483648"},
		{"since the last height", Ready{acme, keyOf(1), top, *sig}, ""},
		{"since beyond", Ready{acme, keyOf(1), top + 1, *sig}, "since is"},
		{"ready without a key", Ready{acme, [32]byte{}, 1, *sig}, "no public key"},

		{"no permission", grant(0, 1, 2), "none is named"},
		{"every permission", grant(Permissions, 1, 2), ""},
		{"manage", grant(Manage|Send, 1, 2), "manage is not among them"},
		{"unknown bit", grant(1<<9, 1, 2), "0200 are unknown"},
		{"highest bit", grant(1<<15|Send, 1, 2), "8000 are unknown"},
		{"revoke nothing", grant(0, 0, 0), "none is named"},
		{"revoke manage", grant(Manage, 0, 0), "manage is not among them"},
		{"other empty range", grant(Send, 1, 1), "no range of heights"},
		{"backwards", grant(Send, 2, 1), "no range of heights"},
		{"backwards to 0", grant(Send, 2, 0), "no range of heights"},
		{"one block", grant(Send, 0, 1), ""},
		{"until the last height", grant(Send, top-1, top), ""},
		{"until beyond", grant(Send, 1, top+1), "until is 2147483648"},
		{"until just before for ever", grant(Send, 1, Forever-1), "until is"},
		{"from the last height for ever", grant(Send, top, Forever), ""},
		{"from beyond", grant(Send, top+1, Forever), "from is 2147483648"},

		{"key without roles", key(p2tr(1), 0, nil), "roles: none is named"},
		{"key with every role", key(p2tr(1), Roles, sig), ""},
		{"key with an unknown role", key(p2tr(1), 1<<9|Send, nil), "are unknown"},
		{"empty range of a key", keyRange(0, 0), "no range of heights"},
		{"range of a key", keyRange(0, Forever), ""},
		{"key from beyond", keyRange(top+1, Forever), "from is"},
		{"signature missing", key(p2tr(1), Connect, nil), "signature of the key is missing"},
		{"signature too much", key(p2tr(1), Send, sig), "there is a signature"},
		{"new member, signature missing", CreateMember{9, salt, "a", p2tr(1), Manage, nil}, "signature of the key is missing"},
		{"new member without roles", CreateMember{9, salt, "a", p2tr(1), 0, nil}, "none is named"},
		{"no identity", key(nil, Send, nil), "no script of a standard kind"},
		{"P2TR, no point", key(noPoint, Send, nil), "no point of the curve"},
		{"remove a key that is no point", RemoveKey{9, salt, acme, noPoint}, "no point of the curve"},
		{"remove no key", RemoveKey{9, salt, acme, []byte{0x6a}}, "no script of a standard kind"},
		{"P2PK", key(append(append([]byte{33, 2}, count(32)...), 0xac), Send, nil), "no script of a standard kind"},
		{"witness version 2", key(append([]byte{0x52, 0x20}, count(32)...), Send, nil), "no script of a standard kind"},
		{"witness version 1 of 20 bytes", key(append([]byte{0x51, 0x14}, count(20)...), Send, nil), "no script of a standard kind"},
		{"identity of 255 bytes", key(make([]byte, 255), Send, nil), "no script of a standard kind"},
	}
	for kind, script := range map[string][]byte{"P2PKH": p2pkh, "P2SH": p2sh, "P2WPKH": p2wpkh, "P2WSH": p2wsh} {
		for role := range Roles.Each() {
			tt := field{kind + " as " + role.String(), key(script, role, nil), "which only P2TR can have"}
			if role.Any(NeedsKey) {
				tt.r = key(script, role, sig)
			}
			if role == Send || role == Receive {
				tt.says = ""
			}
			tests = append(tests, tt)
		}
	}
	lapses := []func(uint32) Record{
		func(h uint32) Record { return CreateMember{h, salt, "a", p2pkh, Send, nil} },
		func(h uint32) Record { return RenameMember{h, salt, acme, "a"} },
		func(h uint32) Record { return Grant{h, salt, acme, Send, Range{1, 2}} },
		func(h uint32) Record { return Grant{h, salt, acme, Send, Range{}} },
		func(h uint32) Record { return AddKey{h, salt, acme, p2pkh, Send, Range{1, 2}, nil} },
		func(h uint32) Record { return ChangeKey{h, salt, acme, p2pkh, Send, Range{1, 2}, nil} },
		func(h uint32) Record { return RemoveKey{h, salt, acme, p2pkh} },
		func(h uint32) Record { return Upgrade{h, salt, "x", 1} },
	}
	for _, at := range lapses {
		op := at(0).Op().String()
		tests = append(tests, field{op + " lapses at the last height", at(top), ""}, field{op + " lapses beyond", at(top + 1), "lapse is 2147483648"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			written, err := Script(tt.r)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Script: %v", err)
			}
			if tt.says == "" && !Claims(written) {
				t.Errorf("%x", written)
			}
			if strings.HasPrefix(tt.says, "signature of") || strings.HasPrefix(tt.says, "there is a signature") {
				return // cannot be written: the roles say whether it is there
			}
			if tt.says != "" {
				_, err = Decode(encode(tt.r))
				wantRule(t, err, RuleMalformed, tt.says)
			}
		})
	}
}

// TestSignatureByRoles: the bytes of a signature are there iff the roles ask
// for one; else they are missing or trail.
func TestSignatureByRoles(t *testing.T) {
	for role := range Roles.Each() {
		r := AddKey{9, salt, acme, p2tr(1), role, Range{1, 2}, new([64]byte)}
		without := r
		without.Sig, without.Roles = nil, Send
		b := encode(without)
		at := len(b) - 8 - 2
		b[at], b[at+1] = byte(role), byte(role>>8)
		_, errWithout := Decode(b)
		_, errWith := Decode(append(b, make([]byte, 64)...))
		if role.Any(NeedsKey) {
			wantRule(t, errWithout, RuleMalformed, "signature: takes 64 bytes, 0 are left")
			wantRule(t, errWith, "", "")
		} else {
			wantRule(t, errWithout, "", "")
			wantRule(t, errWith, RuleMalformed, "64 bytes follow")
		}
	}
}

func TestPushForms(t *testing.T) {
	for _, tt := range []struct {
		n    int
		head string
	}{{5, "6a05"}, {75, "6a4b"}, {76, "6a4c4c"}, {255, "6a4cff"}, {256, "6a4d0001"}, {520, "6a4d0802"}} {
		got := script(count(tt.n))
		if want := append(unhex(tt.head), count(tt.n)...); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x", tt.n, got[:4])
		}
		if data, ok := firstPush(got); !ok || !bytes.Equal(data, count(tt.n)) {
			t.Errorf("%d bytes: read %d back", tt.n, len(data))
		}
	}
}

// FuzzDecode: what decodes encodes to the same bytes, stands in a script as a
// claimed record, and can be described.
func FuzzDecode(f *testing.F) {
	names, data := golden(f)
	for _, name := range names {
		f.Add(data[name])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			wantRule(t, err, RuleMalformed, "")
			return
		}
		b, err := Encode(r)
		if err != nil || !bytes.Equal(b, data) {
			t.Fatalf("%x decodes to %+v, which encodes to %x, %v", data, r, b, err)
		}
		again, err := Decode(b)
		if diff := cmp.Diff(r, again); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
		if s := mustScript(t, r); !Claims(s) {
			t.Fatalf("%x does not claim to be a record", s)
		}
		if s := Describe(r, nil, nil); !strings.HasSuffix(s, ".") || strings.ContainsAny(s, "\n\x00\x1b") {
			t.Fatalf("%q", s)
		}
	})
}
