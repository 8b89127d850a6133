package index

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/store"
)

// First bytes of keys; doc.go has the table.
const (
	rowPosition = 0x00
	rowBlock    = 0x01
	rowTx       = 0x10 // of the transaction index
	rowHistory  = 0x20 // of the address index
	rowTxID     = 0x21
	rowUnspent  = 0x22
	rowTotals   = 0x23
	rowFilter   = 0x30 // of the filter index
)

// position is up to where an index is made: all blocks from genesis to this
// one are in it and no other. Height is -1 while it is empty.
type position struct {
	hash   chainhash.Hash
	height int32
}

var nowhere = position{height: -1}

const positionSize = 4 + 4 + 32

func (p position) encode(version uint32) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, positionSize), version)
	b = binary.LittleEndian.AppendUint32(b, uint32(p.height))
	return append(b, p.hash[:]...)
}

func decodePosition(b []byte) (p position, version uint32, ok bool) {
	if len(b) != positionSize {
		return nowhere, 0, false
	}
	p.height = int32(binary.LittleEndian.Uint32(b[4:]))
	copy(p.hash[:], b[8:])
	return p, binary.LittleEndian.Uint32(b), p.height >= 0
}

func heightKey(row byte, height int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{row}, uint32(height))
}

// place is where a transaction stands. In keys: height u32 ‖ index u24, both
// big-endian.
type place struct {
	height int32
	index  uint32 // in the block
}

const placeSize = 4 + 3

func (p place) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.height))
	return append(b, byte(p.index>>16), byte(p.index>>8), byte(p.index))
}

// readPlace reads the placeSize bytes that b has at least.
func readPlace(b []byte) place {
	return place{
		height: int32(binary.BigEndian.Uint32(b)),
		index:  uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6]),
	}
}

// uvarints reads n unsigned varints that are all of b.
func uvarints(b []byte, into ...*uint64) bool {
	for _, v := range into {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		*v, b = x, b[n:]
	}
	return len(b) == 0
}

// damaged reports a row that is not as it was written.
func damaged(name string, key []byte) error {
	return &store.DamageError{File: "indexes/" + name, Offset: -1, What: fmt.Sprintf("row %x does not decode", key)}
}

// hashAt returns the block at height that the index holds.
func hashAt(v *store.IndexView, name string, height int32) (chainhash.Hash, bool, error) {
	key := heightKey(rowBlock, height)
	b, ok, err := v.Get(key)
	if err != nil || !ok {
		return chainhash.Hash{}, false, err
	}
	if len(b) != chainhash.HashSize {
		return chainhash.Hash{}, false, damaged(name, key)
	}
	return chainhash.Hash(b), true, nil
}

// positionOf reads the position row.
func positionOf(v *store.IndexView, name string) (p position, version uint32, err error) {
	b, ok, err := v.Get([]byte{rowPosition})
	if err != nil || !ok {
		return nowhere, 0, err
	}
	p, version, ok = decodePosition(b)
	if !ok {
		return nowhere, 0, damaged(name, []byte{rowPosition})
	}
	return p, version, nil
}
