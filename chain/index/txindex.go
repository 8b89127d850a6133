package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

// txKind is the transaction index: where the bytes of a transaction are.
type txKind struct{}

func (*txKind) name() string              { return "txindex" }
func (*txKind) folder() string            { return "tx" }
func (*txKind) version() uint32           { return 1 }
func (*txKind) spent() bool               { return false }
func (*txKind) written()                  {}
func (*txKind) alone(chainhash.Hash) bool { return false }
func (*txKind) forget()                   {}

// txPrefix is how much of a transaction id is in the key. Two ids that share
// it cost a look at both transactions, no more.
const txPrefix = 8

func txKey(txid *chainhash.Hash, at place) []byte {
	key := make([]byte, 0, 1+txPrefix+placeSize)
	key = append(append(key, rowTx), txid[:txPrefix]...)
	return at.append(key)
}

func (*txKind) connect(_ context.Context, to *store.IndexBatch, at Block, b *consensus.Block, _ [][]consensus.Coin) error {
	offset := wire.MaxBlockHeaderPayload + wire.VarIntSerializeSize(uint64(len(b.Txs)))
	var value []byte
	for i, tx := range b.Txs {
		value = binary.AppendUvarint(value[:0], uint64(offset))
		value = binary.AppendUvarint(value, uint64(tx.Size))
		to.Put(txKey(&tx.TxID, place{at.Height, uint32(i)}), value)
		offset += tx.Size
	}
	return nil
}

func (*txKind) disconnect(to *store.IndexBatch, at Block, b *consensus.Block, _ [][]consensus.Coin) error {
	for i, tx := range b.Txs {
		to.Delete(txKey(&tx.TxID, place{at.Height, uint32(i)}))
	}
	return nil
}

// Tx finds transactions by id.
type Tx struct{ reader }

// FoundTx is a transaction and where it is.
type FoundTx struct {
	Tx     *consensus.Tx
	Block  chainhash.Hash
	Height int32
	Index  int // in the block
}

// Lookup returns the transaction with that id from the best branch; of two
// (BIP30) the later one. Where there is none: false. It reads one block.
func (x *Tx) Lookup(txid chainhash.Hash) (found FoundTx, ok bool, err error) {
	err = x.view(func(v *store.IndexView, _ position) error {
		prefix := append([]byte{rowTx}, txid[:txPrefix]...)
		return v.Each(store.IndexRange{Prefix: prefix, Reverse: true}, func(key, value []byte) (bool, error) {
			if len(key) != len(prefix)+placeSize {
				return false, damaged("tx", key)
			}
			at := readPlace(key[len(prefix):])
			found, err = x.read(v, key, value, at)
			ok = err == nil && found.Tx.TxID == txid
			return !ok, err
		})
	})
	if !ok {
		return FoundTx{}, false, err
	}
	return found, true, err
}

// read gets the transaction of a row out of its block.
func (x *Tx) read(v *store.IndexView, key, value []byte, at place) (FoundTx, error) {
	var offset, size uint64
	hash, ok, err := hashAt(v, "tx", at.height)
	if err != nil {
		return FoundTx{}, err
	}
	if !ok || !uvarints(value, &offset, &size) {
		return FoundTx{}, damaged("tx", key)
	}
	raw, err := x.f.src.ReadRaw(hash)
	if err != nil {
		return FoundTx{}, err
	}
	if offset > uint64(len(raw)) || size > uint64(len(raw))-offset {
		return FoundTx{}, damaged("tx", key)
	}
	tx, err := consensus.DecodeTx(bytes.Clone(raw[offset : offset+size])) // so that it does not keep the block
	if err != nil {
		return FoundTx{}, fmt.Errorf("%w: %w", damaged("tx", key), err)
	}
	return FoundTx{Tx: tx, Block: hash, Height: at.height, Index: int(at.index)}, nil
}
