package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/rpc/client"
)

// restartOf writes the file of a restart of the consortium's chain.
func (x *consortium) restartOf(name string, change func(*restartFile)) string {
	x.t.Helper()
	p := x.chain()
	f := &restartFile{
		Chain: p.Name, Genesis: p.GenesisHash.String(), Parent: strings.Repeat("0a", 32), Height: 7,
		Miners: []client.MemberRef{{ID: strings.Repeat("0b", 20), Name: "alpha"}},
	}
	if change != nil {
		change(f)
	}
	path := filepath.Join(x.home, name)
	if err := f.replace(path); err != nil {
		x.t.Fatal(err)
	}
	return path
}

func (x *consortium) chain() *params.Params {
	x.t.Helper()
	return loadFile(x.t, filepath.Join(x.home, ".charter", "acme", "chain.toml"))
}

// TestRestartRefuses: files that are damaged, of another chain, unsigned or at
// odds with each other are not given to the node.
func TestRestartRefuses(t *testing.T) {
	x := newConsortium(t)
	sig := restartSig{MemberRef: client.MemberRef{ID: strings.Repeat("0c", 20), Name: "beta"}, Key: make([]byte, 32), Signature: make([]byte, 64)}
	good := x.restartOf("good", func(f *restartFile) { f.add(sig) })
	for name, c := range map[string]struct {
		files []string
		code  int
		says  string
	}{
		"none":          {nil, exitUsage, "name the file"},
		"missing":       {[]string{filepath.Join(x.home, "no")}, exitFailed, "no such file"},
		"another chain": {[]string{x.restartOf("a", func(f *restartFile) { f.Genesis = strings.Repeat("0d", 32) })}, exitFailed, "for the chain with genesis block"},
		"parent":        {[]string{x.restartOf("b", func(f *restartFile) { f.Parent = "x" })}, exitFailed, "parent"},
		"miner":         {[]string{x.restartOf("c", func(f *restartFile) { f.Miners[0].ID = "x" })}, exitFailed, "miner alpha"},
		"unsigned":      {[]string{x.restartOf("d", nil)}, exitFailed, "nobody signed"},
		"short":         {[]string{x.restartOf("e", func(f *restartFile) { f.add(restartSig{MemberRef: sig.MemberRef, Key: sig.Key}) })}, exitFailed, "of beta is damaged"},
		"other miners":  {[]string{good, x.restartOf("f", func(f *restartFile) { f.Miners = append(f.Miners, sig.MemberRef) })}, exitFailed, "different things"},
		"other parent":  {[]string{good, x.restartOf("g", func(f *restartFile) { f.Parent = strings.Repeat("0e", 32) })}, exitFailed, "different things"},
		"no file of it": {[]string{x.write("h", "hello", 0o600)}, exitFailed, "no file of charter restart make"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := x.run(append([]string{"--chain", "acme", "restart", "submit"}, c.files...)...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, %q; want %d and %q", code, stderr, c.code, c.says)
			}
		})
	}
	if code, _, stderr := x.run("--chain", "acme", "restart", "make", "x"); code != exitUsage || !strings.Contains(stderr, "--miners") {
		t.Errorf("without miners: exit code %d, %q", code, stderr)
	}
}

// TestRestartSignatures: copies of a file that were signed apart are one
// certificate; whoever signs twice is in it once.
func TestRestartSignatures(t *testing.T) {
	x := newConsortium(t)
	sign := func(id string, b byte) restartSig {
		return restartSig{MemberRef: client.MemberRef{ID: strings.Repeat(id, 20)}, Key: make([]byte, 32), Signature: append(make([]byte, 63), b)}
	}
	path := x.restartOf("r", func(f *restartFile) {
		f.add(sign("0f", 1))
		f.add(sign("0c", 2))
		f.add(sign("0f", 3))
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f restartFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	d, err := f.decision()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := f.certificate(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.Signers) != 2 || cert.Signers[0].Sig[63] != 2 || cert.Signers[1].Sig[63] != 3 || cert.Parent != d.parent || len(cert.Miners) != 1 {
		t.Errorf("%+v", cert)
	}
}
