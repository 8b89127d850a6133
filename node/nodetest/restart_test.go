package nodetest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/rpc/client"
)

// TestRestart: two of four members that mine are gone and the chain stops.
// Three of the four that administer restart it with the two that are left; the
// others follow when they come back, and mine once they were granted it anew.
func TestRestart(t *testing.T) {
	t.Parallel()
	const delay = 6 * time.Second
	c := newConsortium(t, 4, delay)
	c.start()
	live, gone := side(c.orgs[:2]), side(c.orgs[2:])
	paid := live[0].pay(live[1], "1.5")
	c.confirmed(live[1], paid, 1)
	for _, m := range gone {
		m.Kill()
	}
	stop := c.stalled(live)

	file := filepath.Join(c.Dir, "again.restart")
	out := live[0].Charter("restart", "make", "--miners", "m1,m2", file)
	if !strings.Contains(out, "only m1, m2 mine") || !strings.Contains(out, "It takes 3 of") {
		t.Errorf("make says: %s", out)
	}
	live[0].govern("restart", "sign", file)
	live[1].govern("restart", "sign", file)
	_, out, err := c.TryCharter(append(live[0].Flags(), "restart", "submit", file)...)
	expectFailure(t, out, err, 1, "it takes 3")
	// The third one's node is gone, not its wallet: it signs at another node.
	third := gone[0]
	out = live[1].Charter("restart", "sign", file, "--yes", "--wallet", filepath.Join(third.Dir(), "wallets", "default"), "--passphrase-file", third.pass)
	if !strings.Contains(out, "Signed: 3 of 3") {
		t.Errorf("sign says: %s", out)
	}
	live[0].Charter("restart", "submit", file)

	var tip struct{ Time int64 }
	live[0].Call("getblockheader", &tip, live[0].hashAt(stop))
	c.oneChain(stop+3, live...)
	var first struct {
		Time int64
		Tx   []string
	}
	live[0].Call("getblock", &first, live[0].hashAt(stop+1))
	if first.Time < tip.Time+int64(delay/time.Second) || len(first.Tx) != 1 {
		t.Errorf("the restart block has time %d after %d, and %d transactions", first.Time, tip.Time, len(first.Tx))
	}
	var status client.MiningStatus
	live[0].Call("getminingstatus", &status)
	if status.Mining != 2 || status.Required != 2 {
		t.Errorf("mining status after the restart: %+v", status)
	}

	for _, m := range gone {
		m.launch()
	}
	for _, m := range gone {
		m.waitRPC()
	}
	c.oneChain(highest(live), c.orgs...)
	// Votes of the majority bring one of the old miners back.
	for _, m := range c.orgs[:3] {
		m.govern("grant", "m3", "mine")
		c.settleRecords(m)
	}
	third.govern("ready")
	c.allMine(live[0], live[1], third)
	c.confirmed(gone[1], paid, 3)
}

// settleRecords waits until nothing waits in the node's pool.
func (c *Cluster) settleRecords(m *org) {
	c.t.Helper()
	c.Eventually("the records of "+m.Name+" are in the chain", func() error {
		var pool []string
		m.Call("getrawmempool", &pool)
		if len(pool) > 0 {
			return fmt.Errorf("%d transactions wait", len(pool))
		}
		return nil
	})
}
