package node

import (
	"context"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/index"
)

// openIndexes opens the optional indexes that the settings ask for.
func (n *Node) openIndexes(context.Context) error {
	cfg := n.opts.Config
	if !cfg.TxIndex && !cfg.AddrIndex && !cfg.FilterIndex {
		return nil
	}
	set, err := index.Open(index.Config{
		Params:  n.opts.Params,
		Store:   n.store,
		Source:  chain.IndexSource{Chain: n.chain},
		Tx:      cfg.TxIndex,
		Addr:    cfg.AddrIndex,
		Filter:  cfg.FilterIndex,
		Log:     n.opts.Log,
		Metrics: index.NewMetrics(n.registry),
	})
	if err != nil {
		return err
	}
	n.indexes = set
	if err := n.holdPruning(); err != nil {
		return err
	}
	n.chain.Subscribe(func(chain.Event) { set.Wake() })
	return nil
}

// runIndexes keeps the indexes at the best block.
func (n *Node) runIndexes(ctx context.Context) error {
	if n.indexes == nil {
		return nil
	}
	return n.indexes.Run(ctx)
}
