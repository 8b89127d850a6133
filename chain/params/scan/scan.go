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
func Tx(b []byte) error { return form.Tx(b) }

// Block checks that b is exactly one block, within the size that the limits
// of its chain allow. Without limits (nil) only the sizes that no chain
// exceeds count.
func Block(b []byte, l *params.Limits) error {
	limit := int64(params.MaxBlockWeight)
	if l != nil {
		limit = l.BlockSerialized
	}
	return form.Block(b, limit)
}
