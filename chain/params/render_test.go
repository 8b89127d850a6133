package params

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var sameParams = cmp.Comparer(func(a, b interface{ String() string }) bool { return a.String() == b.String() })

func TestRenderKeepsEverything(t *testing.T) {
	files := map[string]string{
		"minimal": minimal,
		"raw":     minimal + "genesis.raw = \"" + rawBlock + "\"\n",
		"all": permissioned + member("alpha", `"admin"`, [2]string{taprootA, everything}, [2]string{segwitA, `"send"`}) +
			member("beta", "", [2]string{taprootB, `"manage"`}) + allocationOf(taprootA, 5) + allocationOf(segwitA, 6) +
			exceptionOf("aa", `"bip16", "taproot"`) + exceptionOf("0b", `"bip30"`) +
			"[[snapshot]]\nheight = 5\ndigest = \"" + strings.Repeat("ab", 32) + "\"\n" +
			"[genesis]\nmessage = 'quote \" backslash \\ ü'\nbits = \"2000ffff\"\n" +
			"[permissions.consensus]\nsend = 17\n[policy]\nmempool_expiry = 60\n[network]\nmagic = \"01020304\"\n",
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			p := mustLoad(t, file)
			text := Render(p)
			q, err := Load(text, "rendered")
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(p, q, sameParams); diff != "" {
				t.Errorf("%s\n%s", diff, text)
			}
		})
	}
}

// A rendered file leaves no key to a default.
func TestRenderWritesEveryKey(t *testing.T) {
	text := string(Render(mustLoad(t, minimal)))
	for _, k := range schema {
		name := k.name[strings.LastIndexByte(k.name, '.')+1:]
		if written := strings.Contains(text, "\n"+name+" = "); written == (k.name == "genesis.raw") {
			t.Errorf("%s written: %v", k.name, written)
		}
	}
}

func TestBuild(t *testing.T) {
	base := mustLoad(t, minimal)
	changed := *base
	changed.Genesis.Time = 5
	changed.Genesis.Allocations = []Allocation{{Address: taprootA, Amount: 77}}
	changed.Network.Magic = [4]byte{}
	p, err := Build(changed)
	if err != nil {
		t.Fatal(err)
	}
	want := mustLoad(t, minimal+"genesis.time = 5\n"+allocationOf(taprootA, 77))
	if diff := cmp.Diff(want, p, sameParams); diff != "" {
		t.Error(diff)
	}
	if len(base.Genesis.Allocations) != 0 || base.GenesisHash == p.GenesisHash {
		t.Error("the chain it came from changed")
	}
	changed.Network.Magic = [4]byte{1, 2, 3, 4}
	if p, err = Build(changed); err != nil || p.Network.Magic != changed.Network.Magic {
		t.Errorf("magic %x, %v", p.Network.Magic, err)
	}
	changed.PoW.Spacing = 0
	changed.Name = "a/b"
	changed.Genesis.Allocations = []Allocation{{Address: "x", Amount: 0}}
	_, err = Build(changed)
	for _, says := range []string{"pow.spacing: is 0", `name: is "a/b"`, "genesis.allocation[0].address"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want it to say %q", err, says)
		}
	}
	if changed.Genesis.Allocations[0].Script != nil {
		t.Error("Build changed what it was given")
	}
}

func TestBuildRefusesAllocationOfNothing(t *testing.T) {
	p := *mustLoad(t, minimal)
	p.Genesis.Allocations = []Allocation{{Address: taprootA}}
	if _, err := Build(p); err == nil || !strings.Contains(err.Error(), "genesis.allocation[0].amount: is 0") {
		t.Errorf("%v", err)
	}
	// An output with an empty script would be anybody's.
	p.Genesis.Allocations = []Allocation{{Amount: 1}}
	if _, err := Build(p); err == nil || !strings.Contains(err.Error(), "genesis.allocation[0].address: is empty") {
		t.Errorf("%v", err)
	}
}

