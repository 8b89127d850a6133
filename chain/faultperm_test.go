package chain_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/store/storetest"
)

// newPermFaultScript has the branches of newFaultScript on a chain with
// permissions, which most blocks change: votes that wait, and that another
// branch completes, and a restart.
func newPermFaultScript(t *testing.T) *faultScript {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Permissions: "restart_delay = 61"})
	genesis := consensus.NewBlock(net.Params.GenesisBlock)
	s := &faultScript{vetoed: map[string]bool{"y2": true, "y3": true}, pruneStory: &pruneStory{crashScript: &crashScript{
		maker: net.NewMaker(), blocks: map[string]*consensus.Block{"genesis": genesis},
		names: map[chainhash.Hash]string{genesis.Hash: "genesis"}, parent: map[string]string{},
	}}}
	admins := members(net.Members)
	delta, epsilon := chaintest.NewMember("delta"), chaintest.NewMember("epsilon")
	add := func(name, parent string, opts ...chaintest.Option) {
		b := s.maker.Make(s.blocks[parent].Hash, opts...)
		s.blocks[name], s.names[b.Hash], s.parent[name] = b, name, parent
		s.order = append(s.order, name)
	}
	add("m1", "genesis", net.Vote(admins[:2], net.Create(delta, record.Send|record.Receive), net.Grant(delta, record.Send)))
	add("m2", "m1", net.Vote(admins[:1], net.Grant(delta, record.Mine)))
	add("x1", "m2", net.Vote(admins[1:2], net.Grant(delta, record.Mine)))
	d, _, st := s.start(t)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	s.base = d.Crash(storetest.LoseNothing)
	add("y1", "m2", net.Vote(admins[:1], net.Revoke(delta, record.Send)), net.Vote(admins[:1], net.Create(epsilon, record.Send)))
	add("y2", "y1", chaintest.Restart(admins[:2], admins[1:]))
	add("y3", "y2", net.Vote(admins[2:], net.Grant(delta, record.Mine|record.Receive)), chaintest.By(admins[1]))
	return s
}

// permToldToFlush is toldToFlush without pruning.
func (s *faultScript) permToldToFlush() {
	s.accept("y1")
	s.accept("y2") // to the y branch
	s.invalidate("y2")
	s.flush()
	s.reconsider("y2")
	s.accept("y3")
	s.end = "y3"
}

// branchState is who may do what at the end of a branch, from the blocks alone.
func branchState(p *params.Params, blocks []*consensus.Block) (*permission.State, error) {
	state := permission.Genesis(p)
	for i, b := range blocks {
		height := int32(i + 1)
		_, cert, err := seal.Find(b.Txs[0].Msg)
		if err != nil {
			return nil, err
		}
		if cert != nil {
			if state, _, err = state.Restart(height, cert); err != nil {
				return nil, err
			}
			continue
		}
		if state, _, err = state.Apply(height, b.Txs[1:], spentCoins(branchCoins(p, blocks[:i]), b)); err != nil {
			return nil, err
		}
	}
	return state, nil
}

// spentCoins are what b spends of coins and of its own outputs.
func spentCoins(coins map[wire.OutPoint]consensus.Coin, b *consensus.Block) (spent [][]consensus.Coin) {
	for _, tx := range b.Txs[1:] {
		var list []consensus.Coin
		for _, in := range tx.Msg.TxIn {
			list = append(list, coins[in.PreviousOutPoint])
		}
		spent = append(spent, list)
		for n, out := range tx.Msg.TxOut {
			coins[wire.OutPoint{Hash: tx.TxID, Index: uint32(n)}] = consensus.Coin{Amount: out.Value, Script: out.PkScript}
		}
	}
	return spent
}

// checkPermissions compares the permissions with those that the best block's
// branch leads to.
func (s *faultScript) checkPermissions(c *chain.Chain, name string) error {
	got := c.Permissions()
	if got == nil {
		return nil
	}
	want, err := branchState(s.maker.Params, s.branch(name))
	if err != nil {
		return err
	}
	if got.Hash() != want.Hash() {
		return fmt.Errorf("the permissions at %s are not those of its branch", name)
	}
	for _, sealing := range c.Sealers(10) {
		if info, ok := c.AtHeight(sealing.Height); !ok || info.Undecided || info.Sealer != sealing.Member {
			return errors.New("the sealers are not known")
		}
	}
	return nil
}
