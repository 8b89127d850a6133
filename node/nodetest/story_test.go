package nodetest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/rpc/client"
)

// story is a chain that one member founds and others join.
type story struct {
	*Cluster
	params  *params.Params
	founder *org
}

// found makes the chain and starts its first node.
func found(t *testing.T) *story {
	t.Helper()
	s := &story{Cluster: New(t)}
	pass := passphraseFile(t, "pw")
	s.ChainFile = filepath.Join(s.Dir, "acme.toml")
	n := s.prepare("alpha", "http", "127.0.0.1", "--mine", "--txindex")
	var made struct {
		Founder struct{ Identity, Node string }
	}
	decode(t, s.Charter("init", "acme", "--founder", "alpha", "--spacing", "1s", "--json",
		"--out", s.ChainFile, "--datadir", n.DataDir, "--passphrase-file", pass), &made)
	s.params = loadParams(t, s.ChainFile)
	s.founder = &org{Node: n, pass: pass, address: made.Founder.Identity, self: made.Founder.Node}
	n.Start()
	return s
}

// join prepares the node of a new member, and returns the card of its key.
func (s *story) join(name string) (m *org, card string) {
	s.t.Helper()
	line := strings.TrimSpace(s.founder.Charter("join", "--show"))
	m = &org{Node: s.prepare(name, "http", "127.0.0.1", "--txindex"), pass: s.founder.pass}
	m.args[slices.Index(m.args, "--chain")+1] = "acme" // by name: the folder has it all
	var got struct{ Identity, Card string }
	decode(s.t, s.Charter("join", line, "--name", name, "--no-wait", "--json", "--datadir", m.DataDir), &got)
	m.self = got.Identity
	return m, got.Card
}

// enterRunning starts a node that is not let in yet; it waits, and says so.
func (s *story) enterRunning(m *org, card string) {
	s.t.Helper()
	m.Start()
	s.refused(m)
	s.govern(s.founder, "grant", card, "connect,send,receive")
	line := strings.TrimSpace(s.founder.Charter("join", "--show"))
	if out := s.Charter("join", line, "--name", m.Name, "--datadir", m.DataDir); !strings.Contains(out, "has caught up") {
		s.t.Errorf("join beside the node says: %s", out)
	}
}

// enter waits until the node is let in, and starts it.
func (s *story) enter(m *org) {
	s.t.Helper()
	line := strings.TrimSpace(s.founder.Charter("join", "--show"))
	if out := s.Charter("join", line, "--name", m.Name, "--datadir", m.DataDir); !strings.Contains(out, "Let in") {
		s.t.Errorf("join says: %s", out)
	}
	m.Start()
	if out := s.Charter("join", line, "--name", m.Name, "--datadir", m.DataDir); !strings.Contains(out, "has caught up") {
		s.t.Errorf("join beside the node says: %s", out)
	}
}

// equip makes a wallet for a member, with a key by which it governs and pays,
// which the founder adds.
func (s *story) equip(m *org, roles string) {
	s.t.Helper()
	m.address = createWallet(s.t.(*testing.T), m.Node, m.pass)
	s.keep(m, m.card("--roles", roles, "--member", m.Name))
}

// keep has the founder add a key to a member, and waits until it is there.
func (s *story) keep(m *org, card string) {
	s.t.Helper()
	s.founder.govern("key", "add", m.Name, card)
	s.settleRecords(s.founder)
}

func (m *org) card(args ...string) string {
	m.c.t.Helper()
	return strings.TrimSpace(m.Charter(append([]string{"key", "card", "--passphrase-file", m.pass}, args...)...))
}

// member is what a node says of a member as it judges the block at a height;
// 0: the next one.
func (m *org) member(name string, height int32) client.Member {
	m.c.t.Helper()
	var v client.Member
	args := []any{name}
	if height > 0 {
		args = append(args, height)
	}
	m.Call("getmember", &v, args...)
	return v
}

