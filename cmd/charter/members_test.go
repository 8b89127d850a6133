package main

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/wallet"
	"github.com/charterchain/charter/wallet/wallettest"
)

// consortium is a chain of members with a wallet each, all on one machine.
type consortium struct {
	*world
	addresses map[string]string // the first of each wallet
}

// newConsortium makes the chain acme, on which alpha, beta and gamma
// administer. Alpha has coins and mines; the wallet of delta is no member's.
// The shares, in ppm, are those of administering members that differ from the
// default.
func newConsortium(t *testing.T, shares ...map[params.Permission]uint32) *consortium {
	t.Helper()
	x := &consortium{newWorld(t), make(map[string]string)}
	spec := params.PermissionedOptions{OpenOptions: params.OpenOptions{Name: "acme", HRP: "acme", Time: wallettest.Start, OnDemand: true}}
	for _, name := range []string{"alpha", "beta", "gamma", "delta"} {
		x.addresses[name] = x.makeWallet(name)
		if name == "delta" {
			continue
		}
		m := params.Member{
			Name: name, Permissions: []params.Permission{params.PermAdmin},
			Keys: []params.MemberKey{{Identity: x.addresses[name], Roles: []params.Permission{
				params.PermAdmin, params.RoleManage, params.PermSend, params.PermReceive,
			}}},
		}
		if name == "alpha" {
			m.Keys = append(m.Keys, params.MemberKey{Identity: x.makeKey(".charter/acme/founder.key"), Roles: []params.Permission{params.PermMine}})
		}
		spec.Members = append(spec.Members, m)
	}
	spec.Allocations = []params.Allocation{{Address: x.addresses["alpha"], Amount: 1000 * 100_000_000}}
	p, err := params.NewPermissioned(spec)
	for _, of := range shares {
		if err == nil {
			maps.Copy(p.Permissions.Consensus, of)
			p, err = params.Build(*p)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	x.write(".charter/acme/chain.toml", string(params.Render(p)), 0o644)
	x.write(".charter/acme/rpc", x.url+"\n", 0o644)
	x.write(".charter/acme/.cookie", "__cookie__:crumbs", 0o600)
	x.useGenesis(p.GenesisBlock)
	x.node.Govern(p)
	return x
}

func (x *consortium) makeWallet(name string) string {
	x.t.Helper()
	e := x.env()
	made, err := wallet.Create(wallet.Config{
		Dir: filepath.Join(x.home, ".charter", "acme", "wallets", name), FS: e.disk, Rand: e.rand, Now: e.now, KDF: e.kdf,
		Chain: wallet.Chain{Address: x.prefixes()},
	}, []byte("swordfish"))
	if err != nil {
		x.t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		x.t.Fatal(err)
	}
	return made.Address
}

// prefixes are those that a new chain has.
func (x *consortium) prefixes() params.Address {
	p, err := params.NewOpen(params.OpenOptions{Name: "acme", HRP: "acme", Time: wallettest.Start, OnDemand: true})
	if err != nil {
		x.t.Fatal(err)
	}
	return p.Address
}

// makeKey makes a key file below the home folder and returns its address.
func (x *consortium) makeKey(name string) string {
	x.t.Helper()
	path := filepath.Join(x.home, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err != nil {
		x.t.Fatal(err)
	}
	key, err := keyfile.Create(path, rand.NewChaCha8([32]byte{byte(len(name)), name[len(name)-5]}))
	if err != nil {
		x.t.Fatal(err)
	}
	address, _ := x.prefixes().Encode(keyfile.Script(key))
	return address
}

// as is a command line of a member's.
func (x *consortium) as(who string, args ...string) []string {
	args = append([]string{"--chain", "acme"}, args...)
	return append(args, "--wallet", who, "--passphrase-file", filepath.Join(x.dev, "wallet.pass"))
}

// says carries out a command of a member's that sends something.
func (x *consortium) says(who string, args ...string) { x.show(x.as(who, append(args, "--yes")...)...) }

// ask carries out a command that needs no wallet.
func (x *consortium) ask(args ...string) { x.show(append([]string{"--chain", "acme"}, args...)...) }

func (x *consortium) mine() {
	x.note("a block")
	x.node.MinePool()
}

func (x *consortium) card(who string, args ...string) string {
	x.t.Helper()
	return strings.TrimSpace(x.must(x.as(who, append([]string{"key", "card"}, args...)...)...))
}

// TestMembersStory is how members come and go, as their operators see it.
func TestMembersStory(t *testing.T) {
	x := newConsortium(t)
	x.ask("member", "list")
	x.ask("permissions")
	card := x.card("delta", "--new", "delta", "--roles", "connect,send,receive,manage")
	x.show(x.as("alpha", "grant", card, "connect,send,receive", "--dry-run")...)
	x.says("alpha", "grant", card, "connect,send,receive")
	x.mine()
	x.ask("member", "show", "delta")
	x.ask("permissions", "--address", x.addresses["delta"])

	x.note("alpha proposes, beta joins by the same command")
	x.says("alpha", "grant", "delta", "mine")
	x.mine()
	x.ask("permissions", "--pending")
	x.says("alpha", "grant", "delta", "mine")
	x.says("beta", "grant", "delta", "mine")
	x.mine()
	x.ask("permissions", "--pending")
	x.ask("member", "list")

	x.note("delta adds its miner's key by its own manage key, and says that the miner runs")
	x.makeKey(".charter/acme/miner.key")
	miner := x.card("delta", "--miner", "--roles", "mine", "--member", "delta")
	x.says("delta", "key", "add", "delta", miner)
	x.mine()
	x.says("delta", "ready")
	x.mine()
	x.ask("member", "show", "delta")

	x.note("gamma proposes a new name, alpha approves it")
	x.says("gamma", "member", "rename", "delta", "delta-corp")
	x.mine()
	x.says("alpha", "approve", x.pendingID(t)[:12])
	x.mine()
	x.show(x.as("alpha", "revoke", "delta-corp", "mine", "--from", "20", "--dry-run")...)
	x.says("alpha", "revoke", "delta-corp", "connect,send")
	x.mine()
	x.ask("permissions")
	x.ask("permissions", "--at-height", "4")
	x.says("alpha", "grant", "delta-corp", "connect", "--until", "50", "--signers", "alpha", "--json")
	x.golden("members.golden")
}

func (x *consortium) pendingID(t *testing.T) string {
	t.Helper()
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(x.must("--chain", "acme", "permissions", "--pending", "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%d open votes, %v", len(list), err)
	}
	return list[0].ID
}

// TestKeysStory is a member that changes its only administering key by itself,
// with an overlap, then loses all its keys and gets another by the votes of
// the others; and payments of those who may and may not.
func TestKeysStory(t *testing.T) {
	x := newConsortium(t)
	first := x.addresses["beta"]
	next := strings.TrimSpace(x.must(x.as("beta", "wallet", "address", "--new")...))
	card := x.card("beta", "--address", next, "--member", "beta", "--roles", "admin,manage,send,receive")
	x.says("beta", "key", "add", "beta", card)
	x.mine()
	x.show(x.as("beta", "key", "remove", "beta", first, "--dry-run")...)
	x.says("beta", "key", "remove", "beta", first)
	x.mine()
	x.ask("member", "show", "beta")

	x.note("beta lost its wallet and has another, called delta here")
	lost := x.card("delta", "--member", "beta", "--roles", "admin,manage,send,receive")
	x.says("alpha", "key", "add", "beta", lost)
	x.mine()
	x.says("delta", "key", "remove", "beta", next)
	x.says("gamma", "key", "add", "beta", lost)
	x.mine()
	x.says("delta", "key", "remove", "beta", next)
	x.mine()
	x.ask("member", "show", "beta")

	x.note("payments")
	x.show(x.as("beta", "wallet", "address")...)
	x.show(x.as("delta", "wallet", "address")...)
	x.show(x.as("alpha", "wallet", "send", first, "2")...)
	x.show(x.as("alpha", "wallet", "send", x.addresses["delta"], "2")...)
	x.mine()
	x.show(x.as("delta", "wallet", "balance")...)
	x.show(x.as("delta", "wallet", "history")...)
	x.says("gamma", "revoke", "beta", "admin")
	x.says("alpha", "revoke", "beta", "admin")
	x.mine()
	x.show(x.as("delta", "wallet", "send", x.addresses["alpha"], "1")...)
	x.golden("keys.golden")
}

// TestActivator: one activator lets a customer in by its plain address alone,
// and has no say in anything else.
func TestActivator(t *testing.T) {
	x := newConsortium(t)
	card := x.card("delta", "--new", "delta", "--roles", "activate,send,receive")
	for _, who := range []string{"alpha", "beta"} {
		x.must(x.as(who, "grant", card, "activate", "--yes")...)
		if who == "alpha" {
			x.node.MinePool()
			card = "delta" // beta votes for the member that alpha made
		}
	}
	x.node.MinePool()
	customer, _ := x.prefixes().Encode(append([]byte{0, 20}, make([]byte, 20)...))
	if out := x.must(x.as("delta", "grant", customer, "send,receive", "--yes")...); strings.Count(out, "It takes effect") != 2 {
		t.Errorf("alone it decides nothing:\n%s", out)
	}
	x.node.MinePool()
	out := x.must("--chain", "acme", "member", "show", customer)
	if name := wallet.NameFor(customer); !strings.HasPrefix(out, name+",") || !strings.Contains(out, "send,receive") {
		t.Errorf("the customer is not %s:\n%s", name, out)
	}
	for _, args := range [][]string{{"grant", "delta", "mine"}, {"member", "rename", "delta", "echo"}} {
		code, stdout, stderr := x.run(x.as("delta", append(args, "--yes")...)...)
		if code != 1 || !strings.Contains(stderr, "record-no-authority") {
			t.Errorf("%v: exit %d, %s%s", args, code, stdout, stderr)
		}
	}
}

// TestAs: a member that administers by one key and activates by another
// proposes by the first, and decides alone by the second.
func TestAs(t *testing.T) {
	x := newConsortium(t, map[params.Permission]uint32{params.PermConnect: 500_001, params.PermSend: 500_001})
	activator := strings.TrimSpace(x.must(x.as("beta", "wallet", "address", "--new")...))
	payer := strings.TrimSpace(x.must(x.as("beta", "wallet", "address", "--new")...))
	card := x.card("beta", "--address", activator, "--member", "beta", "--roles", "activate")
	x.must(x.as("beta", "key", "add", "beta", card, "--yes")...)
	x.must(x.as("beta", "key", "add", "beta", payer, "--roles", "send", "--yes")...)
	x.node.MinePool()
	customer, _ := x.prefixes().Encode(append([]byte{0, 20}, make([]byte, 20)...))
	let := func(args ...string) []string {
		return x.as("beta", append([]string{"grant", customer, "send,receive", "--yes"}, args...)...)
	}
	for who, as := range map[string]string{"by default": "", "by its first key": x.addresses["beta"]} {
		if out := x.must(let("--as", as, "--dry-run")...); strings.Contains(out, "It takes effect") {
			t.Errorf("%s an administrator decides alone:\n%s", who, out)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{let("--as", x.addresses["delta"]), "no key of any member"},
		{let("--as", "beta"), "address of no key of beta"},
		{let("--as", activator, "--signers", "alpha"), "address of no key of alpha"},
		{let("--as", payer), "no say"},
		{let("--as", x.addresses["alpha"]), "this wallet does not have the key"},
	} {
		if code, _, stderr := x.run(c.args...); code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d, %s", c.args, code, stderr)
		}
	}
	// A wallet is not needed for looking.
	x.must(append(let("--as", activator, "--dry-run"), "--wallet", "none")...)
	if out := x.must(let("--as", activator)...); strings.Count(out, "It takes effect") != 2 {
		t.Errorf("the activator's key decides nothing:\n%s", out)
	}
	x.node.MinePool()
	if out := x.must("--chain", "acme", "member", "show", customer); !strings.Contains(out, "send,receive") {
		t.Errorf("the customer is not let in:\n%s", out)
	}
}

// TestVoteByPSBT has two members sign one transaction on machines of their
// own, one of them without a node.
func TestVoteByPSBT(t *testing.T) {
	x := newConsortium(t)
	card := x.card("delta", "--new", "delta", "--roles", "connect,send,receive")
	file := func(name string) string { return filepath.Join(x.home, name) }
	vote, byAlpha, byBeta := file("vote.psbt"), file("vote-signed.psbt"), file("beta.psbt")

	x.show(x.as("delta", "grant", card, "mine", "--signers", "alpha,beta", "--psbt", vote)...)
	x.show(x.as("none", "grant", card, "mine", "--signers", "alpha,beta", "--dry-run")...)
	x.ask("psbt", "show", vote)
	x.ask("psbt", "send", vote)
	x.show(x.as("alpha", "grant", card, "mine", "--signers", "alpha,beta", "--yes")...)
	x.show(x.as("alpha", "psbt", "sign", vote)...)
	x.says("alpha", "psbt", "sign", vote)
	x.says("alpha", "psbt", "sign", byAlpha, "--out", file("again.psbt"))
	x.says("gamma", "psbt", "sign", vote, "--out", file("gamma.psbt"))
	x.says("beta", "psbt", "sign", vote, "--offline", "--out", byBeta)
	x.ask("psbt", "send", byAlpha)
	x.ask("psbt", "combine", byAlpha, byBeta, "--out", file("all.psbt"))
	x.ask("psbt", "show", file("all.psbt"), "--json", "--offline")
	x.ask("psbt", "send", file("all.psbt"))
	x.mine()
	x.ask("member", "show", "delta")
	x.show(x.as("beta", "wallet", "balance")...)
	x.show(x.as("beta", "wallet", "utxos")...)
	x.golden("psbt.golden")
}

// TestGovernFaults is what operators are told who get something wrong. None of
// it may send anything.
func TestGovernFaults(t *testing.T) {
	x := newConsortium(t)
	alpha, beta, delta := x.addresses["alpha"], x.addresses["beta"], x.addresses["delta"]
	card := x.card("delta", "--new", "delta", "--roles", "connect,send,receive")
	keyCard := x.card("delta", "--member", "beta", "--roles", "manage")
	for _, args := range [][]string{
		{"grant", "betta", "send"},
		{"grant", "be", "send"},
		{"grant", "zulu", "send"},
		{"grant", "beta", "sned"},
		{"grant", "beta", ""},
		{"grant", "beta", "manage"},
		{"grant", "beta"},
		{"grant", "beta", "send", "--from", "9", "--until", "9"},
		{"grant", "beta", "send", "--from", "soon"},
		{"grant", "beta", "send", "--until", "2"},
		{"grant", delta, "connect"},
		{"grant", keyCard, "connect"},
		{"grant", strings.Replace(card, "connect", "admin,connect", 1), "connect"},
		{"grant", card[:len(card)-2], "connect"},
		{"revoke", "beta", "send"},
		{"revoke", "beta", "admin", "--from", "5", "--until", "9"},
		{"revoke", delta, "send"},
		{"member", "show", "gama"},
		{"member", "create", "beta", delta},
		{"member", "create", "Delta", delta},
		{"member", "create", "delta", beta},
		{"member", "create", "echo", card},
		{"member", "rename", "beta", "b eta"},
		{"member", "rename", "beta", "gamma"},
		{"key", "add", "gamma", keyCard},
		{"key", "add", "beta", keyCard, "--roles", "admin"},
		{"key", "add", "beta", keyCard, "--from", "7"},
		{"key", "add", "beta", delta},
		{"key", "add", "beta", delta, "--roles", "mine"},
		{"key", "add", "beta", alpha, "--roles", "send"},
		{"key", "change", "beta", delta, "--roles", "send"},
		{"key", "remove", "beta", alpha},
		{"approve", "12"},
		{"approve", "12345678"},
		{"ready"},
		{"ready", "--miner-key", filepath.Join(x.home, ".charter", "acme", "founder.key")},
		{"permissions", "--address", "acme1qqq"},
		{"permissions", "--pending", "--at-height", "3"},
		{"grants", "beta", "send"},
	} {
		if args[0] != "permissions" && args[0] != "grants" && !slices.Contains(args, "show") {
			args = append(args, "--wallet", "alpha", "--passphrase-file", filepath.Join(x.dev, "wallet.pass"), "--yes")
		}
		x.ask(args...)
	}
	x.note("without --yes, and from a wallet that governs nothing")
	x.show(x.as("alpha", "grant", "beta", "send")...)
	x.says("delta", "grant", "beta", "send")
	x.show("--dev", "member", "list")
	x.golden("govern-faults.golden")
	if n := len(x.node.Pool()); n != 0 {
		t.Errorf("%d transactions were sent", n)
	}
}
