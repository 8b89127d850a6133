package scan

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// DecodeTx decodes exactly one transaction. Errors about its form are
// *Error; b is not kept.
func DecodeTx(b []byte) (*wire.MsgTx, error) {
	d, err := OpenTx(b)
	if err != nil {
		return nil, err
	}
	d.raw = bytes.Clone(b)
	tx := new(wire.MsgTx)
	d.Next(tx)
	return tx, nil
}

// DecodeBlock decodes exactly one block within the limits of its chain (see
// Block). Errors about its form are *Error; b is not kept, and each
// transaction has memory of its own, so that it can be kept without the
// block. Decoder is for those who are in a hurry.
func DecodeBlock(b []byte, l *params.Limits) (*wire.MsgBlock, error) {
	if err := Block(b, l); err != nil {
		return nil, fmt.Errorf("block: %w", err)
	}
	block := new(wire.MsgBlock)
	if err := block.Deserialize(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("block: %w", err)
	}
	return block, nil
}

// DecodeHeader decodes exactly one block header of HeaderSize bytes.
func DecodeHeader(b []byte) (wire.BlockHeader, error) {
	var h wire.BlockHeader
	if len(b) != HeaderSize {
		return h, fmt.Errorf("header: %w", &Error{Field: "header", Reason: fmt.Sprintf(
			"%d bytes, a header has %d", len(b), HeaderSize)})
	}
	if err := h.Deserialize(bytes.NewReader(b)); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, nil
}
