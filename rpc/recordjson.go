package rpc

import (
	"encoding/hex"

	"github.com/charterchain/charter/chain/permission/record"
)

// recordJSON is a record in words, or why what claims to be one is none.
type recordJSON struct {
	ID          string  `json:"id,omitempty"` // as listpending has it
	Operation   string  `json:"operation,omitempty"`
	Description string  `json:"description,omitempty"`
	Lapse       *uint32 `json:"lapse,omitempty"`
	Error       string  `json:"error,omitempty"`
}

// record reads the record of an output script; nil where there is none, or the
// chain has no members. Members go by their present names.
func (s *shaper) record(script []byte) *recordJSON {
	if !record.Claims(script) {
		return nil
	}
	g, err := governedNext(s.chain)
	if err != nil {
		return nil
	}
	r, err := record.FromScript(script)
	if err != nil {
		return &recordJSON{Error: err.Error()}
	}
	id := record.ID(r)
	out := &recordJSON{ID: hex.EncodeToString(id[:]), Operation: r.Op().String(), Description: g.describe(r)}
	if lapse, ok := record.Lapse(r); ok {
		out.Lapse = &lapse
	}
	return out
}
