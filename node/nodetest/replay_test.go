package nodetest

import (
	"encoding/hex"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/index"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/utxo"
	"github.com/charterchain/charter/chain/utxo/muhash"
)

// replayed is what follows from a block and its ancestors: computed here from
// the blocks that were offered, without a chain, a cache or a disk.
type replayed struct {
	coins  *muhash.Hash
	txOuts int64
	filter chainhash.Hash    // header of the block's filter
	perm   *permission.State // nil on chains without permissions
}

// replay returns what follows from b. Each block is computed once.
func (x *crashing) replay(b *offeredBlock) *replayed {
	var todo []*offeredBlock
	for ; b.replayed == nil && b.parent != nil; b = b.parent {
		todo = append(todo, b)
	}
	if b.replayed == nil {
		b.replayed = x.replayGenesis(b)
		x.filter(b, nil, chainhash.Hash{})
	}
	for _, next := range slices.Backward(todo) {
		r := &replayed{coins: muhash.New(), txOuts: b.replayed.txOuts}
		r.coins.Combine(b.replayed.coins)
		next.replayed = r
		spent := x.connect(next)
		x.filter(next, spent, b.replayed.filter)
		var err error
		if r.perm, err = x.judge(next, b.replayed.perm, spent); err != nil {
			x.t.Fatalf("block at height %d: %v", next.height, err)
		}
		b = next
	}
	return b.replayed
}

func (x *crashing) replayGenesis(genesis *offeredBlock) *replayed {
	r := &replayed{coins: muhash.New()}
	for _, out := range x.Params.GenesisCoins() {
		r.coins.Insert(utxo.AppendElement(nil, &wire.OutPoint{Hash: genesis.Txs[0].TxID, Index: out.Index}, &consensus.Coin{Amount: out.Amount, Script: out.Script}))
		r.txOuts++
	}
	if x.net != nil {
		r.perm = permission.Genesis(x.Params)
	}
	return r
}

// connect applies the transactions of b and returns what they spent.
func (x *crashing) connect(b *offeredBlock) (spent [][]consensus.Coin) {
	r := b.replayed
	for i, tx := range b.Txs {
		var coins []consensus.Coin
		for _, in := range tx.Msg.TxIn {
			if i == 0 {
				break
			}
			coin := x.coinBelow(b, &in.PreviousOutPoint)
			r.coins.Remove(utxo.AppendElement(nil, &in.PreviousOutPoint, &coin))
			r.txOuts--
			coins = append(coins, coin)
		}
		if i > 0 {
			spent = append(spent, coins)
		}
		for at, out := range tx.Msg.TxOut {
			if txscript.IsUnspendable(out.PkScript) {
				continue
			}
			coin := consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: b.height, Coinbase: i == 0}
			r.coins.Insert(utxo.AppendElement(nil, &wire.OutPoint{Hash: tx.TxID, Index: uint32(at)}, &coin))
			r.txOuts++
		}
	}
	return spent
}

// coinBelow finds the output op in the ancestors of b.
func (x *crashing) coinBelow(b *offeredBlock, op *wire.OutPoint) consensus.Coin {
	for at := b.parent; at != nil; at = at.parent {
		for i, tx := range at.Txs {
			if tx.TxID == op.Hash {
				out := tx.Msg.TxOut[op.Index]
				return consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: at.height, Coinbase: i == 0 && at.parent != nil}
			}
		}
	}
	x.t.Fatalf("block %v at height %d spends %v, which no ancestor has", b.Hash, b.height, op)
	return consensus.Coin{}
}

// filter chains the filter of b to that of its parent.
func (x *crashing) filter(b *offeredBlock, spent [][]consensus.Coin, previous chainhash.Hash) {
	filter, err := index.BasicFilter(b.Block, spent)
	if err != nil {
		x.t.Fatal(err)
	}
	b.replayed.filter = index.FilterHeader(filter, previous)
}

// muHash is the hash of the coins as gettxoutsetinfo prints it.
func (r *replayed) muHash() string {
	sum := r.coins.Sum()
	slices.Reverse(sum[:])
	return hex.EncodeToString(sum[:])
}
