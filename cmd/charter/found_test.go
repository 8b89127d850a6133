package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/node/keyfile"
)

// initMembers makes the chain acme in the world's home folder.
func (x *world) initMembers(args ...string) []string {
	return append([]string{"init", "acme", "--founder", "alpha", "--out", filepath.Join(x.home, "acme.toml"), "--passphrase-file", filepath.Join(x.dev, "wallet.pass")}, args...)
}

// TestInitMembers: a chain with members from nothing, as its founder sees it.
func TestInitMembers(t *testing.T) {
	x := newWorld(t)
	x.show(x.initMembers()...)
	p := loadFile(t, filepath.Join(x.home, "acme.toml"))
	dir := filepath.Join(x.home, ".charter", "acme")
	if copied := loadFile(t, filepath.Join(dir, "chain.toml")); copied.GenesisHash != p.GenesisHash {
		t.Error("the copy is another chain")
	}
	if len(p.Genesis.Members) != 1 || p.Genesis.Members[0].Name != "alpha" || len(p.Genesis.Members[0].Keys) != 3 {
		t.Fatalf("members %+v", p.Genesis.Members)
	}
	keys := p.Genesis.Members[0].Keys
	for i, name := range []string{nodeKeyFile, minerKeyFile} {
		key, err := keyfile.Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(keys[i+1].Script, keyfile.Script(key)) {
			t.Errorf("%s is not in the chain file", name)
		}
	}
	coins := p.GenesisCoins()
	if len(coins) != 2 || coins[0].Amount != 10_000_000_00000000 || !slices.Equal(coins[0].Script, keys[0].Script) || coins[1].Amount != 0 {
		t.Errorf("coins %+v", coins)
	}
	if p.PoW.Spacing != memberSpacing || p.Subsidy.Initial != 0 {
		t.Errorf("spacing %v, subsidy %d", p.PoW.Spacing, p.Subsidy.Initial)
	}
	x.show("--chain", "acme", "wallet", "address")
	x.note("again: keys and wallets stay")
	x.show(x.initMembers()...)
	x.show(x.initMembers("--force", "--message", "again")...)
	if q := loadFile(t, filepath.Join(dir, "chain.toml")); q.GenesisHash == p.GenesisHash || !slices.Equal(q.Genesis.Members[0].Keys[2].Script, keys[2].Script) {
		t.Error("not another chain with the same keys")
	}
	x.golden("init.golden")
}

func TestInitMembersOptions(t *testing.T) {
	x := newWorld(t)
	key := btcec.PrivKeyFromScalar(new(btcec.ModNScalar).SetInt(7))
	identity, _ := params.Address{Bech32HRP: "acme"}.Encode(keyfile.Script(key))
	out := x.must("init", "acme", "--json", "--out", filepath.Join(x.home, "acme.toml"), "--datadir", filepath.Join(x.home, "data"), "--identity", identity,
		"--supply", "0", "--spacing", "2s", "--setup-blocks", "30", "--restrict", "connect,mine", "--allocate", identity+"=12")
	var got initResult
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Founder == nil || got.Founder.Identity != identity || got.Founder.Wallet != "" || got.Founder.Mnemonic != "" || got.Founder.Name != "founder" {
		t.Errorf("%+v", got.Founder)
	}
	p := loadFile(t, filepath.Join(x.home, "data", "acme", "chain.toml"))
	if p.GenesisHash.String() != got.GenesisHash || p.Permissions.SetupBlocks != 30 || !slices.Equal(p.Permissions.Restricted, []params.Permission{params.PermActivate, params.PermAdmin, params.PermConnect, params.PermMine}) {
		t.Errorf("%+v", p.Permissions)
	}
	if a := p.Genesis.Allocations; len(a) != 1 || a[0].Amount != 12_00000000 {
		t.Errorf("allocations %+v", a)
	}
}

// TestInitMembersRefuses: what is wrong is said before anything is made.
func TestInitMembersRefuses(t *testing.T) {
	x := newWorld(t)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"founder's name":        {[]string{"--founder", "A b"}, "a-z"},
		"unknown permission":    {[]string{"--restrict", "fly"}, "no permission"},
		"identity of elsewhere": {[]string{"--identity", x.addr}, "acme1"},
		"supply":                {[]string{"--supply", "much"}, "much"},
		"bad allocation":        {[]string{"--allocate", "x=1"}, "genesis.allocation[1]"},
		"with --open":           {[]string{"--open"}, "--founder is for chains with members"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := x.run(x.initMembers(c.args...)...)
			if code != exitUsage || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, %q; want it to say %q", code, stderr, c.says)
			}
		})
	}
	dir := filepath.Join(x.home, ".charter", "acme")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("made all the same: %v", err)
	}
	x.write(".charter/acme/blocks/blk00000.dat", "", 0o600)
	if code, _, stderr := x.run(x.initMembers("--force")...); code != exitFailed || !strings.Contains(stderr, "move the folder away") {
		t.Errorf("over the data of a chain: exit code %d, %q", code, stderr)
	}
}
