package node

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/wallet/keystore"
)

// cheapDev is OpenDev with key files that cost next to nothing.
func cheapDev(dir string, reset bool) (*Dev, error) {
	return openDev(dir, reset, time.Now, rand.Reader, keystore.Params{Passes: 1, MemoryKiB: 8, Lanes: 1})
}

// firstRun makes a development chain, as `charterd dev` with a node that
// stored something.
func firstRun(t *testing.T) *Dev {
	t.Helper()
	dev, err := cheapDev(filepath.Join(t.TempDir(), "dev"), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dev.Dir, blocksName), 0o700); err != nil {
		t.Fatal(err)
	}
	return dev
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files lists what lies in dir, in one line.
func files(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestDevGoesOn(t *testing.T) {
	dev := firstRun(t)
	if !dev.Created {
		t.Error("the first run made no chain")
	}
	again, err := cheapDev(dev.Dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if again.Created || again.Params.GenesisHash != dev.Params.GenesisHash || again.Miner != dev.Miner {
		t.Errorf("the second run has %v and %s (made: %v), the first had %v and %s", again.Params.GenesisHash,
			again.Miner, again.Created, dev.Params.GenesisHash, dev.Miner)
	}
}

func TestDevReset(t *testing.T) {
	dev := firstRun(t)
	again, err := cheapDev(dev.Dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Created || again.Params.GenesisHash == dev.Params.GenesisHash || again.Miner == dev.Miner {
		t.Errorf("made %v, genesis %v, address %s", again.Created, again.Params.GenesisHash, again.Miner)
	}
	if _, err := os.Stat(filepath.Join(dev.Dir, blocksName)); err == nil {
		t.Error("the blocks are still there")
	}
}

// An interrupted first run leaves any of these behind; the next one begins
// again.
func TestDevInterruptedFirstRun(t *testing.T) {
	for _, left := range [][]string{
		{}, {"charter-dev.new"}, {"charter-dev"}, {"charter-dev", "lock", "wallet.pass.new"},
		{"charter-dev", "lock", "wallet.pass", "wallet/wallet.keys", "wallets/miner/wallet.state.new"},
		{"charter-dev", "lock", "wallet.pass", "wallet/wallet.keys", "wallets/miner/wallet.keys", "mine-address", "chain.toml.new"},
	} {
		t.Run(strings.Join(left, " "), func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range left {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, name), "half")
			}
			dev, err := cheapDev(dir, false)
			if err != nil || !dev.Created {
				t.Fatalf("%+v, %v", dev, err)
			}
		})
	}
}

// What is refused changes nothing.
func TestDevRefuses(t *testing.T) {
	foreign := func(t *testing.T) string {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "precious"), "x")
		return dir
	}
	running := func(t *testing.T) string {
		dir := firstRun(t).Dir
		lock, err := store.Lock(store.OS(), dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { lock.Close() })
		return dir
	}
	without := func(name string) func(t *testing.T) string {
		return func(t *testing.T) string {
			dir := firstRun(t).Dir
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			return dir
		}
	}
	file := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "x")
		return path
	}
	tests := []struct {
		name  string
		dir   func(t *testing.T) string
		reset bool
		want  string
	}{
		{"a folder of somebody else's", foreign, false, "was not made by `charterd dev`"},
		{"reset of a folder of somebody else's", foreign, true, "--reset deletes nothing"},
		{"reset while a node runs", running, true, "in use by process"},
		{"no chain file, but blocks", without(chainFileName), false, "blocks is there: put it back, or start over with --reset"},
		{"no address to mine to", without(devMinerFile), false, devMinerFile},
		{"a file", file, false, "not a directory"},
		{"reset of a file", file, true, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir(t)
			before := files(t, filepath.Dir(dir))
			_, err := cheapDev(dir, tt.reset)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if after := files(t, filepath.Dir(dir)); after != before {
				t.Errorf("there were %s, now there are %s", before, after)
			}
		})
	}
}

func TestDevDamagedMineAddress(t *testing.T) {
	dev := firstRun(t)
	write(t, filepath.Join(dev.Dir, devMinerFile), dev.Miner[:30])
	if _, err := cheapDev(dev.Dir, false); err == nil || !strings.Contains(err.Error(), devMinerFile) {
		t.Errorf("error %v does not name the file", err)
	}
}

// A reset that was cut short is not taken for a chain.
func TestDevInterruptedReset(t *testing.T) {
	dev := firstRun(t)
	for _, name := range []string{chainFileName, devMinerFile} {
		if err := os.Remove(filepath.Join(dev.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cheapDev(dev.Dir, false); err == nil || !strings.Contains(err.Error(), "--reset") {
		t.Errorf("error %v", err)
	}
	if again, err := cheapDev(dev.Dir, true); err != nil || !again.Created {
		t.Errorf("the reset cannot be repeated: %v", err)
	}
}
