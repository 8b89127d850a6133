package consensus

import (
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Coin is an unspent transaction output.
type Coin struct {
	Amount   int64 // smallest unit
	Script   []byte
	Height   int32 // of the block that created it
	Coinbase bool
}

// Tx is a transaction with what is derived from its bytes once. It is
// immutable and safe for concurrent use.
type Tx struct {
	Msg    *wire.MsgTx
	TxID   chainhash.Hash // hash without witness, internal byte order
	WTxID  chainhash.Hash // hash with witness
	Size   int            // bytes with witness
	Weight int64          // BIP141
}

// NewTx derives the hashes and sizes of msg, which the caller must not
// change afterwards.
func NewTx(msg *wire.MsgTx) *Tx {
	stripped, size := msg.SerializeSizeStripped(), msg.SerializeSize()
	tx := &Tx{
		Msg:    msg,
		TxID:   msg.TxHash(),
		Size:   size,
		Weight: int64(stripped)*3 + int64(size),
	}
	tx.WTxID = tx.TxID
	if msg.HasWitness() {
		tx.WTxID = msg.WitnessHash()
	}
	return tx
}

// VSize is the virtual size of BIP141: the weight over four, rounded up.
func (tx *Tx) VSize() int64 { return (tx.Weight + 3) / 4 }

// Block is a block with what is derived from its bytes once. It is
// immutable and safe for concurrent use.
type Block struct {
	Header wire.BlockHeader
	Hash   chainhash.Hash
	Txs    []*Tx

	raw []byte // nil unless DecodeBlock made the block

	// What was found out about the block, nil until then.
	tree   atomic.Pointer[merkle]
	wroot  atomic.Pointer[chainhash.Hash]
	passed atomic.Pointer[passed]
}

// NewBlock derives the hashes and sizes of msg, which the caller must not
// change afterwards.
func NewBlock(msg *wire.MsgBlock) *Block {
	b := &Block{
		Header: msg.Header,
		Hash:   msg.Header.BlockHash(),
		Txs:    make([]*Tx, len(msg.Transactions)),
	}
	for i, tx := range msg.Transactions {
		b.Txs[i] = NewTx(tx)
	}
	return b
}

// Msg returns the block in the shape in which it is encoded.
func (b *Block) Msg() *wire.MsgBlock {
	msg := &wire.MsgBlock{
		Header:       b.Header,
		Transactions: make([]*wire.MsgTx, len(b.Txs)),
	}
	for i, tx := range b.Txs {
		msg.Transactions[i] = tx.Msg
	}
	return msg
}

// Size is the number of bytes of the encoded block, with witnesses.
func (b *Block) Size() int {
	n := wire.MaxBlockHeaderPayload + wire.VarIntSerializeSize(uint64(len(b.Txs)))
	for _, tx := range b.Txs {
		n += tx.Size
	}
	return n
}

// Memory is about how many bytes the block takes in memory: what it was
// decoded from, and the structures over that.
func (b *Block) Memory() int64 {
	const perTx, perInput, perOutput, perItem = 136, 96, 40, 24
	n := int64(b.Size())
	for _, tx := range b.Txs {
		n += perTx + perInput*int64(len(tx.Msg.TxIn)) + perOutput*int64(len(tx.Msg.TxOut))
		for _, in := range tx.Msg.TxIn {
			n += perItem * int64(len(in.Witness))
		}
	}
	return n
}
