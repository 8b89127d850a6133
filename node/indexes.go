package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
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
		Source:  indexSource{n.chain},
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

// indexSource shows the chain to its indexes.
type indexSource struct{ *chain.Chain }

func indexBlock(info chain.BlockInfo) index.Block {
	return index.Block{Hash: info.Hash, Parent: info.Header.PrevBlock, Height: info.Height, OnBest: info.OnBest}
}

func (s indexSource) Best() index.Block { return indexBlock(s.Chain.Best()) }
func (s indexSource) Syncing() bool     { return s.Chain.InitialSync() }

func (s indexSource) AtHeight(height int32) (index.Block, bool) {
	info, ok := s.Chain.AtHeight(height)
	return indexBlock(info), ok
}

func (s indexSource) Lookup(hash chainhash.Hash) (index.Block, bool) {
	info, ok := s.Chain.Lookup(hash)
	return indexBlock(info), ok
}

func (s indexSource) ReadBlock(hash chainhash.Hash) (*consensus.Block, error) {
	b, err := s.Chain.ReadBlock(hash)
	return b, indexError(err)
}

func (s indexSource) ReadRaw(hash chainhash.Hash) ([]byte, error) {
	raw, err := s.Chain.ReadRawBlock(hash)
	return raw, indexError(err)
}

func (s indexSource) ReadSpent(hash chainhash.Hash) ([][]consensus.Coin, error) {
	spent, err := s.Chain.ReadSpent(hash)
	return spent, indexError(err)
}

// indexError says in the indexes' terms that data is missing.
func indexError(err error) error {
	if errors.Is(err, chain.ErrNoData) || errors.Is(err, chain.ErrUnknownBlock) {
		return fmt.Errorf("%w: %w", index.ErrNoData, err)
	}
	return err
}
