package params

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// member writes a [[genesis.member]]; each key is an identity and roles.
func member(name, permissions string, keys ...[2]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[genesis.member]]\nname = %q\npermissions = [%s]\nkeys = [\n", name, permissions)
	for _, k := range keys {
		fmt.Fprintf(&b, "{ identity = %q, roles = [%s] },\n", k[0], k[1])
	}
	b.WriteString("]\n")
	return b.String()
}

const (
	permissioned = minimal + "permissions.enabled = true\n"
	everything   = `"admin", "mine", "connect", "send", "receive", "manage"`
)

func TestMembers(t *testing.T) {
	p := mustLoad(t, permissioned+
		member("alpha", `"admin"`, [2]string{taprootA, `"mine", "admin", "mine"`}, [2]string{segwitA, `"send"`})+
		member("beta", `"connect"`, [2]string{taprootB, `"manage"`}, [2]string{taprootC, `"connect"`}))
	want := []Member{
		{"alpha", []Permission{PermAdmin}, []MemberKey{
			{taprootA, script(t, taprootA), []Permission{PermAdmin, PermMine}},
			{segwitA, script(t, segwitA), []Permission{PermSend}},
		}},
		{"beta", []Permission{PermConnect}, []MemberKey{
			{taprootB, script(t, taprootB), []Permission{RoleManage}},
			{taprootC, script(t, taprootC), []Permission{PermConnect}},
		}},
	}
	if diff := cmp.Diff(want, p.Genesis.Members); diff != "" {
		t.Error(diff)
	}
	alpha, beta := &p.Genesis.Members[0], &p.Genesis.Members[1]
	if !alpha.May(PermMine) || !alpha.May(PermSend) || alpha.May(PermConnect) || !alpha.Holds(PermConnect) || beta.May(PermMine) || beta.Holds(PermSend) {
		t.Error("what members may do is read wrong")
	}
	// The governing keys, and no others, get authority outputs.
	coins := []GenesisCoin{{1, 0, script(t, taprootA)}, {2, 0, script(t, taprootB)}}
	if diff := cmp.Diff(coins, p.GenesisCoins()); diff != "" {
		t.Error(diff)
	}
	// Where mining is restricted, the times of blocks have other defaults.
	if p.PoW.MinSpacing != p.PoW.Spacing || p.PoW.MaxFuture.Seconds() != 30 {
		t.Errorf("%+v", p.PoW)
	}
	if p.Policy.SettleDepth != 100 {
		t.Errorf("settle depth %d", p.Policy.SettleDepth)
	}
}

