package scan

import (
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/internal/form"
)

const (
	// HeaderSize is the number of bytes of an encoded block header.
	HeaderSize = form.HeaderSize

	// MaxTxSize is the most bytes that an encoded transaction can have on
	// any chain.
	MaxTxSize = form.MaxTxSize

	// MaxBlockTxs is the most transactions that a block can have on any
	// chain.
	MaxBlockTxs = form.MaxBlockTxs
)

// Error says what is wrong with encoded bytes, and where.
type Error = form.Error

// VarInt reads the variable-length integer at the start of b and returns
// its value and length in bytes. It refuses one that could be shorter.
func VarInt(b []byte) (v uint64, n int, err error) { return form.VarInt(b) }

// Tx checks that b is exactly one transaction.
func Tx(b []byte) error {
	_, err := form.Tx(b)
	return err
}

// Block checks that b is exactly one block, within the size that the limits
// of its chain allow. Without limits (nil) only the sizes that no chain
// exceeds count.
func Block(b []byte, l *params.Limits) error {
	_, err := form.Block(b, blockLimit(l))
	return err
}

// blockLimit is the most bytes of a block.
func blockLimit(l *params.Limits) int64 {
	if l == nil {
		return params.MaxBlockWeight
	}
	return l.BlockSerialized
}
