package utxo

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Lookup finds the coins of many outpoints at once, for any goroutine:
// found[i] says whether there is one at ops[i], and coins[i] is it. The three
// slices have the same length. After an error they are of no use.
func (c *Cache) Lookup(ops []wire.OutPoint, coins []consensus.Coin, found []bool) error {
	for i := range ops {
		var err error
		if coins[i], found[i], err = c.Coin(ops[i]); err != nil {
			return err
		}
	}
	return nil
}

// Prefetch reads the coins at ops that are not in memory, for a view that
// will soon ask for them. Errors are left for that view to meet.
func (c *Cache) Prefetch(ops []wire.OutPoint) {
	for i := range ops {
		_, _, _ = c.Coin(ops[i])
	}
}