func script(t *testing.T, addr string) []byte {
	t.Helper()
	s, err := Address{Bech32HRP: "chr", P2PKH: 28, P2SH: 88}.Decode(addr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaultsWhereMiningIsRestricted(t *testing.T) {
	one := member("alpha", `"admin"`, [2]string{taprootA, everything})
	for spacing, maxFuture := range map[int]float64{1: 2, 4: 2, 6: 3, 120: 60, 600: 60} {
		p := mustLoad(t, fmt.Sprintf("%spow.spacing = %d\n%s", permissioned, spacing, one))
		if got := p.PoW.MaxFuture.Seconds(); got != maxFuture {
			t.Errorf("spacing %d: max_future %v, want %v", spacing, got, maxFuture)
		}
		if want := max(3600, 100*spacing); int(p.Permissions.RestartDelay.Seconds()) != want {
			t.Errorf("spacing %d: restart_delay %v", spacing, p.Permissions.RestartDelay)
		}
	}
	p := mustLoad(t, permissioned+"permissions.restricted = [\"connect\"]\n"+member("alpha", `"admin"`, [2]string{taprootA, `"admin"`}))
	if p.PoW.MinSpacing != 0 || p.PoW.MaxFuture.Hours() != 2 {
		t.Errorf("mining is not restricted: %+v", p.PoW)
	}
}

func TestMemberFaults(t *testing.T) {
	alpha := member("alpha", `"admin"`, [2]string{taprootA, everything})
	manyKeys := func(n int) [][2]string {
		keys := [][2]string{{taprootA, everything}}
		for i := 1; i < n; i++ {
			addr, _ := Address{Bech32HRP: "chr"}.Encode(payToWitness(0, append(make([]byte, 18), byte(i>>8), byte(i))))
			keys = append(keys, [2]string{addr, `"send"`})
		}
		return keys
	}
	p2a, _ := Address{Bech32HRP: "chr"}.Encode(payToWitness(1, []byte{0x4e, 0x73}))
	noPoint, _ := Address{Bech32HRP: "chr"}.Encode(payToWitness(1, make([]byte, 32)))
	const path = "genesis.member[0]"
	tests := []struct{ name, file, key, says string }{
		{"good", permissioned + alpha, "", ""},
		{"64 keys", permissioned + member("alpha", `"admin"`, manyKeys(64)...), "", ""},
		{"65 keys", permissioned + member("alpha", `"admin"`, manyKeys(65)...), path + ".keys", "has 65 keys; must be 1 to 64"},
		{"no keys", permissioned + alpha + member("beta", `"send"`), "genesis.member[1].keys", "has 0 keys"},
		{"open chain", minimal + alpha, path, "permissions.enabled is not true"},
		{"name twice", permissioned + alpha + member("alpha", "", [2]string{taprootB, `"send"`}), "genesis.member[1].name", "is the name of genesis.member[0].name too"},
		{"identity twice", permissioned + alpha + member("beta", "", [2]string{taprootA, `"send"`}), "genesis.member[1].keys[0].identity", "is the identity of"},
		{"bad name", permissioned + alpha + member("Beta", "", [2]string{taprootB, `"send"`}), "genesis.member[1].name", "a-z"},
		{"name of 33", permissioned + alpha + member(strings.Repeat("b", 33), "", [2]string{taprootB, `"send"`}), "genesis.member[1].name", "1 to 32"},
		{"no roles", permissioned + alpha + member("beta", "", [2]string{taprootB, ""}), "genesis.member[1].keys[0].roles", "is empty"},
		{"unknown role", permissioned + alpha + member("beta", "", [2]string{taprootB, `"boss"`}), "genesis.member[1].keys[0].roles", "manage"},
		{"manage is no permission", permissioned + alpha + member("beta", `"manage"`, [2]string{taprootB, `"send"`}), "genesis.member[1].permissions", "is [\"manage\"]"},
		{"role of a segwit key", permissioned + alpha + member("beta", "", [2]string{segwitA, `"connect"`}), "genesis.member[1].keys[0].identity", "only a taproot address"},
		{"no point", permissioned + alpha + member("beta", "", [2]string{noPoint, `"send"`}), "genesis.member[1].keys[0].identity", "no point of the curve"},
		{"other witness program", permissioned + alpha + member("beta", "", [2]string{p2a, `"send"`}), "genesis.member[1].keys[0].identity", "use a taproot address"},
		{"nobody administers", permissioned + member("alpha", `"mine"`, [2]string{taprootA, everything}), "genesis.member", "no member may administer"},
		{"no key administers", permissioned + member("alpha", `"admin"`, [2]string{taprootA, `"mine"`}), "genesis.member", "no member may administer"},
		{"nobody mines", permissioned + member("alpha", `"admin"`, [2]string{taprootA, `"admin"`}), "genesis.member", "no member may mine"},
		{"restart delay", permissioned + "permissions.restart_delay = 60\n" + alpha, "permissions.restart_delay", "more than twice"},
		{"restart delay at its least", permissioned + "permissions.restart_delay = 61\n" + alpha, "", ""},
		{"raw genesis", permissioned + "genesis.raw = \"" + rawBlock + "\"\n" + alpha, "genesis.raw", "cannot go with permissions"},
		{"late taproot", permissioned + "deployments.taproot = 1\n" + alpha, "deployments.taproot", "must be 0"},
		{"unknown key", permissioned + alpha + "extra = 1\n", path + ".extra", "is not a key"},
		{"keys missing", permissioned + alpha + "[[genesis.member]]\nname = \"b\"\npermissions = []\n", "genesis.member[1].keys", "is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.key == "" {
				mustLoad(t, tt.file)
				return
			}
			if list := faults(t, tt.file); !reports(list, tt.key, tt.says) {
				t.Errorf("faults %v; want %s: …%s…", list, tt.key, tt.says)
			}
		})
	}
	list := faults(t, permissioned)
	if len(list) != 2 || !reports(list, "genesis.member", "administer") || !reports(list, "genesis.member", "mine") {
		t.Errorf("no members: %v", list)
	}
}

