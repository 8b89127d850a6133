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
			"0397d77d876c4e5614dd65a6c6a78aca0e8fe4d9abd5e6c5915c748b5d4083d8",
			"b1569b60a16ab2b32e708f34f65254f9df0b0c7e80df74a4a3d522141d293513",
		},
		"open": {
			"00000a59139d9afc1e9b88cfdd76edce14e78670d693a0649a452f0caac7ed1f",
			"cfefa97f2f9d6cf4e3ef96f5a5cbfb7061fa44848f782aabfa01403f8d0a4275",
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

func TestWhichChainsThisVersionRuns(t *testing.T) {
	for _, name := range Chains() {
		err := load(t, name).Unsupported()
		if refused := err != nil; refused != (name == "consortium") {
			t.Errorf("%s: %v", name, err)
		}
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
