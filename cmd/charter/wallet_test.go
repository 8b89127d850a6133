package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// other is an address of somebody else's on the development chain.
var other, _ = params.Address{Bech32HRP: "dev"}.Encode(append([]byte{txscript.OP_0, txscript.OP_DATA_20}, make([]byte, 20)...))

// TestWalletStory is a wallet's life on the development chain, as its user
// sees it.
func TestWalletStory(t *testing.T) {
	x := newWorld(t)
	x.node.MineEmpty(2)
	x.show("--dev", "wallet", "balance")
	x.show("--dev", "wallet", "address")
	x.show("--dev", "wallet", "address", "--new", "--json")
	x.show("--dev", "wallet", "send", other, "1.5", "--dry-run")
	x.show("--dev", "wallet", "send", other, "1.5", "--fee-rate", "2.5")
	x.show("--dev", "wallet", "balance", "--json")
	x.show("--dev", "wallet", "send", other, "0.1", "--json")
	x.show("--dev", "wallet", "utxos")
	x.show("--dev", "wallet", "history")
	x.note("a block with both payments")
	x.node.MinePool()
	x.show("--dev", "wallet", "balance")
	x.show("--dev", "wallet", "utxos", "--json")
	x.note("a block that pays the wallet its reward")
	script, err := params.Address{Bech32HRP: "dev"}.Decode(x.addr)
	if err != nil {
		t.Fatal(err)
	}
	x.node.Mine([]*wire.TxOut{wire.NewTxOut(50_0000_0000, script)})
	x.show("--dev", "wallet", "history")
	x.note("the last two blocks make way for three others")
	x.node.Rewind(2)
	x.node.MineEmpty(3)
	x.show("--dev", "wallet", "balance")
	x.show("--dev", "wallet", "history", "--json")
	x.golden("story.golden")
}