func TestTooManyMembers(t *testing.T) {
	l := &loader{p: &Params{}, lines: map[string]int{}}
	l.p.Permissions = Permissions{Enabled: true, Restricted: permissions}
	for i := range maxMembers + 1 {
		l.p.Genesis.Members = append(l.p.Genesis.Members, Member{
			Name:        fmt.Sprint("m", i),
			Permissions: []Permission{PermAdmin},
			Keys:        []MemberKey{{Script: payToWitness(0, fmt.Appendf(nil, "%020d", i)), Roles: []Permission{PermSend}}},
		})
	}
	roles := []Permission{PermAdmin, PermMine}
	for i := range maxMining + 1 {
		l.p.Genesis.Members[i].Keys[0].Roles = roles
	}
	l.checkMembers()
	for _, says := range []string{"10001 members, at most 10000", "257 administering members, at most 256", "257 mining members, at most 256"} {
		if !reports(l.faults, "genesis.member", says) {
			t.Errorf("not reported: %s", says)
		}
	}
}

// TestBuiltMembers: members that were never text are held to the same bounds,
// so that Load reads whatever Render writes of them.
func TestBuiltMembers(t *testing.T) {
	const second = "genesis.member[1]"
	for _, tt := range []struct {
		name      string
		change    func(m *Member)
		key, says string
	}{
		{"good", func(*Member) {}, "", ""},
		{"name of 32", func(m *Member) { m.Name = strings.Repeat("b", 32) }, "", ""},
		{"name of 33", func(m *Member) { m.Name = strings.Repeat("b", 33) }, second + ".name", "1 to 32"},
		{"no name", func(m *Member) { m.Name = "" }, second + ".name", "1 to 32"},
		{"bad name", func(m *Member) { m.Name = "b b" }, second + ".name", `is "b b"`},
		{"unknown permission", func(m *Member) { m.Permissions = []Permission{PermSend, "boss"} }, second + ".permissions", `has "boss"`},
		{"manage is no permission", func(m *Member) { m.Permissions = []Permission{RoleManage} }, second + ".permissions", `has "manage"`},
		{"unknown role", func(m *Member) { m.Keys[0] = MemberKey{Identity: taprootB, Roles: []Permission{"boss"}} }, second + ".keys[0].roles", `has "boss"`},
		{"no identity", func(m *Member) { m.Keys[0].Identity = "" }, second + ".keys[0].identity", "is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := Member{"b", []Permission{PermSend}, []MemberKey{{Identity: segwitA, Roles: []Permission{PermSend}}}}
			tt.change(&b)
			p, err := NewPermissioned(PermissionedOptions{
				OpenOptions: OpenOptions{Name: "x", HRP: "chr", OnDemand: true},
				Members: []Member{
					{"a", []Permission{PermAdmin}, []MemberKey{{Identity: taprootA, Roles: []Permission{PermAdmin, PermMine}}}}, b,
				},
			})
			if tt.key == "" {
				if err != nil || len(p.Genesis.Members) != 2 {
					t.Fatal(err)
				}
				return
			}
			var fe *FileError
			if !errors.As(err, &fe) || len(fe.Faults) != 1 || !reports(fe.Faults, tt.key, tt.says) {
				t.Fatalf("got %v; want %s: …%s…", err, tt.key, tt.says)
			}
		})
	}
	if list := faults(t, permissioned+member("A", `"admin", "boss"`, [2]string{"nonsense", `"boss"`})); len(list) != 6 {
		t.Errorf("something is reported twice, or not at all: %v", list) // 4 here; nobody administers, nobody mines
	}
}
