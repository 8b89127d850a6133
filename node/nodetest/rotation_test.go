package nodetest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/rpc/client"
)

// The procedures of chain/permission/README.md, as their operators carry
// them out. Their commands stand there.

// addOwn has a member add a key to itself, and waits until that holds.
func (c *consortium) addOwn(m *org, card string) {
	c.t.Helper()
	m.govern("key", "add", m.Name, card)
	c.settleRecords(m)
}

// keysOf lists the addresses by which a member acts.
func (m *org) keysOf(name string) []string {
	m.c.t.Helper()
	var v client.Member
	m.Call("getmember", &v, name)
	var list []string
	for _, k := range v.Keys {
		list = append(list, k.Address)
	}
	return list
}

// redial has the others dial a node by the identity that it has now.
func (c *consortium) redial(m *org, old string) {
	c.t.Helper()
	for _, o := range c.orgs {
		if slices.Contains(o.peers, m) {
			o.Call("addnode", nil, old+"@"+m.P2P, "remove")
			o.Call("addnode", nil, m.at(), "add")
		}
	}
}

// newKeyFile makes a key in the folder of a node.
func (m *org) newKeyFile(name string) (path, address string) {
	m.c.t.Helper()
	path = filepath.Join(m.Dir(), name)
	var made struct{ Address string }
	decode(m.c.t, m.Charter("--json", "key", "new", path), &made)
	return path, made.Address
}

// TestRotation replaces a member's node key, its miner's key and its only
// administering key, while the chain goes on.
func TestRotation(t *testing.T) {
	t.Parallel()
	c := newConsortium(t, 3, time.Minute)
	c.start()
	m1, m2 := c.orgs[0], c.orgs[1]
	old := m2.keysOf("m2")

	// The node's key and the miner's: new ones are added, the node starts
	// again with them, the old ones are removed.
	nodeFile, node := m2.newKeyFile("node.key.new")
	minerFile, miner := m2.newKeyFile("miner.key.new")
	c.addOwn(m2, m2.card("--file", nodeFile, "--member", "m2", "--roles", "connect"))
	c.addOwn(m2, m2.card("--file", minerFile, "--member", "m2", "--roles", "mine"))
	m2.Stop()
	for _, name := range []string{"node.key", "miner.key"} {
		if err := os.Rename(filepath.Join(m2.Dir(), name+".new"), filepath.Join(m2.Dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	before := m2.self
	m2.self = node
	m2.Start()
	c.redial(m2, before)
	c.allMine(c.orgs...)

	// The administering key: that of a new wallet is added, by which the
	// member removes the others.
	var made struct{ Address string }
	decode(t, m2.Charter("--json", "wallet", "create", "--wallet", "next", "--passphrase-file", m2.pass), &made)
	c.addOwn(m2, m2.card("--wallet", "next", "--member", "m2", "--roles", "admin,manage,send,receive"))
	paid := jsonField(t, m2.Charter("--json", "wallet", "send", made.Address, "1000", "--passphrase-file", m2.pass), "txid")
	c.confirmed(m2, paid, 1)
	for _, address := range old {
		m2.govern("key", "remove", "m2", address, "--wallet", "next")
		c.settleRecords(m2)
	}
	if got, want := m2.keysOf("m2"), []string{node, miner, made.Address}; len(got) != 3 || !sameSet(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	_, out, err := c.TryCharter(append(m2.Flags(), "member", "rename", "m3", "other", "--yes", "--passphrase-file", m2.pass)...)
	expectFailure(t, out, err, 1, "no key of this wallet governs")
	m2.govern("member", "rename", "m3", "third", "--wallet", "next")
	c.settleRecords(m2)
	m1.govern("member", "rename", "m3", "third")
	c.settleRecords(m1)
	c.Eventually("the new key's vote counts", func() error { return m1.TryCall("getmember", nil, "third") })
	c.orgs[2].Name = "third"
	c.allMine(c.orgs...)
	c.confirmed(c.orgs[2], m2.payFrom("next", m1, "7"), 1)
}

// TestRecovery: a member that has lost all its keys gets new ones by the votes
// of the others, and removes the old ones itself.
func TestRecovery(t *testing.T) {
	t.Parallel()
	c := newConsortium(t, 3, time.Minute)
	c.start()
	m1, m2, m3 := c.orgs[0], c.orgs[1], c.orgs[2]
	old := m1.keysOf("m3")
	var member client.Member
	m1.Call("getmember", &member, "m3")
	m3.Kill()
	if err := os.RemoveAll(m3.Dir()); err != nil {
		t.Fatal(err)
	}

	line := strings.TrimSpace(m1.Charter("join", "--show"))
	join := func(more ...string) string {
		t.Helper()
		return c.Charter(append([]string{"join", line, "--member", member.ID, "--datadir", m3.DataDir}, more...)...)
	}
	var got struct{ Identity, Card string }
	decode(t, join("--no-wait", "--json"), &got)
	before := m3.self
	m3.self, m3.address = got.Identity, createWallet(t, m3.Node, m3.pass)
	m3.newKeyFile("miner.key")
	cards := []string{
		got.Card,
		m3.card("--member", member.ID, "--roles", "admin,manage,send,receive"),
		m3.card("--miner", "--member", member.ID, "--roles", "mine"),
	}
	for _, card := range cards {
		for _, m := range []*org{m1, m2} {
			m.govern("key", "add", "m3", card)
			c.settleRecords(m)
			c.oneChain(highest(c.orgs[:2]), m1, m2)
		}
	}
	if out := join(); !strings.Contains(out, "Let in") {
		t.Errorf("join says: %s", out)
	}
	m3.Start()
	c.redial(m3, before)
	c.allMine(c.orgs...)
	for _, address := range old {
		m3.govern("key", "remove", "m3", address)
		c.settleRecords(m3)
	}
	if keys := m3.keysOf("m3"); len(keys) != 3 || slices.ContainsFunc(old, func(a string) bool { return slices.Contains(keys, a) }) {
		t.Errorf("keys %q, old ones %q", keys, old)
	}
	c.confirmed(m3, m1.pay(m3, "5"), 1)
}

// payFrom is pay from another wallet.
func (m *org) payFrom(wallet string, to *org, amount string) string {
	m.c.t.Helper()
	return jsonField(m.c.t, m.Charter("--json", "wallet", "send", to.address, amount, "--wallet", wallet, "--passphrase-file", m.pass), "txid")
}

func jsonField(t testing.TB, text, name string) string {
	t.Helper()
	var fields map[string]any
	decode(t, text, &fields)
	value, _ := fields[name].(string)
	return value
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
