package utxo

import (
	"hash/maphash"
	"math/bits"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// viewLoad is the memory with which Load works.
type viewLoad struct {
	own   []uint32 // transactions of the block by hash: place + 1
	ops   []wire.OutPoint
	coins []consensus.Coin
	found []bool
}

func (l *viewLoad) reset() {
	clear(l.coins)
	l.ops, l.coins, l.found = l.ops[:0], l.coins[:0], l.found[:0]
}

// Load looks up what the inputs of b spend, in one batch, and makes room for
// what connecting b changes. It is there for speed only: what cannot be read,
// or is not there, the call that needs it will find.
func (v *View) Load(b *consensus.Block) {
	inputs, outputs := 0, 0
	for _, tx := range b.Txs {
		inputs += len(tx.Msg.TxIn)
		outputs += len(tx.Msg.TxOut)
	}
	v.t.reserve(inputs + outputs)
	v.spent.reserve(inputs)
	v.scripts.reserve(36)
	l := &v.t.inputs
	l.reset()
	l.ownTxs(b, v.cache)
	for i, tx := range b.Txs {
		if i == 0 {
			continue
		}
		for _, in := range tx.Msg.TxIn {
			op := &in.PreviousOutPoint
			if !l.isOwn(b, op, v.cache) && !v.knows(op) {
				l.ops = append(l.ops, *op)
			}
		}
	}
	n := len(l.ops)
	if cap(l.coins) < n {
		l.coins, l.found = make([]consensus.Coin, n), make([]bool, n)
	}
	l.coins, l.found = l.coins[:n], l.found[:n]
	if v.cache.Lookup(l.ops, l.coins, l.found) != nil {
		return
	}
	for i := range l.ops {
		if k := toOutpoint(&l.ops[i]); l.found[i] {
			v.keep(&k, k.hash(v.cache.seed), &l.coins[i])
		}
	}
}

func (v *View) knows(op *wire.OutPoint) bool {
	k := toOutpoint(op)
	e := v.find(&k, k.hash(v.cache.seed))
	return e != nil && e.is(viewKnown)
}

// ownTxs notes the transactions of b.
func (l *viewLoad) ownTxs(b *consensus.Block, c *Cache) {
	size := 1 << bits.Len(uint(2*len(b.Txs)))
	if cap(l.own) < size {
		l.own = make([]uint32, size)
	}
	l.own = l.own[:size]
	clear(l.own)
	for i, tx := range b.Txs {
		at := l.ownAt(&tx.TxID, c)
		for l.own[at] != 0 {
			at = (at + 1) & (size - 1)
		}
		l.own[at] = uint32(i + 1)
	}
}

func (l *viewLoad) ownAt(id *chainhash.Hash, c *Cache) int {
	return int(maphash.Bytes(c.seed, id[:])) & (len(l.own) - 1)
}

// isOwn says that op is of a transaction of b.
func (l *viewLoad) isOwn(b *consensus.Block, op *wire.OutPoint, c *Cache) bool {
	for at := l.ownAt(&op.Hash, c); l.own[at] != 0; at = (at + 1) & (len(l.own) - 1) {
		if b.Txs[l.own[at]-1].TxID == op.Hash {
			return true
		}
	}
	return false
}
