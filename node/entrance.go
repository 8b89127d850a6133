package node

import (
	"github.com/charterchain/charter/rpc"
	"github.com/charterchain/charter/rpc/client"
)

// openSettle is the depth of a block that newcomers to an open chain are told
// as settled. Nothing there enforces it.
const openSettle = 100

// entrance says how others join the chain by this node.
func (n *Node) entrance() rpc.Entrance {
	info := n.peers.Info()
	out := rpc.Entrance{Identity: info.Identity, Addresses: append(info.External, info.Listening...), Settled: n.chain.Best().Height - openSettle}
	if s, ok := n.mining(); ok {
		out.Settled = s.Settled
	}
	out.RefusedBy = n.refusedBy()
	return out
}

// refusedBy lists the peers that this node is to connect with and does not,
// because one side refuses the other.
func (n *Node) refusedBy() []client.RefusedPeer {
	var list []client.RefusedPeer
	for _, peer := range n.peers.Nodes() {
		if !peer.Connected && peer.Problem != "" {
			list = append(list, client.RefusedPeer{Node: peer.Node, Problem: peer.Problem})
		}
	}
	return list
}

// refusal is what the first of them says; "": there is none.
func (n *Node) refusal() string {
	if list := n.refusedBy(); len(list) > 0 {
		return list[0].Problem
	}
	return ""
}
