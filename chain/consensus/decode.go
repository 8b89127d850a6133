package consensus

import (
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/scan"
)

// DecodeTx decodes exactly one transaction (see scan.Tx for its form) and
// derives its hashes and sizes. The transaction keeps raw, which the caller
// must not change afterwards. Errors about the form are *scan.Error.
func DecodeTx(raw []byte) (*Tx, error) {
	msg, err := scan.DecodeTx(raw)
	if err != nil {
		return nil, err
	}
	return NewTx(msg), nil
}

// DecodeBlock decodes exactly one block within the limits of its chain (see
// scan.Block) and derives its hashes and sizes. The block keeps raw, which the
// caller must not change afterwards. Errors about the form are *scan.Error.
func DecodeBlock(raw []byte, l *params.Limits) (*Block, error) {
	msg, err := scan.DecodeBlock(raw, l)
	if err != nil {
		return nil, err
	}
	b := NewBlock(msg)
	b.raw = raw
	return b, nil
}

// Raw returns the bytes that DecodeBlock was given, nil for a block that was
// built in another way. They must not be changed.
func (b *Block) Raw() []byte { return b.raw }
