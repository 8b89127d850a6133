package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeyNew: a key is made where it is wanted, and never in another's place.
func TestKeyNew(t *testing.T) {
	x := newConsortium(t)
	inFolder := filepath.Join(x.home, ".charter", "acme", "miner.key")
	if out := x.must("--chain", "acme", "key", "new", "--miner"); !strings.Contains(out, inFolder) || !strings.Contains(out, "Address acme1p") {
		t.Errorf("says %q", out)
	}
	made, err := os.ReadFile(inFolder)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(x.home, "own.key")
	x.must("--chain", "acme", "key", "new", own)
	if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the named file: %v, %v", info, err)
	}
	for says, args := range map[string][]string{
		"file already exists":          {"--miner"},
		"needs a file, or --miner":     {},
		"none of the others can be":    {"--miner", "--node"},
		"key new needs a file, or --m": {"--miner", own},
	} {
		if code, _, stderr := x.run(append([]string{"--chain", "acme", "key", "new"}, args...)...); code == 0 || !strings.Contains(stderr, says) {
			t.Errorf("%v: %q", args, stderr)
		}
	}
	if now, err := os.ReadFile(inFolder); err != nil || string(now) != string(made) {
		t.Error("the miner's key was changed")
	}
}

// TestRevokeConnect: who mines or administers may connect all the same.
func TestRevokeConnect(t *testing.T) {
	x := newConsortium(t)
	for perms, note := range map[string]bool{"connect": true, "connect,admin,mine": false} {
		x.says("alpha", "grant", "beta", "connect,mine")
		x.says("beta", "grant", "beta", "connect,mine")
		x.mine()
		out := x.must(x.as("alpha", "revoke", "beta", perms, "--dry-run")...)
		if strings.Contains(out, "beta may connect all the same") != note {
			t.Errorf("revoke %s says %q", perms, out)
		}
	}
}