func holds(m client.Member, perm string) bool {
	return slices.ContainsFunc(m.Permissions, func(p client.Permission) bool { return p.Permission == perm && p.InForce })
}

// since is the first height at which a member holds a permission, or holds it
// no longer.
func (s *story) since(name, perm string, want bool) int32 {
	s.t.Helper()
	best, _ := s.founder.Best()
	height := best + 1
	for height > 1 && holds(s.founder.member(name, height-1), perm) == want {
		height--
	}
	return height
}

// height of the block that holds a transaction.
func (s *story) heightOf(txid string) int32 {
	s.t.Helper()
	var tx struct{ BlockHash string }
	var block struct{ Height int32 }
	s.Eventually("transaction "+txid+" is in a block", func() error {
		if err := s.founder.TryCall("getrawtransaction", &tx, txid, true); err != nil {
			return err
		}
		if tx.BlockHash == "" {
			return fmt.Errorf("it waits")
		}
		return nil
	})
	s.founder.Call("getblockheader", &block, tx.BlockHash)
	return block.Height
}

// govern runs a command that changes members, waits until it is in the chain,
// and returns the height.
func (s *story) govern(m *org, args ...string) int32 {
	s.t.Helper()
	var sent struct {
		TxID string `json:"txid"`
	}
	decode(s.t, m.govern(append(args, "--json")...), &sent)
	return s.heightOf(sent.TxID)
}

// TestMembers is how members come and go, from the first command on: a chain
// that one founds and four join; votes; miners that are granted and revoked.
func TestMembers(t *testing.T) {
	t.Parallel()
	s := found(t)
	alpha := s.founder
	orgs := make(map[string]*org)
	for _, name := range []string{"beta", "gamma", "delta", "epsilon"} {
		m, card := s.join(name)
		orgs[name] = m
		if name == "epsilon" {
			s.enterRunning(m, card)
			continue
		}
		s.govern(alpha, "grant", card, "connect,send,receive")
	}
	beta, gamma, delta, epsilon := orgs["beta"], orgs["gamma"], orgs["delta"], orgs["epsilon"]
	for _, m := range []*org{beta, gamma, delta} {
		s.enter(m)
	}
	s.stranger()

	for _, m := range []*org{beta, gamma} {
		s.equip(m, "admin,manage,send,receive")
	}
	s.equip(delta, "manage,send,receive")
	s.govern(alpha, "grant", "beta", "admin")
	s.govern(alpha, "grant", "gamma", "admin")
	s.govern(beta, "grant", "gamma", "admin")

	s.twoOfThree(beta, delta)
	s.paysAcross(beta)
	s.miner(delta)
	s.revokedMiner(beta, delta, []*org{alpha, beta, gamma, delta, epsilon})
	s.revokedNode(epsilon)
}

// stranger: a node without permission is refused, both sides say so, and it
// goes on waiting.
func (s *story) stranger() {
	t := s.t
	t.Helper()
	m, _ := s.join("stranger")
	m.Start()
	s.refused(m)
	var peers int
	m.Call("getconnectioncount", &peers)
	if height, _ := m.Best(); peers != 0 || height != 0 {
		t.Errorf("a stranger has %d peers and block %d", peers, height)
	}
	if log := s.founder.log.String(); !strings.Contains(log, "peer refused") || !strings.Contains(log, m.self) {
		t.Error("the node that refused it does not say so in its log")
	}
	m.Stop()
}

// refused waits until a node knows why it is not let in.
func (s *story) refused(m *org) {
	s.t.Helper()
	s.Eventually(m.Name+" knows that it is refused", func() error {
		var info client.JoinInfo
		m.Call("getjoininfo", &info)
		if len(info.RefusedBy) == 0 {
			return fmt.Errorf("no word of it")
		}
		if problem := info.RefusedBy[0].Problem; !strings.Contains(problem, "ask an administrator") || !strings.Contains(problem, m.self) {
			s.t.Errorf("%s is told: %s", m.Name, problem)
		}
		return nil
	})
}

