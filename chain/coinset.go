package chain

import (
	"context"
	"runtime"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

// CoinSet describes the whole UTXO set as of one block.
type CoinSet struct {
	utxo.Summary
	Block    BlockInfo
	DiskSize int64 // of its rows, about
}

// SummariseCoins flushes, then reads the whole UTXO set and adds it up, with
// the hashes asked for; a MuHash on all cores. Validation goes on meanwhile.
func (c *Chain) SummariseCoins(ctx context.Context, hashes utxo.SetHashes) (CoinSet, error) {
	var set CoinSet
	var err error
	set.Summary, err = utxo.Summarise(hashes, runtime.GOMAXPROCS(0), func(fn func(wire.OutPoint, consensus.Coin) error) (err error) {
		set.Block, err = c.EachCoin(ctx, fn)
		return err
	})
	if err != nil {
		return CoinSet{}, err
	}
	set.DiskSize, err = c.store.StateSize([]byte{utxo.Prefix})
	return set, err
}
