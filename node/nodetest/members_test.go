package nodetest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
	"github.com/charterchain/charter/wallet/keystore"
)

// org is a member with its node and wallet.
type org struct {
	*Node
	pass    string // passphrase file
	address string // of the wallet, by which it administers
	self    string // of the node's key
	peers   []*org // that it dials
}

// cheap makes opening a wallet cost little.
var cheap = keystore.Params{Passes: 1, MemoryKiB: 8, Lanes: 1}

// consortium is a chain whose members are there from its first block on: all
// administer, mine and have coins.
type consortium struct {
	*Cluster
	params *params.Params
	orgs   []*org
}

// spacing is the time between blocks of chains under test.
const spacing = time.Second

// newConsortium makes the chain with members m1, m2, … and their nodes, which
// are not started.
func newConsortium(t *testing.T, n int, restartDelay time.Duration) *consortium {
	t.Helper()
	c := &consortium{Cluster: New(t)}
	o := params.OpenOptions{Name: "acme", HRP: "acme", Time: uint32(time.Now().Add(-time.Minute).Unix()), OnDemand: true, Spacing: spacing}
	open, err := params.NewOpen(o)
	if err != nil {
		t.Fatal(err)
	}
	c.ChainFile = filepath.Join(c.Dir, "acme.toml")
	spec := params.PermissionedOptions{OpenOptions: o}
	for i := range n {
		m := c.newOrg(fmt.Sprintf("m%d", i+1), open.Address)
		c.orgs = append(c.orgs, m)
		spec.Allocations = append(spec.Allocations, params.Allocation{Address: m.address, Amount: 1000_00000000})
		spec.Members = append(spec.Members, params.Member{
			Name: m.Name, Permissions: []params.Permission{params.PermAdmin}, Keys: []params.MemberKey{
				{Identity: m.address, Roles: []params.Permission{params.PermAdmin, params.RoleManage, params.PermSend, params.PermReceive}},
				{Identity: m.self, Roles: []params.Permission{params.PermConnect}},
				{Identity: c.newKey(m.Node, "miner.key", open.Address), Roles: []params.Permission{params.PermMine}},
			},
		})
	}
	made, err := params.NewPermissioned(spec)
	if err != nil {
		t.Fatal(err)
	}
	changed := *made
	changed.Permissions.RestartDelay = restartDelay
	if c.params, err = params.Build(changed); err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.ChainFile, string(params.Render(c.params)))
	c.mesh()
	return c
}

