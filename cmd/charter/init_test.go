package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/params"
)

// runInit calls charter init and returns its exit code and outputs.
func runInit(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"init", "--open"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func loadFile(t *testing.T, path string) *params.Params {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := params.Load(data, path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInitWritesAChainFile(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := runInit(t, "acme", "--on-demand", "--spacing", "10s", "--port", "9000", "--hrp", "ac", "--message", "hello")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	p := loadFile(t, "acme.toml")
	if p.Name != "acme" || !p.PoW.OnDemand || p.PoW.Spacing.Seconds() != 10 || p.Network.DefaultPort != 9000 ||
		p.Address.Bech32HRP != "ac" || p.Genesis.Message != "hello" || p.Genesis.Time == 0 {
		t.Errorf("%+v", p)
	}
	for _, part := range []string{
		"Wrote acme.toml", p.GenesisHash.String(), "ac1", "charterd --chain acme.toml\n", "charter --chain acme.toml wallet create\n",
		"charter --chain acme.toml rpc generatetoaddress 101 ADDRESS\n",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("the output lacks %q:\n%s", part, stdout)
		}
	}
}

func TestInitJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.toml")
	code, stdout, stderr := runInit(t, "acme", "--on-demand", "--json", "--out", path)
	if code != exitOK {
		t.Fatal(stderr)
	}
	var got initResult
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	p := loadFile(t, path)
	if got.Chain != "acme" || got.File != path || got.GenesisHash != p.GenesisHash.String() || got.Bech32HRP != "acme" || got.Port != 8430 {
		t.Errorf("%+v", got)
	}
}

func TestInitAllocates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.toml")
	addr, _ := params.Address{Bech32HRP: "acme"}.Encode(append([]byte{0x00, 0x14}, make([]byte, 20)...))
	code, _, stderr := runInit(t, "acme", "--on-demand", "--out", path, "--allocate", addr+"=30000000.5", "--allocate", addr+"=0.00000001")
	if code != exitOK {
		t.Fatal(stderr)
	}
	coins := loadFile(t, path).GenesisCoins()
	if len(coins) != 2 || coins[0].Amount != 3_000_000_050_000_000 || coins[1].Amount != 1 {
		t.Errorf("%+v", coins)
	}
}

func TestInitNeverOverwritesSilently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := runInit(t, "acme", "--on-demand", "--out", path)
	if code != exitFailed || !strings.Contains(stderr, "--force") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("the file is %q now (%v)", data, err)
	}
	if code, _, stderr = runInit(t, "acme", "--on-demand", "--out", path, "--force"); code != exitOK {
		t.Fatal(stderr)
	}
	loadFile(t, path)
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("left over: %v (%v)", names, err)
	}
}

func TestInitUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"no name", nil, "one argument"},
		{"two names", []string{"a", "b"}, "(2 given)"},
		{"bad name", []string{"A b"}, "a-z"},
		{"algorithm", []string{"a", "--algorithm", "x"}, "fixed, asert or bitcoin"},
		{"spacing of half a second", []string{"a", "--spacing", "500ms"}, "whole seconds"},
		{"spacing 0", []string{"a", "--spacing", "0s"}, "whole seconds"},
		{"hrp", []string{"a", "--on-demand", "--hrp", "A1"}, "without 1"},
		{"no amount", []string{"a", "--allocate", "x"}, "ADDRESS=AMOUNT"},
		{"bad amount", []string{"a", "--allocate", "x=1e5"}, "1e5"},
		{"bad address", []string{"a", "--on-demand", "--allocate", "x=1"}, "address"},
		{"unknown flag", []string{"a", "--x"}, "--x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := runInit(t, tt.args...)
			if code != exitUsage || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, %q; want it to say %q", code, stderr, tt.says)
			}
		})
	}
	if files, err := os.ReadDir("."); err != nil || len(files) != 0 {
		t.Errorf("written all the same: %v (%v)", files, err)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"a.toml": "a.toml", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'"} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
