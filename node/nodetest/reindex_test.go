package nodetest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

// TestExportAndReindex copies a chain by file, and makes the databases of the
// copy again, one after a bit in it was flipped.
func TestExportAndReindex(t *testing.T) {
	c := New(t)
	c.ChainFile = filepath.Join(c.Dir, "test.toml")
	if err := os.WriteFile(c.ChainFile, []byte(chaintest.ChainFile), 0o600); err != nil {
		t.Fatal(err)
	}
	a := c.Node("a")
	p := chaintest.Params(chaintest.ChainFile)
	to, ok := p.Address.Encode(chaintest.AnyoneCanSpend())
	if !ok {
		t.Fatal("no address")
	}
	a.Call("generatetoaddress", nil, 150, to)
	var want coinSet
	a.Call("gettxoutsetinfo", &want, "muhash")

	file := filepath.Join(c.Dir, "blocks.dat")
	if out := a.Charter("export", file); !strings.Contains(out, "151 blocks") {
		t.Errorf("export: %s", out)
	}
	same := func(n *Node, what string) {
		t.Helper()
		c.Eventually(what, func() error {
			if height, _ := n.Best(); height != want.Height {
				return fmt.Errorf("at height %d", height)
			}
			return nil
		})
		var got coinSet
		n.Call("gettxoutsetinfo", &got, "muhash")
		if got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	b := c.Node("b", "--loadblock", file)
	same(b, "loaded from the file")
	b.args = b.args[:len(b.args)-2]
	for _, flag := range []string{"--reindex", "--reindex-chainstate"} {
		b.Stop()
		b.startWith(flag)
		same(b, "after "+flag)
		c.Eventually("ready", func() error {
			reply, err := http.Get(b.Metrics + "/readyz")
			if err != nil {
				return err
			}
			defer reply.Body.Close()
			if reply.StatusCode != http.StatusOK {
				return fmt.Errorf("status %s", reply.Status)
			}
			return nil
		})
	}
	b.Stop()
	damage(t, filepath.Join(b.Dir(), "chainstate", "MANIFEST-*"))
	stderr, err := c.TryCharterd(b.args...)
	if err == nil || !strings.Contains(stderr, "--reindex-chainstate") {
		t.Errorf("a damaged manifest: %v: %s", err, stderr)
	}
	b.startWith("--reindex-chainstate")
	same(b, "after damage")
}

// damage flips a bit in the middle of the file that matches.
func damage(t *testing.T, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(names[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
}