// newOrg makes a node that mines, its key, and a wallet beside it.
func (c *Cluster) newOrg(name string, prefix params.Address) *org {
	c.t.Helper()
	m := &org{Node: c.prepare(name, "http", "127.0.0.1", "--mine", "--txindex"), pass: filepath.Join(c.Dir, name+".pass")}
	m.self = c.newKey(m.Node, "node.key", prefix)
	if err := os.WriteFile(m.pass, []byte("pw\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	w, err := wallet.Create(wallet.Config{
		Dir: filepath.Join(m.Dir(), "wallets", "default"), FS: wallet.OS(), Rand: rand.Reader, Now: time.Now, KDF: cheap,
		Chain: wallet.Chain{Address: prefix},
	}, []byte("pw"))
	if err != nil {
		c.t.Fatal(err)
	}
	m.address = w.Address
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// newKey makes a key file in a node's folder and returns its address.
func (c *Cluster) newKey(n *Node, name string, prefix params.Address) string {
	c.t.Helper()
	err := os.MkdirAll(n.Dir(), 0o700)
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := keyfile.Create(filepath.Join(n.Dir(), name), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	address, _ := prefix.Encode(keyfile.Script(key))
	return address
}

// mesh has every node dial those after it, and the last one its neighbour, and
// no others.
func (c *consortium) mesh() {
	for i, m := range c.orgs {
		m.peers = slices.Clone(c.orgs[i+1:])
		if len(m.peers) == 0 {
			m.peers = []*org{c.orgs[i-1]}
		}
		for _, p := range m.peers {
			m.args = append(m.args, "--connect", p.at())
		}
	}
}

// at is how others dial an organisation's node.
func (m *org) at() string { return m.self + "@" + m.P2P }

// start starts all nodes at a time, and waits until they know one another and
// mine.
func (c *consortium) start() {
	c.t.Helper()
	for _, m := range c.orgs {
		m.launch()
	}
	for _, m := range c.orgs {
		m.waitRPC()
	}
	c.allMine(c.orgs...)
}

// allMine waits until each of these nodes made one of the last blocks.
func (c *Cluster) allMine(orgs ...*org) {
	c.t.Helper()
	from, _ := orgs[0].Best()
	c.Eventually("all members mine", func() error {
		var status client.MiningStatus
		if err := orgs[0].TryCall("getminingstatus", &status); err != nil {
			return err
		}
		for _, m := range orgs {
			at := slices.IndexFunc(status.Members, func(p client.MinerPresence) bool { return p.Name == m.Name })
			if at < 0 || status.Members[at].LastHeight <= from {
				return fmt.Errorf("%s made no block above %d yet: %+v", m.Name, from, status.Members)
			}
		}
		return nil
	})
}

// pay pays from one organisation to another and returns the transaction's id.
func (m *org) pay(to *org, amount string) string {
	m.c.t.Helper()
	var sent struct {
		TxID string `json:"txid"`
	}
	decode(m.c.t, m.Charter("--json", "wallet", "send", to.address, amount, "--passphrase-file", m.pass), &sent)
	return sent.TxID
}

// govern runs a command that changes members, and returns what it says.
func (m *org) govern(args ...string) string {
	m.c.t.Helper()
	return m.Charter(append(args, "--yes", "--passphrase-file", m.pass)...)
}

// confirmed waits until a node has a transaction this deep in its chain.
func (c *Cluster) confirmed(m *org, txid string, depth int) {
	c.t.Helper()
	c.Eventually(fmt.Sprintf("%s has payment %s %d blocks deep", m.Name, txid, depth), func() error {
		var tx struct {
			Confirmations int `json:"confirmations"`
		}
		if err := m.TryCall("getrawtransaction", &tx, txid, true); err != nil {
			return err
		}
		if tx.Confirmations < depth {
			return fmt.Errorf("%d confirmations", tx.Confirmations)
		}
		return nil
	})
}

// hashAt is the node's block at a height.
func (n *Node) hashAt(height int32) string {
	n.c.t.Helper()
	var hash string
	n.Call("getblockhash", &hash, height)
	return hash
}

func loadParams(t testing.TB, path string) *params.Params {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := params.Load(text, path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sealBy makes a block on a node's best one, by a miner's key, as if all was
// as it should be.
func sealBy(t testing.TB, p *params.Params, n *Node, keyPath string) string {
	t.Helper()
	var tip struct {
		Hash   string `json:"hash"`
		Height int32  `json:"height"`
		Time   int64  `json:"time"`
	}
	_, best := n.Best()
	n.Call("getblockheader", &tip, best)
	key, err := keyfile.Load(keyPath)
	if err != nil {
		t.Fatal(err)
	}
	height := tip.Height + 1
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append(consensus.CoinbaseHeightScript(height), 1, 7),
		Sequence:         wire.MaxTxInSequenceNum - 1,
	})
	coinbase.LockTime = uint32(height) - 1
	coinbase.AddTxOut(wire.NewTxOut(0, []byte{0x6a}))
	seal.AppendPlaceholder(coinbase)
	block := &wire.MsgBlock{Transactions: []*wire.MsgTx{coinbase}}
	block.Header = wire.BlockHeader{Version: 0x20000000, Timestamp: time.Unix(tip.Time, 0).Add(spacing), Bits: p.PoW.Limit}
	if err := chainhash.Decode(&block.Header.PrevBlock, tip.Hash); err != nil {
		t.Fatal(err)
	}
	block.Header.MerkleRoot = coinbase.TxHash()
	if err := seal.SealBlock(p.GenesisHash, block, height, key); err != nil {
		t.Fatal(err)
	}
	chaintest.Solve(&block.Header)
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw.Bytes())
}
