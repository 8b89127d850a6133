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
	for _, peer := range n.peers.Nodes() {
		if !peer.Connected && peer.Problem != "" {
			out.RefusedBy = append(out.RefusedBy, client.RefusedPeer{Node: peer.Node, Problem: peer.Problem})
		}
	}
	return out
}
