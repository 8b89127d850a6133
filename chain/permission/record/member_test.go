package record

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/params"
)

func TestSet(t *testing.T) {
	all := []string{"connect", "mine", "send", "receive", "admin", "activate", "issue", "create", "manage"}
	if diff := cmp.Diff(all, Roles.Names()); diff != "" {
		t.Error(diff)
	}
	for i, name := range all {
		s, err := ParseSet([]string{name})
		if err != nil || s != 1<<i || s.Perm() != params.Permission(name) || s.String() != name {
			t.Errorf("%s: %04x, %s, %v", name, uint16(s), s, err)
		}
	}
	s, err := ParseSet([]string{"send", "mine", "send"})
	if err != nil || s != Mine|Send || s.String() != "mine,send" || s.Perm() != "" {
		t.Errorf("%s, %v", s, err)
	}
	if s, err := ParseSet(nil); s != 0 || err != nil || s.String() != "none" || s.Perm() != "" {
		t.Errorf("%s, %v", s, err)
	}
	for _, name := range []string{"", "Mine", "boss", "mine "} {
		if s, err := ParseSet([]string{"send", name}); s != 0 || err == nil || !strings.Contains(err.Error(), "manage") {
			t.Errorf("%q: %s, %v", name, s, err)
		}
	}
	if s := Set(1 << 9); s.Perm() != "" || s.String() != "none" || s.Names() != nil {
		t.Errorf("a bit without a name: %s", s)
	}
	if s := Mine | 1<<9; s.Perm() != "" {
		t.Errorf("a bit without a name beside one with: %s", s.Perm())
	}
	if !s.Has(Mine) || s.Has(Mine|Admin) || !s.Has(0) || !s.Any(Mine|Admin) || s.Any(Admin) || s.Any(0) {
		t.Error("Has or Any")
	}
	if got := slices.Collect((Manage | Connect | Send).Each()); !slices.Equal(got, []Set{Connect, Send, Manage}) {
		t.Errorf("each: %v", got)
	}
	for first := range Roles.Each() {
		if first != Connect {
			t.Errorf("first is %s", first)
		}
		break
	}
	if NeedsKey.String() != "connect,mine,admin,activate,manage" || Governing.String() != "admin,activate,manage" {
		t.Errorf("%s; %s", NeedsKey, Governing)
	}
}

func TestFromParams(t *testing.T) {
	if s := FromParams([]params.Permission{params.RoleManage, params.PermConnect, params.PermConnect}); s != Manage|Connect {
		t.Error(s)
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown permission passed")
		}
	}()
	FromParams([]params.Permission{"boss"})
}

func TestMemberID(t *testing.T) {
	id, err := ParseMemberID(acme.String())
	if err != nil || id != acme {
		t.Errorf("%s, %v", id, err)
	}
	if id, err = ParseMemberID(strings.ToUpper(acme.String())); err != nil || id != acme {
		t.Errorf("%s, %v", id, err)
	}
	for _, s := range []string{"", "acme", acme.String() + "00", acme.String()[2:], "g" + acme.String()[1:]} {
		if _, err := ParseMemberID(s); err == nil || !strings.Contains(err.Error(), "40 hex digits") {
			t.Errorf("%q: %v", s, err)
		}
	}
	if NewMemberID("acme", p2tr(2)) == acme || NewMemberID("acne", p2tr(1)) == acme {
		t.Error("the id does not depend on name and identity")
	}
}

func TestRange(t *testing.T) {
	for _, tt := range []struct {
		r     Range
		h     int32
		in    bool
		empty bool
	}{
		{Range{5, 7}, 4, false, false}, {Range{5, 7}, 5, true, false}, {Range{5, 7}, 6, true, false}, {Range{5, 7}, 7, false, false},
		{Range{0, Forever}, 0, true, false}, {Range{0, Forever}, math.MaxInt32, true, false}, {Range{0, Forever}, -1, false, false}, {Range{0, Forever}, -2, false, false},
		{Range{}, 0, false, true}, {Range{5, 5}, 5, false, true}, {Range{6, 5}, 5, false, true},
		{Range{math.MaxInt32, Forever}, math.MaxInt32, true, false},
	} {
		if got := tt.r.In(tt.h); got != tt.in || tt.r.Empty() != tt.empty {
			t.Errorf("%v at %d: %v, empty %v", tt.r, tt.h, got, tt.r.Empty())
		}
	}
}

// TestGenesisMembers: the members of a chain file obey the rules of records.
// What a record may say of a key, a file may too, and nothing else.
func TestGenesisMembers(t *testing.T) {
	address := params.Address{Bech32HRP: "chr", P2PKH: 28, P2SH: 88}
	founder := params.Member{Name: "a", Permissions: []params.Permission{params.PermAdmin}, Keys: []params.MemberKey{{
		Script: p2tr(1), Roles: []params.Permission{params.PermAdmin, params.PermMine},
	}}}
	load := func(name string, script []byte, role Set) error {
		k := params.MemberKey{Script: script}
		if role != 0 {
			k.Roles = []params.Permission{role.Perm()}
		}
		members := []params.Member{founder, {Name: name, Keys: []params.MemberKey{k}}}
		text := "format = 1\nname = \"x\"\n[address]\nbech32_hrp = \"chr\"\np2pkh = 28\np2sh = 88\n[permissions]\nenabled = true\n"
		for _, m := range members {
			text += fmt.Sprintf("[[genesis.member]]\nname = %q\npermissions = %s\nkeys = [\n", m.Name, quoted(m.Permissions))
			for _, k := range m.Keys {
				identity, ok := address.Encode(k.Script)
				if !ok {
					t.Fatalf("%x has no address", k.Script)
				}
				text += fmt.Sprintf("{ identity = %q, roles = %s },\n", identity, quoted(k.Roles))
			}
			text += "]\n"
		}
		_, err := params.Load([]byte(text), "test")
		return err
	}
	agree := func(what string, file, record error) {
		t.Helper()
		if (file == nil) != (record == nil) {
			t.Errorf("%s: the chain file says %v, a record %v", what, file, record)
		}
	}
	scripts := map[string][]byte{
		"P2TR": p2tr(2), "no point": noPoint, "P2PKH": p2pkh, "P2SH": p2sh, "P2WPKH": p2wpkh, "P2WSH": p2wsh,
		"anchor": {0x51, 0x02, 0x4e, 0x73}, "witness version 2": append([]byte{0x52, 0x20}, count(32)...),
	}
	for kind, script := range scripts {
		agree(kind+" without a role", load("b", script, 0), AddKey{Identity: script, Range: Range{0, 1}}.check())
		for role := range Roles.Each() {
			r := AddKey{Identity: script, Roles: role, Range: Range{0, 1}}
			if role.Any(NeedsKey) {
				r.Sig = new([64]byte)
			}
			agree(kind+" as "+role.String(), load("b", script, role), r.check())
		}
	}
	for _, name := range []string{"", "b", "b.9-z", "B", "b_", "b ", "b\n", "é", strings.Repeat("b", 32), strings.Repeat("b", 33)} {
		agree(fmt.Sprintf("name %q", name), load(name, p2tr(2), Send), CheckName(name))
	}
	k := params.MemberKey{}
	for role := range Roles.Each() {
		k.Roles = []params.Permission{role.Perm()}
		if k.Governs() != role.Any(Governing) {
			t.Errorf("%s: governing by the chain file is %v", role, k.Governs())
		}
	}
}

func quoted(list []params.Permission) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = fmt.Sprintf("%q", p)
	}
	return "[" + strings.Join(names, ", ") + "]"
}
