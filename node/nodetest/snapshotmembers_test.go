package nodetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSnapshotOfMembers: a member's node that lost its data starts from the
// snapshot of another member's. It has the permissions at once, so the others
// let it in and it lets them in; it mines again once it has checked what lies
// below.
func TestSnapshotOfMembers(t *testing.T) {
	t.Parallel()
	c := newConsortium(t, 3, time.Minute)
	c.start()
	from, m := c.orgs[0], c.orgs[2]
	file := filepath.Join(c.Dir, "coins")
	var dumped struct {
		Height int32  `json:"base_height"`
		Digest string `json:"digest"`
	}
	from.Call("dumptxoutset", &dumped, file)
	for _, org := range c.orgs {
		org.Kill()
	}
	for _, name := range []string{"blocks", "index", "chainstate", "indexes"} {
		if err := os.RemoveAll(filepath.Join(m.Dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	m.Start() // alone
	m.Call("loadtxoutset", nil, file, dumped.Digest)
	expectUnchecked(t, m.Node, dumped.Height, 0)
	m.Kill()
	m.Start()
	expectUnchecked(t, m.Node, dumped.Height, 0)
	expectRefusal(t, m.Node, "started from a UTXO snapshot", "listmembers", dumped.Height)
	m.Call("listmembers", nil, dumped.Height+1)
	for _, org := range c.orgs[:2] {
		org.Start()
	}
	c.Eventually("all is checked", func() error {
		var s chainStates
		m.Call("getchainstates", &s)
		if len(s.States) != 1 || !s.States[0].Validated {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	c.allMine(c.orgs...)
	c.oneChain(dumped.Height+1, c.orgs...)
}