// twoOfThree: what two of three administrators decide holds from the block
// after the one that completes it, and one of them decides nothing.
func (s *story) twoOfThree(beta, delta *org) {
	t := s.t
	t.Helper()
	first := s.govern(s.founder, "grant", "delta", "mine")
	s.waitHeight(first + 1)
	if holds(s.founder.member("delta", 0), "mine") {
		t.Error("one of three administrators granted mine")
	}
	out := s.founder.Charter("permissions", "--pending")
	if !strings.Contains(out, "delta") {
		t.Errorf("open votes: %s", out)
	}
	second := s.govern(beta, "grant", "delta", "mine")
	s.waitHeight(second + 1)
	if from := s.since("delta", "mine", true); from != second+1 {
		t.Errorf("completed in block %d, holds from block %d", second, from)
	}
}

// waitHeight waits until the founder's node has a block at a height.
func (s *story) waitHeight(height int32) {
	s.t.Helper()
	s.Eventually(fmt.Sprintf("block %d", height), func() error {
		if best, _ := s.founder.Best(); best < height {
			return fmt.Errorf("at height %d", best)
		}
		return nil
	})
}

// paysAcross: the founder pays a member, which pays back.
func (s *story) paysAcross(to *org) {
	s.t.Helper()
	s.confirmed(to, s.founder.pay(to, "100"), 1)
	s.confirmed(s.founder, to.pay(s.founder, "25"), 1)
}

// miner: a member that was granted mine adds its miner's key by itself, says
// that it runs, and mines.
func (s *story) miner(m *org) {
	t := s.t
	t.Helper()
	m.Charter("key", "new", filepath.Join(m.Dir(), "miner.key"))
	s.govern(m, "key", "add", m.Name, m.card("--miner", "--roles", "mine", "--member", m.Name))
	m.Stop()
	m.args = append(m.args, "--mine")
	m.Start()
	if s.founder.member(m.Name, 0).Mining.Active {
		t.Error("a miner is active that never said that it runs")
	}
	s.govern(m, "ready")
	s.allMine(s.founder, m)
}

// revokedMiner: blocks of a member that may no longer mine are refused by all.
func (s *story) revokedMiner(beta, m *org, all []*org) {
	t := s.t
	t.Helper()
	s.govern(s.founder, "revoke", m.Name, "mine")
	second := s.govern(beta, "revoke", m.Name, "mine")
	s.waitHeight(second + 1)
	if until := s.since(m.Name, "mine", false); until != second+1 {
		t.Errorf("revoked in block %d, ended with block %d", second, until)
	}
	for _, n := range all {
		s.Eventually(n.Name+" refuses a block of the revoked miner", func() error {
			var answer *string
			n.Call("submitblock", &answer, sealBy(t, s.params, n.Node, filepath.Join(m.Dir(), "miner.key")))
			if answer == nil {
				t.Fatalf("%s took a block of a revoked miner", n.Name)
			}
			if *answer != "seal-not-mining" {
				return fmt.Errorf("the answer is %s", *answer) // another block may have come meanwhile
			}
			return nil
		})
	}
}

// revokedNode: the sessions of a member that may no longer connect end before
// it hears of the next block. The founder activates: for a member that neither
// administers nor mines that is enough.
func (s *story) revokedNode(m *org) {
	t := s.t
	t.Helper()
	revoked := s.govern(s.founder, "revoke", m.Name, "connect")
	s.waitHeight(revoked + 3)
	s.Eventually("the revoked node has no sessions", func() error {
		var peers int
		m.Call("getconnectioncount", &peers)
		if peers > 0 {
			return fmt.Errorf("%d peers", peers)
		}
		return nil
	})
	if height, _ := m.Best(); height > revoked {
		t.Errorf("revoked in block %d, it has block %d", revoked, height)
	}
	if until := s.since(m.Name, "connect", false); until != revoked+1 {
		t.Errorf("revoked in block %d, ended with block %d", revoked, until)
	}
}
