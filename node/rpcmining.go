package node

import (
	"errors"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/node/miner"
	"github.com/charterchain/charter/node/minestatus"
	"github.com/charterchain/charter/rpc"
	"github.com/charterchain/charter/rpc/client"
)

func (a rpcMiner) Status() rpc.MinerStatus {
	s := a.m.Status()
	out := rpc.MinerStatus{Mining: s.Mining, State: string(s.State), Reason: s.Reason, Rank: s.Rank, Next: s.Next, Restart: s.Restart}
	if s.State == miner.StateNotStarted {
		out.Reason = "mining is off: start the node with --mine"
	}
	if key, ok := a.m.SealKey(); ok {
		out.Key = &key
	}
	return out
}

func (a rpcMiner) SubmitRestart(cert *seal.Certificate) error { return a.m.SubmitRestart(cert) }

// minerError says in the words of package rpc that a block is not for this
// node to make.
func minerError(err error) error {
	if errors.Is(err, miner.ErrNoKey) || errors.Is(err, miner.ErrMayNot) {
		return &rpc.MayNotError{Why: err.Error()}
	}
	return err
}

// mining says how mining stands; ok is false where it is not restricted.
func (n *Node) mining() (minestatus.Status, bool) {
	if !n.opts.Params.Permissions.Restricts(params.PermMine) {
		return minestatus.Status{}, false
	}
	o := minestatus.Options{
		Now: n.opts.Now(), Present: n.peers.Present(minestatus.Within(n.opts.Params.PoW.Spacing)),
		SettleDepth: int32(n.opts.Config.SettleDepth),
	}
	if key, ok := n.miner.SealKey(); ok {
		if state := n.chain.Permissions(); state != nil {
			m, _, _ := state.ByIdentity(record.KeyScript(key))
			o.Own = m.ID
		}
	}
	v, ok := minestatus.Read(n.chain, o)
	if !ok {
		return minestatus.Status{}, false
	}
	return minestatus.Build(&v), true
}

// miningStatus is mining in the words of the RPC method.
func (n *Node) miningStatus() (*client.MiningStatus, bool) {
	s, ok := n.mining()
	if !ok {
		return nil, false
	}
	return rpcMining(&s, n.memberName), true
}

// memberName is the present name of a member.
func (n *Node) memberName(id record.MemberID) string {
	m, _ := n.chain.Permissions().Member(id)
	return m.Name
}

func rpcMining(s *minestatus.Status, name func(record.MemberID) string) *client.MiningStatus {
	out := &client.MiningStatus{
		Height: s.Height, Mining: s.Mining, Required: s.Required, Seen: s.Seen, MayFail: s.MayFail, Isolated: s.Isolated,
		SafeConfirmations: s.SafeConfirmations, SettleDepth: s.SettleDepth, SettledHeight: s.Settled,
		Members: make([]client.MinerPresence, len(s.Members)), DoubleSeals: make([]client.DoubleSeal, len(s.Doubles)),
		Conflict: rpcConflict(s.Forked), Warnings: append([]string{}, s.Warnings...),
	}
	for i := range s.Members {
		m := &s.Members[i]
		row := client.MinerPresence{
			MemberRef: client.MemberRef{ID: m.ID.String(), Name: m.Name},
			Active:    m.Active, ActiveFrom: m.From, LastHeight: -1, Seen: m.Seen, Own: m.Own,
		}
		if m.Last != nil {
			row.LastHeight, row.LastTime = m.Last.Height, m.Last.Time.Unix()
		}
		out.Members[i] = row
	}
	for i, d := range s.Doubles {
		out.DoubleSeals[i] = client.DoubleSeal{
			MemberRef: client.MemberRef{ID: d.Member.String(), Name: name(d.Member)},
			Height:    d.Height, First: d.First.String(), Second: d.Second.String(),
		}
	}
	return out
}

func rpcConflict(c *chain.Conflict) *client.HistoryConflict {
	if c == nil {
		return nil
	}
	return &client.HistoryConflict{Hash: c.Other.Hash.String(), Height: c.Other.Height, ForkHash: c.Fork.Hash.String(), ForkHeight: c.Fork.Height}
}
