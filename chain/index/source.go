package index

import (
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// ErrNoData is wrapped by errors of a Source about a block whose body or
// undo data is not there now: never fetched, pruned, or damaged.
var ErrNoData = errors.New("block data not available")

// Block names a block and its place.
type Block struct {
	Hash   chainhash.Hash
	Parent chainhash.Hash // zero for the genesis block
	Height int32
	OnBest bool // on the best branch when asked
}

// Source is the chain that is indexed. Its methods are safe for concurrent
// use and may be called at any time.
type Source interface {
	// Best returns the best block.
	Best() Block
	// AtHeight returns the block at height on the best branch.
	AtHeight(height int32) (Block, bool)
	// Lookup returns a block of any branch.
	Lookup(hash chainhash.Hash) (Block, bool)
	// Syncing says that the best block is not yet where blocks that are
	// known lead.
	Syncing() bool

	// ReadBlock, ReadRaw and ReadSpent return a block, its encoding, and
	// the coins that its transactions after the coinbase spend. Errors may
	// wrap ErrNoData.
	ReadBlock(hash chainhash.Hash) (*consensus.Block, error)
	ReadRaw(hash chainhash.Hash) ([]byte, error)
	ReadSpent(hash chainhash.Hash) ([][]consensus.Coin, error)
}
