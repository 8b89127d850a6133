package nodetest

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/utxo/snapshot"
)

// crashConsortium is a chain whose blocks members seal. Who may send and
// receive is open, so that it can carry the payments of the other chains.
func crashConsortium() *chaintest.Consortium {
	return chaintest.NewConsortium(chaintest.ConsortiumOptions{
		Restricted: []string{"mine"}, Permissions: "restart_delay = 61", Subsidy: 50_0000_0000,
	})
}

// govern returns what the members do in the next block on parent, and whether
// that leaves room for payments. Nothing of it breaks a rule where the block is
// not connected at once.
func (x *crashing) govern(parent *offeredBlock) (opts []chaintest.Option, payments bool) {
	if x.net == nil {
		return nil, true
	}
	opts = append(opts, chaintest.Claim(chaintest.AnyoneCanSpend()))
	admins := x.net.Members
	voters := []*chaintest.Member{admins[x.rng.IntN(3)]}
	if other := admins[x.rng.IntN(3)]; other != voters[0] {
		voters = append(voters, other)
	}
	newer := chaintest.NewMember(string(rune('p' + x.rng.IntN(8))))
	perms := []record.Set{record.Send, record.Receive, record.Mine, record.Connect}[x.rng.IntN(4)]
	var r record.Record
	switch dice := x.rng.IntN(10); {
	case dice == 0:
		return append(opts, chaintest.Restart(admins, admins[:2])), false
	case dice < 3:
		r = x.net.Create(newer, record.Send|record.Receive)
	case dice < 6:
		r = x.net.Grant(newer, perms)
	case dice < 7:
		r = x.net.Revoke(newer, perms)
	default:
		return opts, true
	}
	vote := x.net.Vote(voters, r)
	// One that comes to nothing makes its block invalid, which shows at once
	// only on the best one.
	if parent != x.tip {
		trial := &offeredBlock{Block: x.Make(parent.Hash, vote), parent: parent, height: parent.height + 1}
		if x.rule(trial) != "" {
			return opts, true
		}
	}
	return append(opts, vote), true
}

// rule is the rule of permissions that b breaks; empty: none.
func (x *crashing) rule(b *offeredBlock) consensus.Rule {
	if x.net == nil {
		return ""
	}
	_, err := x.judge(b, x.replay(b.parent).perm, x.spentBy(b))
	if rule := consensus.AsRule(err); rule != nil {
		return rule.Rule
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return ""
}

// judge returns who may do what after b.
func (x *crashing) judge(b *offeredBlock, parent *permission.State, spent [][]consensus.Coin) (*permission.State, error) {
	if parent == nil {
		return nil, nil
	}
	_, cert, err := seal.Find(b.Txs[0].Msg)
	if err != nil {
		return nil, err
	}
	if cert != nil {
		after, _, err := parent.Restart(b.height, cert)
		return after, err
	}
	for i, tx := range b.Txs[1:] {
		if err := parent.CheckTx(tx, spent[i], b.height); err != nil {
			return nil, err
		}
	}
	after, _, err := parent.Apply(b.height, b.Txs[1:], spent)
	return after, err
}

// spentBy returns the coins that b spends.
func (x *crashing) spentBy(b *offeredBlock) (spent [][]consensus.Coin) {
	for _, tx := range b.Txs[1:] {
		coins := make([]consensus.Coin, len(tx.Msg.TxIn))
		for i, in := range tx.Msg.TxIn {
			coins[i] = x.coinBelow(b, &in.PreviousOutPoint)
		}
		spent = append(spent, coins)
	}
	return spent
}

// verifyPermissions compares the permissions of the node, and those that it
// makes of its block files alone, with what follows from the blocks.
func (x *crashing) verifyPermissions() {
	x.t.Helper()
	if x.tip.height == 0 {
		return // of which no snapshot can be made
	}
	want := x.replay(x.tip).perm.Hash()
	var files [2][]byte
	for i, n := range []*Node{x.node, x.check} {
		files[i] = x.dump(n)
		var state []byte
		_, err := snapshot.Read(bytes.NewReader(files[i]), snapshot.Identity{Genesis: x.Params.GenesisHash, Rules: x.Params.RulesHash}, snapshot.Handler{
			Section: func(s snapshot.Section) error {
				if s.Type == snapshot.TypePermissions {
					state = bytes.Clone(s.Data)
				}
				return nil
			},
		})
		if err != nil {
			x.t.Fatal(err)
		}
		got, err := permission.Decode(x.Params, state)
		if err != nil {
			x.t.Fatal(err)
		}
		if got.Hash() != want {
			x.t.Errorf("%s has permissions %x at height %d, the blocks lead to %x", n.Name, got.Hash(), x.tip.height, want)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		x.t.Error("the node and its rebuilt copy write different snapshots")
	}
}

// dump returns the UTXO snapshot of a node.
func (x *crashing) dump(n *Node) []byte {
	x.t.Helper()
	path := filepath.Join(x.c.Dir, n.Name+".coins")
	n.Call("dumptxoutset", nil, path)
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return data
}
