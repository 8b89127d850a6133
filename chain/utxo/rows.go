package utxo

import (
	"bytes"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// EncodeRow returns the row of a coin in the committed set, as doc.go has it.
func EncodeRow(op *wire.OutPoint, coin *consensus.Coin) (key, value []byte) {
	return appendKey(nil, op), appendCoin(nil, coin)
}

// MinEntry is the least number of bytes that AppendEntry adds.
const MinEntry = chainhash.HashSize + 1 + minCoinValue

// AppendEntry adds a coin in a form that says itself where it ends:
//
//	txid   bytes   32   internal byte order
//	index  varint  1-5  of the output
//	coin   value        as in the rows of the committed set
func AppendEntry(dst []byte, op *wire.OutPoint, coin *consensus.Coin) []byte {
	dst = append(dst, op.Hash[:]...)
	dst = appendVarint(dst, uint64(op.Index))
	return appendCoin(dst, coin)
}

// ReadEntry returns the coin at the start of b, which it does not keep, and
// what follows it. It is the inverse of AppendEntry.
func ReadEntry(b []byte) (op wire.OutPoint, coin consensus.Coin, rest []byte, err error) {
	if len(b) < MinEntry {
		return op, coin, nil, errShort
	}
	copy(op.Hash[:], b)
	index, rest, err := readVarint(b[chainhash.HashSize:])
	if err == nil && index > math.MaxUint32 {
		err = errNumber
	}
	if err != nil {
		return op, coin, nil, fmt.Errorf("index: %w", err)
	}
	op.Index = uint32(index)
	coin, rest, err = readCoin(rest, new(byteSlab))
	return op, coin, rest, err
}

// ComparePoints orders outpoints as the rows of the committed set: by txid
// (internal byte order), then index.
func ComparePoints(a, b *wire.OutPoint) int {
	if c := bytes.Compare(a.Hash[:], b.Hash[:]); c != 0 || a.Index == b.Index {
		return c
	}
	if a.Index < b.Index {
		return -1
	}
	return 1
}
