package chain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params/scan"
	"github.com/charterchain/charter/chain/store"
)

// Index row of a block, version 1. The key is the block hash.
//
//	field    bytes  encoding
//	version  1      1
//	header   80     as on the wire
//	height   4      little-endian
//	status   1      bits of type status
//	txs      4      little-endian; 0 while the body was never here
//	data     12     file, offset, size, each 4 bytes little-endian
//	undo     12     the same
//	rule     0-255  rule and detail, joined by ": ", to the end of the row
const (
	rowVersion = 1
	rowFixed   = 1 + 80 + 4 + 1 + 4 + 12 + 12
	rowRuleMax = 255
)

// row is the decoded index row of a block.
type row struct {
	header  wire.BlockHeader
	height  int32
	status  status
	txCount int32
	data    store.Location
	undo    store.Location
	broken  *consensus.RuleError
}

// encodeRow returns the row of n. Chain.mu held.
func encodeRow(n *node) []byte {
	var w bytes.Buffer
	w.Grow(rowFixed + rowRuleMax)
	w.WriteByte(rowVersion)
	n.header.Serialize(&w) // a bytes.Buffer cannot fail
	b := w.AvailableBuffer()
	b = binary.LittleEndian.AppendUint32(b, uint32(n.height))
	b = append(b, byte(n.status))
	b = binary.LittleEndian.AppendUint32(b, uint32(n.txCount))
	b = appendLocation(b, n.data)
	b = appendLocation(b, n.undo)
	w.Write(b)
	if n.broken != nil {
		rule := n.broken.Error()
		w.WriteString(rule[:min(len(rule), rowRuleMax)])
	}
	return w.Bytes()
}

func appendLocation(b []byte, l store.Location) []byte {
	b = binary.LittleEndian.AppendUint32(b, l.File)
	b = binary.LittleEndian.AppendUint32(b, l.Offset)
	return binary.LittleEndian.AppendUint32(b, l.Size)
}

// decodeRow is the inverse of encodeRow.
func decodeRow(b []byte) (row, error) {
	if len(b) < rowFixed || len(b) > rowFixed+rowRuleMax {
		return row{}, fmt.Errorf("index row of %d bytes, want %d to %d", len(b), rowFixed, rowFixed+rowRuleMax)
	}
	if b[0] != rowVersion {
		return row{}, fmt.Errorf("index row version %d, this program knows %d", b[0], rowVersion)
	}
	header, err := scan.DecodeHeader(b[1:81])
	if err != nil {
		return row{}, fmt.Errorf("index row header: %w", err)
	}
	le := binary.LittleEndian
	r := row{
		header:  header,
		height:  int32(le.Uint32(b[81:])),
		status:  status(b[85]),
		txCount: int32(le.Uint32(b[86:])),
		data:    decodeLocation(b[90:]),
		undo:    decodeLocation(b[102:]),
	}
	if r.status&statusFailed != 0 {
		rule, detail, _ := strings.Cut(string(b[rowFixed:]), ": ")
		r.broken = &consensus.RuleError{Rule: consensus.Rule(rule), Detail: detail}
	}
	return r, nil
}

func decodeLocation(b []byte) store.Location {
	le := binary.LittleEndian
	return store.Location{File: le.Uint32(b), Offset: le.Uint32(b[4:]), Size: le.Uint32(b[8:])}
}
