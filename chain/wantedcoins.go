package chain

import (
	"hash/maphash"
	"math/bits"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/utxo"
)

// txIndex finds transactions of one block by their ids. It takes 8 to 16 bytes
// for each, and is never changed.
type txIndex struct {
	txs   []*consensus.Tx
	slots []uint32 // by hash, then the next free one: 1 + position in txs; 0: empty
}

// newTxIndex indexes txs by their hashes under seed, which nobody knows who
// makes transactions.
func newTxIndex(seed maphash.Seed, txs []*consensus.Tx) *txIndex {
	x := &txIndex{txs: txs, slots: make([]uint32, 1<<bits.Len(uint(2*len(txs))))}
	for i, tx := range txs {
		at := x.slot(maphash.Bytes(seed, tx.TxID[:]))
		for x.slots[at] != 0 {
			at = x.slot(at + 1)
		}
		x.slots[at] = uint32(i + 1)
	}
	return x
}

func (x *txIndex) slot(hash uint64) uint64 { return hash & uint64(len(x.slots)-1) }

// output returns the output at op, whose id has that hash; nil if no
// transaction of the block has it.
func (x *txIndex) output(hash uint64, op *wire.OutPoint) *wire.TxOut {
	for at := x.slot(hash); x.slots[at] != 0; at = x.slot(at + 1) {
		if tx := x.txs[x.slots[at]-1]; tx.TxID == op.Hash {
			if op.Index < uint32(len(tx.Msg.TxOut)) {
				return tx.Msg.TxOut[op.Index]
			}
			return nil
		}
	}
	return nil
}

// wantedCoins are those that a block spends, in the order of its inputs.
type wantedCoins struct {
	ops   []wire.OutPoint
	coins []consensus.Coin
	found []bool
}

func newWantedCoins(b *consensus.Block) *wantedCoins {
	n := 0
	for _, tx := range b.Txs[1:] {
		n += len(tx.Msg.TxIn)
	}
	w := &wantedCoins{ops: make([]wire.OutPoint, 0, n), coins: make([]consensus.Coin, n), found: make([]bool, n)}
	for _, tx := range b.Txs[1:] {
		for _, in := range tx.Msg.TxIn {
			w.ops = append(w.ops, in.PreviousOutPoint)
		}
	}
	return w
}

// fromBlocks looks the coins up in the outputs of blocks that are not
// connected. Their heights, and whether a coinbase made them, do not matter to
// scripts and are left out.
func (w *wantedCoins) fromBlocks(seed maphash.Seed, blocks []*txIndex) {
	for i := range w.ops {
		op := &w.ops[i]
		hash := maphash.Bytes(seed, op.Hash[:])
		for _, index := range blocks {
			if out := index.output(hash, op); out != nil {
				w.coins[i], w.found[i] = consensus.Coin{Amount: out.Value, Script: out.PkScript}, true
				break
			}
		}
	}
}

// fromCache looks up in cache what was not found so far, and reports whether
// there is nothing left. That the disk cannot be read is for those to say who need
// the coins.
func (w *wantedCoins) fromCache(cache *utxo.Cache) bool {
	var ops []wire.OutPoint
	for i := range w.ops {
		if !w.found[i] {
			ops = append(ops, w.ops[i])
		}
	}
	if len(ops) == 0 {
		return true
	}
	coins, found := make([]consensus.Coin, len(ops)), make([]bool, len(ops))
	if cache.Lookup(ops, coins, found) != nil {
		return false
	}
	for i := range w.ops {
		if w.found[i] {
			continue
		}
		if !found[0] {
			return false
		}
		w.coins[i], coins, found = coins[0], coins[1:], found[1:]
	}
	return true
}

// spends divides the coins, which are all there, among b's transactions.
func (w *wantedCoins) spends(b *consensus.Block) []sigcheck.Spend {
	list := make([]sigcheck.Spend, len(b.Txs)-1)
	rest := w.coins
	for i, tx := range b.Txs[1:] {
		n := len(tx.Msg.TxIn)
		list[i] = sigcheck.Spend{Tx: tx, Coins: rest[:n:n]}
		rest = rest[n:]
	}
	return list
}
