package chain

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

// Where a chain file excepts a block from BIP30, its coinbase may repeat an
// earlier one whose outputs are unspent: they are overwritten, and what they
// were is kept nowhere. Undoing that block takes them away. So the coins are
// those of the branch again once the earlier block is undone too, and not
// between the two: as in Bitcoin Core, whose two such pairs lie at heights
// 91,722 and 91,880, and 91,812 and 91,842, on Bitcoin's main chain.

// disconnectOn takes b, n's block, out of view, which must show the coins as
// of n. Coinbase outputs that a block above n overwrote may be gone.
func (c *Chain) disconnectOn(view *utxo.View, b *consensus.Block, n *node, spent [][]consensus.Coin) error {
	for hash, except := range c.p.Exceptions {
		if !except.BIP30 || len(b.Txs) == 0 {
			continue
		}
		c.mu.RLock()
		above := c.index[hash]
		c.mu.RUnlock()
		if above == nil || above == n || above.ancestor(n.height) != n {
			continue
		}
		var err error
		if b, err = c.withoutOverwritten(view, b, above); err != nil {
			return err
		}
	}
	return view.DisconnectBlock(b, n.height, spent)
}

// withoutOverwritten returns b, or where above has the same coinbase a copy
// in which the outputs of it that are gone cannot be spent.
func (c *Chain) withoutOverwritten(view *utxo.View, b *consensus.Block, above *node) (*consensus.Block, error) {
	coinbase := b.Txs[0]
	var outs []*wire.TxOut
	missing := false
	for i, out := range coinbase.Msg.TxOut {
		_, ok, err := view.Coin(wire.OutPoint{Hash: coinbase.TxID, Index: uint32(i)})
		if err != nil {
			return nil, err
		}
		if !ok {
			out, missing = wire.NewTxOut(0, []byte{txscript.OP_RETURN}), true
		}
		outs = append(outs, out)
	}
	if !missing {
		return b, nil
	}
	// Rare: all outputs of a coinbase that is not overwritten are there.
	later, err := c.readBody(above)
	if err != nil || later.Txs[0].TxID != coinbase.TxID {
		return b, err
	}
	msg, tx := *coinbase.Msg, *coinbase
	msg.TxOut = outs
	tx.Msg = &msg
	txs := append([]*consensus.Tx{&tx}, b.Txs[1:]...)
	return &consensus.Block{Header: b.Header, Hash: b.Hash, Txs: txs}, nil
}
