package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/index"
)

// IndexSource shows a chain to its optional indexes.
type IndexSource struct{ *Chain }

var _ index.Source = IndexSource{}

func indexBlock(info BlockInfo) index.Block {
	return index.Block{Hash: info.Hash, Parent: info.Header.PrevBlock, Height: info.Height, OnBest: info.OnBest}
}

// Best implements index.Source.
func (s IndexSource) Best() index.Block { return indexBlock(s.Chain.Best()) }

// Syncing implements index.Source.
func (s IndexSource) Syncing() bool { return s.Chain.InitialSync() }

// AtHeight implements index.Source.
func (s IndexSource) AtHeight(height int32) (index.Block, bool) {
	info, ok := s.Chain.AtHeight(height)
	return indexBlock(info), ok
}

// Lookup implements index.Source.
func (s IndexSource) Lookup(hash chainhash.Hash) (index.Block, bool) {
	info, ok := s.Chain.Lookup(hash)
	return indexBlock(info), ok
}

// ReadBlock implements index.Source. Below a UTXO snapshot it shows what was
// checked only.
func (s IndexSource) ReadBlock(hash chainhash.Hash) (*consensus.Block, error) {
	if b, ok := s.Chain.Background(); ok {
		if info, known := s.Chain.Lookup(hash); known && info.Height <= b.Base.Height && info.Height > b.Checked.Height {
			return nil, fmt.Errorf("%w: the index follows the check of the blocks below the UTXO snapshot at height %d", index.ErrNoData, b.Base.Height)
		}
	}
	b, err := s.Chain.ReadBlock(hash)
	return b, indexError(err)
}

// ReadRaw implements index.Source.
func (s IndexSource) ReadRaw(hash chainhash.Hash) ([]byte, error) {
	raw, err := s.Chain.ReadRawBlock(hash)
	return raw, indexError(err)
}

// ReadSpent implements index.Source.
func (s IndexSource) ReadSpent(hash chainhash.Hash) ([][]consensus.Coin, error) {
	spent, err := s.Chain.ReadSpent(hash)
	return spent, indexError(err)
}

// indexError says in the indexes' terms that data is missing.
func indexError(err error) error {
	if errors.Is(err, ErrNoData) || errors.Is(err, ErrUnknownBlock) {
		return fmt.Errorf("%w: %w", index.ErrNoData, err)
	}
	return err
}
