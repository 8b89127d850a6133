package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
	"github.com/charterchain/charter/wallet/keystore"
	"github.com/charterchain/charter/wallet/wallettest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// world is a home folder with a development chain as `charterd dev` makes
// it, and a scripted node that serves it over HTTP.
type world struct {
	t    *testing.T
	home string
	dev  string // the development chain's folder
	node *wallettest.Node
	url  string
	addr string // first address of the development wallet
	rand *rand.ChaCha8

	stdin      string
	transcript strings.Builder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	x := &world{t: t, home: t.TempDir(), rand: rand.NewChaCha8([32]byte{1})}
	x.dev = filepath.Join(x.home, ".charter", "dev")
	x.write(".charter/dev/wallet.pass", "swordfish\n", 0o600)
	e := x.env()
	spec := params.OpenOptions{Name: "dev", HRP: "dev", Time: wallettest.Start, OnDemand: true}
	p, err := params.NewOpen(spec)
	if err != nil {
		t.Fatal(err)
	}
	made, err := wallet.Create(wallet.Config{
		Dir: filepath.Join(x.dev, "wallet"), FS: e.disk, Rand: e.rand, Now: e.now, KDF: e.kdf,
		Chain: wallet.Chain{Address: p.Address},
	}, []byte("swordfish"))
	if err != nil {
		t.Fatal(err)
	}
	x.addr = made.Address
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	spec.Allocations = []params.Allocation{{Address: x.addr, Amount: 1000 * 100_000_000}}
	if p, err = params.NewOpen(spec); err != nil {
		t.Fatal(err)
	}
	x.write(".charter/dev/chain.toml", string(params.Render(p)), 0o644)
	x.useGenesis(p.GenesisBlock)
	server := httptest.NewServer(http.HandlerFunc(x.serve))
	t.Cleanup(server.Close)
	x.url = server.URL
	x.write(".charter/dev/rpc", x.url+"\n", 0o644)
	x.write(".charter/dev/.cookie", "__cookie__:crumbs", 0o600)
	return x
}

// useGenesis makes the node one of another chain.
func (x *world) useGenesis(b *wire.MsgBlock) {
	x.node = wallettest.NewOn(func(code int, message string) error {
		return &client.RPCError{Code: code, Message: message}
	}, b)
}

// serve answers JSON-RPC by the scripted node.
func (x *world) serve(w http.ResponseWriter, r *http.Request) {
	if user, pass, _ := r.BasicAuth(); user != "__cookie__" || pass != "crumbs" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var req struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params []any           `json:"params"`
	}
	dec := json.NewDecoder(r.Body)
	dec.UseNumber()
	if err := dec.Decode(&req); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	reply := map[string]any{"jsonrpc": "2.0", "id": req.ID}
	var result json.RawMessage
	err := x.node.Call(r.Context(), req.Method, req.Params, &result)
	var refusal *client.RPCError
	switch {
	case errors.As(err, &refusal):
		reply["error"] = refusal
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
		return
	default:
		reply["result"] = result
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// write makes a file below the home folder.
func (x *world) write(name, text string, mode os.FileMode) string {
	x.t.Helper()
	path := filepath.Join(x.home, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return path
}

// env is the outside world of one run.
func (x *world) env() *env {
	e := newEnv(strings.NewReader(x.stdin), nil, nil)
	e.home = func() (string, error) { return x.home, nil }
	e.now = func() time.Time { return time.Unix(wallettest.Start+600, 0) }
	e.rand = x.rand
	e.kdf = keystore.Params{Passes: 1, MemoryKiB: 8, Lanes: 1}
	return e
}

// run carries out a command line.
func (x *world) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	e := x.env()
	e.stdout, e.stderr = &out, &errs
	code = e.run(context.Background(), args)
	return code, out.String(), errs.String()
}

// show carries out a command line and writes it down with all it says.
func (x *world) show(args ...string) {
	code, stdout, stderr := x.run(args...)
	fmt.Fprintf(&x.transcript, "$ charter %s\n%s", strings.Join(args, " "), stdout)
	for line := range strings.Lines(stderr) {
		fmt.Fprintf(&x.transcript, "! %s", line)
	}
	if code != 0 {
		fmt.Fprintf(&x.transcript, "[exit %d]\n", code)
	}
	x.transcript.WriteString("\n")
}

// note writes down what happened between commands.
func (x *world) note(text string) { fmt.Fprintf(&x.transcript, "# %s\n\n", text) }

// golden compares what was written down with a file.
func (x *world) golden(name string) {
	x.t.Helper()
	got := strings.ReplaceAll(x.transcript.String(), x.home, "/home/user")
	got = strings.ReplaceAll(got, x.url, "http://node")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			x.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		x.t.Fatal(err)
	}
	if got != string(want) {
		x.t.Errorf("output differs from %s (run the test with -update to take it over):\n%s", path, got)
	}
}

// must carries out a command line that has to work, and returns what it
// prints.
func (x *world) must(args ...string) string {
	x.t.Helper()
	code, stdout, stderr := x.run(args...)
	if code != 0 {
		x.t.Fatalf("charter %s: exit %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}
