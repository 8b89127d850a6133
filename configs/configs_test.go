package configs

import (
	"encoding/hex"
	"testing"

	"github.com/charterchain/charter/chain/params"
)

// The genesis and rules hash of a file that ships never change: somebody's
// chain hangs on them. A new file gets a line; no line is ever edited.
func TestChainsKeepTheirHashes(t *testing.T) {
	golden := map[string]struct{ genesis, rules string }{
		"bitcoin-mainnet": {
			"000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
			"439a0f146659b5e0e80cfed815c5b3d253e4c941c0e55cd571761de7bcaab5db",
		},
		"bitcoin-regtest": {
			"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
			"5e6d63ebac91b6b6123aae6188ce329d44813216e272feca9853315dbf005430",
		},
		"consortium": {
			"000e1ddc378fd203c82c8c97197bdb9e698cffed796838274b9d02f136238377",
			"1781ea48e35ed3f3c22febb8f37bbe81e1ecb85fa95d6615ef2c777a66f0d222",
		},
		"dev": {
			"2f914f8e432672c9287fb29625a975a030077cde02058350e9cad2615e90544b",
			"14f48ad33d498dc905df846f7699c357bab236772130d43d0851da97ee52a219",
		},
		"open": {
			"000003f621d1af053d79bb57ff881646a24ab1957378987a12816d0864ef1e1c",
			"9ad9a7dd76201ca3260d20b4002bf7b3842945ba6eb12e1a9f4432721353f63d",
		},
	}
	if got := Chains(); len(got) != len(golden) {
		t.Fatalf("files %v, %d of them have golden hashes", got, len(golden))
	}
	for name, want := range golden {
		t.Run(name, func(t *testing.T) {
			p := load(t, name)
			if p.Name != name {
				t.Errorf("the chain is called %q", p.Name)
			}
			if got := p.GenesisHash.String(); got != want.genesis {
				t.Errorf("genesis hash %s, want %s", got, want.genesis)
			}
			if got := hex.EncodeToString(p.RulesHash[:]); got != want.rules {
				t.Errorf("rules hash %s, want %s", got, want.rules)
			}
		})
	}
}

// Writing a chain out with every key changes nothing.
func TestRenderedChainsAreTheSame(t *testing.T) {
	for _, name := range Chains() {
		t.Run(name, func(t *testing.T) {
			p := load(t, name)
			file := params.Render(p)
			q, err := params.Load(file, name)
			if err != nil {
				t.Fatalf("%v\n%s", err, file)
			}
			if q.GenesisHash != p.GenesisHash || q.RulesHash != p.RulesHash {
				t.Errorf("genesis %v and rules %x, want %v and %x", q.GenesisHash, q.RulesHash, p.GenesisHash, p.RulesHash)
			}
			if again := params.Render(q); string(again) != string(file) {
				t.Errorf("written twice differs:\n%s\n%s", file, again)
			}
		})
	}
}

func TestUnknownChain(t *testing.T) {
	for _, name := range []string{"", "nowhere", "../configs", "dev.toml"} {
		if _, ok := Chain(name); ok {
			t.Errorf("%q: found", name)
		}
	}
}

func load(t *testing.T, name string) *params.Params {
	t.Helper()
	file, ok := Chain(name)
	if !ok {
		t.Fatalf("%s does not ship", name)
	}
	p, err := params.Load(file, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