// TestWalletFaults is what users are told who get something wrong. None of
// it may change the wallet.
func TestWalletFaults(t *testing.T) {
	x := newWorld(t)
	x.must("--dev", "wallet", "balance")
	state := filepath.Join(x.dev, "wallet", "wallet.state")
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	wrong := x.write("wrong.pass", "sword", 0o600)
	open := x.write("open.pass", "swordfish", 0o644)
	empty := x.write("empty.pass", "\n", 0o600)
	for _, args := range [][]string{
		{"send", other, "1000.00000001"},
		{"send", other, "1000"},
		{"send", "dev1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "1"},
		{"send", strings.Replace(other, "qqq", "qpq", 1), "1"},
		{"send", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1"},
		{"send", other, "1.5e3"},
		{"send", other, "-1"},
		{"send", other, "0"},
		{"send", other, "0.00000001"},
		{"send", other, "1", "--fee-rate", "0"},
		{"send", other, "1", "--fee-rate", "20000"},
		{"send", other},
		{"send", other, "1", "--passphrase-file", wrong},
		{"send", other, "1", "--passphrase-file", open},
		{"send", other, "1", "--passphrase-file", empty},
		{"send", other, "1", "--passphrase-file", filepath.Join(x.home, "none")},
		{"send", other, "2000", "--json"},
		{"balance", "--wallet", "none"},
		{"balance", "extra"},
		{"balance", "--nonsense"},
		{"balances"},
	} {
		x.show(append([]string{"--dev", "wallet"}, args...)...)
	}
	x.show("wallet", "balance")
	x.show("--chain", "nosuch", "wallet", "balance")
	x.show("--chain", "open", "wallet", "create")
	x.show("--dev", "--datadir", filepath.Join(x.home, "elsewhere"), "wallet", "balance")
	x.golden("faults.golden")
	after, err := os.ReadFile(state)
	if err != nil || string(after) != string(before) {
		t.Errorf("the wallet's state changed (%v)", err)
	}
	if n := len(x.node.Pool()); n != 0 {
		t.Errorf("%d payments were sent", n)
	}
}

// TestCreateAndRestore makes a wallet on a chain of the data folder, and
// again from its words.
func TestCreateAndRestore(t *testing.T) {
	x := newWorld(t)
	file, err := os.ReadFile(filepath.Join(x.dev, "chain.toml"))
	if err != nil {
		t.Fatal(err)
	}
	chain := x.write("acme.toml", strings.Replace(string(file), `name = "dev"`, `name = "acme"`, 1), 0o644)
	pass := x.write("pass", "swordfish\r\n", 0o600)
	x.write(".charter/acme/.cookie", "__cookie__:crumbs", 0o600)
	common := []string{"--chain", chain, "--rpc", x.url, "--passphrase-file", pass}
	run := func(args ...string) []string { return append(append([]string{}, common...), args...) }

	x.show(append([]string{"wallet", "create", "--wallet", "till"}, common...)...)
	x.show(append([]string{"wallet", "create", "--wallet", "till"}, common...)...)
	x.golden("create.golden")

	var made createdJSON
	if err := json.Unmarshal([]byte(x.must(run("wallet", "create", "--json", "--wallet", "second")...)), &made); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(x.home, ".charter", "acme", "wallets", "second"); made.Wallet != want {
		t.Errorf("made in %s, want %s", made.Wallet, want)
	}
	if n := len(strings.Fields(made.Mnemonic)); n != 24 {
		t.Errorf("%d words", n)
	}

	x.serveChain(chain)
	var again createdJSON
	words := x.write("words", made.Mnemonic+"\n", 0o600)
	if err := json.Unmarshal([]byte(x.must(run("wallet", "restore", "--json", "--wallet", "third", "--mnemonic-file", words)...)), &again); err != nil {
		t.Fatal(err)
	}
	if again.Address != made.Address || again.Mnemonic != "" {
		t.Errorf("restored %+v, made %+v", again, made)
	}
	x.stdin = made.Mnemonic
	elsewhere := filepath.Join(x.home, "elsewhere", "w")
	if out := x.must(run("wallet", "restore", "--wallet", elsewhere)...); !strings.Contains(out, made.Address) {
		t.Errorf("restored from the standard input: %s", out)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "wallet.state"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := x.run(run("wallet", "address", "--wallet", elsewhere)...); code != 1 || !strings.Contains(stderr, "rescan") {
		t.Errorf("damaged state: exit %d, %s", code, stderr)
	}
	if out := x.must(run("wallet", "rescan", "--wallet", elsewhere)...); !strings.Contains(out, made.Address) {
		t.Errorf("rebuilt: %s", out)
	}
}

// serveChain makes the node one of the chain in file.
func (x *world) serveChain(file string) {
	x.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		x.t.Fatal(err)
	}
	p, err := params.Load(data, file)
	if err != nil {
		x.t.Fatal(err)
	}
	x.useGenesis(p.GenesisBlock)
}

func TestOfflineAddress(t *testing.T) {
	x := newWorld(t)
	x.write(".charter/dev/rpc", "http://127.0.0.1:1\n", 0o644)
	if got := x.must("--dev", "wallet", "address", "--offline"); strings.TrimSpace(got) != x.addr {
		t.Errorf("got %s, want %s", got, x.addr)
	}
	code, stdout, stderr := x.run("--dev", "wallet", "address")
	if code != 0 || strings.TrimSpace(stdout) != x.addr || !strings.Contains(stderr, "may be used already") {
		t.Errorf("exit %d, %s, %s", code, stdout, stderr)
	}
	if code, _, stderr := x.run("--dev", "wallet", "balance"); code != 1 || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("no node: exit %d, %s", code, stderr)
	}
}

// TestSecretsStaySecret looks for the passphrase and the words in all that
// commands print.
func TestSecretsStaySecret(t *testing.T) {
	x := newWorld(t)
	wrong := x.write("wrong.pass", "trombone-secret", 0o600)
	words := x.write("words", strings.Repeat("zebra ", 24), 0o600)
	for _, args := range [][]string{
		{"send", other, "1", "--passphrase-file", wrong},
		{"restore", "--wallet", "n", "--mnemonic-file", words, "--passphrase-file", wrong},
		{"send", other, "1", "--json"},
	} {
		_, stdout, stderr := x.run(append([]string{"--dev", "wallet"}, args...)...)
		for _, secret := range []string{"trombone", "zebra", "swordfish", "xprv", "tprv"} {
			if strings.Contains(stdout+stderr, secret) {
				t.Errorf("%v shows %q:\n%s%s", args, secret, stdout, stderr)
			}
		}
	}
}