func TestNewOpen(t *testing.T) {
	addr, _ := Address{Bech32HRP: "lab"}.Encode(payToWitness(0, make([]byte, 20)))
	p, err := NewOpen(OpenOptions{
		Name: "lab-1", Time: 1_800_000_000, OnDemand: true, Spacing: 10 * time.Second, Port: 9000, Message: "hi",
		Allocations: []Allocation{{Address: addr, Amount: 1_000_000_0000_0000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Address.Bech32HRP != "lab" || p.PoW.Algorithm != AlgorithmFixed || p.PoW.Limit != easiestLimit || !p.PoW.OnDemand ||
		p.Deployments != (Deployments{}) || p.PoW.HalfLife != 2880*time.Second || p.Network.DefaultPort != 9000 || p.Genesis.Time != 1_800_000_000 {
		t.Errorf("%+v", p)
	}
	// Allocations and all subsidies together stay within max_money.
	if least := int64(21_000_000_0000_0000 + 1_000_000_0000_0000 - 210_000*50); p.Limits.MaxMoney < least {
		t.Errorf("max_money %d", p.Limits.MaxMoney)
	}
	q := mustLoad(t, string(Render(p)))
	if q.GenesisHash != p.GenesisHash || q.RulesHash != p.RulesHash {
		t.Error("the file is another chain")
	}
	other, err := NewOpen(OpenOptions{Name: "lab-1", Time: 1_800_000_001, OnDemand: true})
	if err != nil || other.Network.Magic == p.Network.Magic || other.GenesisHash == p.GenesisHash {
		t.Errorf("chains of the same name are not told apart: %v", err)
	}
}

func TestNewOpenFaults(t *testing.T) {
	for says, o := range map[string]OpenOptions{
		"name: is \"\"":                         {OnDemand: true},
		"pow.algorithm: is \"x\"":               {Name: "a", Algorithm: "x"},
		"pow.spacing: is -1":                    {Name: "a", OnDemand: true, Spacing: -time.Second},
		"address.bech32_hrp: is \"A1\"":         {Name: "a", OnDemand: true, HRP: "A1"},
		"genesis.allocation[0].address: ":       {Name: "a", OnDemand: true, Allocations: []Allocation{{"x", nil, 1}}},
		"genesis.allocation[0].amount: is -1":   {Name: "a", OnDemand: true, Allocations: []Allocation{{"x", nil, -1}}},
		"genesis.message: is \"\\u0000\"; must": {Name: "a", OnDemand: true, Message: "\x00"},
	} {
		if _, err := NewOpen(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want it to say %q", err, says)
		}
	}
}

func TestNewPermissioned(t *testing.T) {
	identity, _ := Address{Bech32HRP: "acme"}.Encode(mustLoad(t, minimal).mustDecode(t, taprootA))
	o := PermissionedOptions{
		OpenOptions: OpenOptions{Name: "acme", Time: 1_800_000_000, Spacing: 4 * time.Second},
		Members: []Member{{Name: "alpha", Permissions: []Permission{PermAdmin},
			Keys: []MemberKey{{Identity: identity, Roles: []Permission{PermAdmin, PermMine, PermConnect}}}}},
		SetupBlocks: 7,
	}
	p, err := NewPermissioned(o)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Permissions.Enabled || !p.Permissions.Restricts(PermSend) || p.Permissions.SetupBlocks != 7 || p.Subsidy.Initial != 0 ||
		p.PoW.MinSpacing != 4*time.Second || p.PoW.MaxFuture != 2*time.Second || p.PoW.Limit != sealedLimit || p.Deployments.BIP54 != 0 {
		t.Errorf("%+v", p)
	}
	q := mustLoad(t, string(Render(p)))
	if q.GenesisHash != p.GenesisHash || q.RulesHash != p.RulesHash {
		t.Error("the file is another chain")
	}
	o.Restricted = []Permission{PermMine}
	if p, err = NewPermissioned(o); err != nil || p.Permissions.Restricts(PermSend) || !p.Permissions.Restricts(PermMine) {
		t.Errorf("restricted to mining: %v", err)
	}
	o.Members = nil
	if _, err = NewPermissioned(o); err == nil || !strings.Contains(err.Error(), "no member may administer") {
		t.Errorf("without members: %v", err)
	}
}

func (p *Params) mustDecode(t *testing.T, addr string) []byte {
	t.Helper()
	script, err := p.Address.Decode(addr)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func TestSuggestHRP(t *testing.T) {
	for name, want := range map[string]string{
		"acme": "acme", "a-b.c1": "abc", "verylongname": "verylong", "111": "chr", "": "chr", "bc": "bcx", "BCRT": "bcrtx", "ÄÖ": "chr",
	} {
		if got := SuggestHRP(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(minimal)
	f.Add(minimal + "genesis.raw = \"" + rawBlock + "\"\n")
	f.Add(permissioned + member("alpha", `"admin"`, [2]string{taprootA, everything}) + allocationOf(segwitA, 6) + exceptionOf("aa", `"bip16"`))
	f.Add("format = 1\n[pow]\nspacing = 0\n[[genesis.allocation]]\n[foo]\n[a.b.'c d']\nx = {a = [1, {b = 2}]}\n")
	f.Add("genesis.member = [1, {keys = [[], {}]}]\nexception = [{}, 2]\nname = 5\n[\"pow.limit\"]\n")
	f.Add("name = \"a\"\nname = \"b\"")
	f.Add("\x00=\xff")
	f.Fuzz(func(t *testing.T, file string) {
		p, err := Load([]byte(file), "fuzz")
		if err != nil {
			_ = err.Error()
			return
		}
		q, err := Load(Render(p), "rendered")
		if err != nil {
			t.Fatalf("written out it does not load: %v\n%s", err, Render(p))
		}
		if q.RulesHash != p.RulesHash || q.GenesisHash != p.GenesisHash {
			t.Fatalf("written out it is another chain:\n%s", Render(p))
		}
	})
}
