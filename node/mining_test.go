package node

import (
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/node/config"
	"github.com/charterchain/charter/node/keyfile"
)

// TestMiningNeeds: which keys and addresses a node that is to mine asks for.
func TestMiningNeeds(t *testing.T) {
	open, err := LoadChain("dev", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := LoadChain("consortium", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stray := filepath.Join(dir, "stray.key")
	key, err := keyfile.Create(stray, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	readable := filepath.Join(dir, "readable.key")
	if err := os.WriteFile(readable, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		chain  *params.Params
		cfg    config.Config
		says   string // in the error; "": none
		hasKey bool
	}{
		{"open, not mining", open, config.Config{}, "", false},
		{"open, to nobody", open, config.Config{Mine: true}, "--mine-address", false},
		{"open, no address", open, config.Config{Mine: true, MineAddress: "x"}, "mine-address: ", false},
		{"open, with a key", open, config.Config{MinerKey: stray}, "carry no seals", false},
		{"sealed, not mining", sealed, config.Config{}, "", false},
		{"sealed, no key", sealed, config.Config{Mine: true}, "charter key new", false},
		{"sealed, key named but absent", sealed, config.Config{MinerKey: stray + "x"}, "charter key new", false},
		{"sealed, key that others read", sealed, config.Config{MinerKey: readable}, "chmod 600", false},
		{"sealed, to nobody", sealed, config.Config{Mine: true, MinerKey: stray}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &Node{opts: Options{Config: &tt.cfg, Params: tt.chain, Dir: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
			_, err := n.payout()
			got, keyErr := n.minerKey()
			if err == nil {
				err = keyErr
			}
			if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v; want %q", err, tt.says)
			}
			if (got != nil) != tt.hasKey || got != nil && !got.Key.Equals(&key.Key) {
				t.Errorf("key %v", got)
			}
		})
	}
}

// TestMinerKeyInFolder: without a setting the key lies in the chain's folder.
func TestMinerKeyInFolder(t *testing.T) {
	sealed, err := LoadChain("consortium", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{opts: Options{Config: &config.Config{}, Params: sealed, Dir: t.TempDir()}}
	key, err := keyfile.Create(n.path(minerName), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := n.minerKey(); err != nil || got == nil || !got.Key.Equals(&key.Key) {
		t.Errorf("key %v, %v", got, err)
	}
}
