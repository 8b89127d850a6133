package nodetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBackup backs up a node under load, with reorganisations and flushes,
// and starts another one from the copy: it is where the backup was or later,
// has the coins that follow from its block files, and catches up.
func TestBackup(t *testing.T) {
	for number, v := range crashVariants() {
		if len(v.flags) == 0 { // blocks and coins are all that it has
			t.Run(fmt.Sprintf("members %t", v.members), func(t *testing.T) { testBackup(t, number) })
		}
	}
}

func testBackup(t *testing.T, number int) {
	c := New(t)
	seed := envNumber(t, "CHARTER_SEED", uint64(time.Now().UnixNano()))
	t.Logf("CHARTER_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	x := newCrashing(c, rng, number)
	for range 30 {
		x.step()
	}

	stop, flushes := make(chan struct{}), rand.New(rand.NewPCG(rng.Uint64(), 0))
	var load sync.WaitGroup
	load.Go(func() { x.flushAgain(stop, flushes) })
	load.Go(func() { x.offerAgain(stop) })
	dir := filepath.Join(c.Dir, "backup")
	var made struct {
		Path   string  `json:"path"`
		Hash   string  `json:"hash"`
		Height int32   `json:"height"`
		Bytes  int64   `json:"bytes"`
		Held   float64 `json:"held"`
		Took   float64 `json:"took"`
	}
	out := x.node.Charter("--json", "backup", dir)
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%+v", made)
	select {
	case <-time.After(200 * time.Millisecond): // blocks beyond the backup
	case <-t.Context().Done():
	}
	close(stop)
	load.Wait()
	if made.Path != dir || made.Bytes == 0 {
		t.Errorf("backup: %+v", made)
	}
	if _, err := os.Stat(filepath.Join(dir, "node.key")); !os.IsNotExist(err) {
		t.Errorf("the key is in the backup: %v", err)
	}
	withKey := filepath.Join(c.Dir, "with-key")
	x.node.Charter("backup", "--with-key", withKey)
	key, err := os.ReadFile(filepath.Join(x.node.Dir(), "node.key"))
	if copied, readErr := os.ReadFile(filepath.Join(withKey, "node.key")); err != nil || readErr != nil || string(copied) != string(key) {
		t.Errorf("the copied key differs: %v, %v", err, readErr)
	}
	if info, err := os.Stat(filepath.Join(withKey, "node.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copied key: %v, %v", info, err)
	}
	_, stderr, err := c.TryCharter(append(x.node.Flags(), "backup", dir)...)
	if err == nil || !strings.Contains(stderr, "not empty") {
		t.Errorf("a second backup in the same folder: %v: %s", err, stderr)
	}
	if _, stderr, err = c.TryCharter(append(x.node.Flags(), "backup", filepath.Join(x.node.Dir(), "b"))...); err == nil {
		t.Errorf("a backup in the data folder: %s", stderr)
	}

	b := c.prepare("restored", "http", "127.0.0.1")
	if err := os.MkdirAll(b.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, b.Dir()); err != nil {
		t.Fatal(err)
	}
	b.Start()
	c.Eventually("the restored node is where the backup was", func() error {
		if height, _ := b.Best(); height < made.Height {
			return fmt.Errorf("at height %d of %d", height, made.Height)
		}
		return nil
	})
	var restored, rebuilt, caughtUp, original coinSet
	b.Call("gettxoutsetinfo", &restored, "muhash")
	if tip := x.blocks[restored.BestBlock]; tip == nil || tip.bad || tip.height != restored.Height {
		t.Errorf("the restored node is at %+v, no block that was accepted", restored)
	}
	b.Stop()
	b.startWith("--reindex-chainstate")
	c.Eventually("the coins are made again", func() error {
		if height, _ := b.Best(); height < restored.Height {
			return fmt.Errorf("at height %d of %d", height, restored.Height)
		}
		return nil
	})
	b.Call("gettxoutsetinfo", &rebuilt, "muhash")
	if rebuilt != restored {
		t.Errorf("the backup had %+v, its blocks say %+v", restored, rebuilt)
	}
	b.Call("addnode", nil, x.node.P2P, "add")
	x.node.Call("gettxoutsetinfo", &original, "muhash")
	c.SameTip(original.Height, x.node, b)
	b.Call("gettxoutsetinfo", &caughtUp, "muhash")
	if caughtUp != original {
		t.Errorf("the restored node came to %+v, the original has %+v", caughtUp, original)
	}
	if !bytes.Equal(x.dump(b), x.dump(x.node)) { // permissions are in it too
		t.Error("the restored node and the original write different snapshots")
	}
}
