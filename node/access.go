package node

import (
	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/mempool"
)

// Chain is the chain of the node, for programs that have the node in their
// own process. It must not be used after Close.
func (n *Node) Chain() *chain.Chain { return n.chain }

// Pool is the pool of the node. It must not be used after Close.
func (n *Node) Pool() *mempool.Pool { return n.pool }
