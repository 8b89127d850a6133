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

// Index row of a block. The key is the block hash. Version 2 is that of chains
// whose blocks carry seals, and of all their blocks but genesis.
//
//	field    bytes  encoding
//	version  1      1 or 2
//	header   80     as on the wire
//	height   4      little-endian
//	status   1      bits of type status
//	txs      4      little-endian; 0 while the body was never here
//	data     12     file, offset, size, each 4 bytes little-endian
//	undo     12     the same
//	seal     87     version 2 only: key 32, sealed message 32, member 20 (zeros
//	                while the block is undecided), 1 where it is a restart and 0
//	                else, blocks in a row that need different members where it
//	                is a decided restart and 0 else, 2, little-endian
//	rule     0-255  rule and detail, joined by ": ", to the end of the row
const (
	rowVersion = 1
	rowSealed  = 2
	rowFixed   = 1 + 80 + 4 + 1 + 4 + 12 + 12
	rowSeal    = 32 + 32 + 20 + 1 + 2
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
	seal    *nodeSeal
	broken  *consensus.RuleError
}

// encodeRow returns the row of n. Chain.mu held.
func encodeRow(n *node) []byte {
	var w bytes.Buffer
	w.Grow(rowFixed + rowSeal + rowRuleMax)
	if n.seal == nil {
		w.WriteByte(rowVersion)
	} else {
		w.WriteByte(rowSealed)
	}
	n.header.Serialize(&w) // a bytes.Buffer cannot fail
	b := w.AvailableBuffer()
	b = binary.LittleEndian.AppendUint32(b, uint32(n.height))
	b = append(b, byte(n.status))
	b = binary.LittleEndian.AppendUint32(b, uint32(n.txCount))
	b = appendLocation(b, n.data)
	b = appendLocation(b, n.undo)
	if n.seal != nil {
		b = appendSeal(b, n.seal)
	}
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

func appendSeal(b []byte, s *nodeSeal) []byte {
	b = append(b, s.key[:]...)
	b = append(b, s.variant[:]...)
	b = append(b, s.member[:]...)
	restart := byte(0)
	if s.restart {
		restart = 1
	}
	return binary.LittleEndian.AppendUint16(append(b, restart), s.required)
}

func decodeSeal(b []byte) (*nodeSeal, error) {
	if b[84] > 1 {
		return nil, fmt.Errorf("index row says %d where 0 or 1 says if the block is a restart", b[84])
	}
	s := &nodeSeal{restart: b[84] == 1, required: binary.LittleEndian.Uint16(b[85:])}
	copy(s.key[:], b)
	copy(s.variant[:], b[32:])
	copy(s.member[:], b[64:])
	return s, nil
}

// decodeRow is the inverse of encodeRow.
func decodeRow(b []byte) (row, error) {
	fixed := rowFixed
	if len(b) > 0 && b[0] == rowSealed {
		fixed += rowSeal
	}
	if len(b) < fixed || len(b) > fixed+rowRuleMax {
		return row{}, fmt.Errorf("index row of %d bytes, want %d to %d", len(b), fixed, fixed+rowRuleMax)
	}
	if b[0] != rowVersion && b[0] != rowSealed {
		return row{}, fmt.Errorf("index row version %d, this program knows %d and %d", b[0], rowVersion, rowSealed)
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
	if b[0] == rowSealed {
		if r.seal, err = decodeSeal(b[rowFixed:]); err != nil {
			return row{}, err
		}
	}
	if r.status&statusFailed != 0 {
		rule, detail, _ := strings.Cut(string(b[fixed:]), ": ")
		r.broken = &consensus.RuleError{Rule: consensus.Rule(rule), Detail: detail}
	}
	return r, nil
}

func decodeLocation(b []byte) store.Location {
	le := binary.LittleEndian
	return store.Location{File: le.Uint32(b), Offset: le.Uint32(b[4:]), Size: le.Uint32(b[8:])}
}
