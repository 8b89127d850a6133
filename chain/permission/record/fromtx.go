package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Located is a record and the output that holds it.
type Located struct {
	Output int
	Record
}

// FromTx returns the records of a transaction in the order of its outputs;
// nil if there are none. Any error is a *consensus.RuleError: RuleMalformed,
// RuleTooMany or RuleNoAuthorityOutput. Signatures are left to CheckSig.
func FromTx(tx *wire.MsgTx) ([]Located, error) {
	var list []Located
	for i, out := range tx.TxOut {
		if !Claims(out.PkScript) {
			continue
		}
		if len(list) == MaxPerTx {
			return nil, broke(RuleTooMany, "output %d holds the record after the %dth, which is the last allowed", i, MaxPerTx)
		}
		r, err := fromOutput(out)
		if err != nil {
			return nil, broke(RuleMalformed, "output %d: %v", i, err)
		}
		if k, _, ok := Key(r); ok && k.Roles.Any(Governing) && !paysNothingTo(tx, k.Identity) {
			return nil, broke(RuleNoAuthorityOutput, "output %d: the %s record lets the key %x act as %s, but no output of amount 0 goes to it",
				i, r.Op(), k.Identity, k.Roles&Governing)
		}
		list = append(list, Located{i, r})
	}
	return list, nil
}

// FromScript returns the record that an output script holds whose amount is
// 0. Its only error is a *consensus.RuleError of RuleMalformed.
func FromScript(script []byte) (Record, error) {
	r, err := fromOutput(wire.NewTxOut(0, script))
	if err != nil {
		return nil, broke(RuleMalformed, "%v", err)
	}
	return r, nil
}

func fromOutput(out *wire.TxOut) (Record, error) {
	data, _ := firstPush(out.PkScript)
	r, err := decode(data)
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(out.PkScript, script(data)):
		return nil, errors.New("the record is not the one minimal push of its script")
	case out.Value != 0:
		return nil, fmt.Errorf("the record has the amount %d, only 0 is allowed", out.Value)
	}
	return r, nil
}

// Claims reports whether a script claims to be a record: it begins with
// OP_RETURN and a push of any form whose data begins with the magic, also
// where that push is not minimal, is cut off, or has something behind it.
func Claims(script []byte) bool {
	data, ok := firstPush(script)
	return ok && bytes.HasPrefix(data, []byte(magic))
}

// firstPush returns the data of the push that follows OP_RETURN, as much of
// it as the script has.
func firstPush(script []byte) (data []byte, ok bool) {
	if len(script) < 2 || script[0] != txscript.OP_RETURN {
		return nil, false
	}
	op, rest, size := script[1], script[2:], 0
	switch op {
	case txscript.OP_PUSHDATA1:
		size = 1
	case txscript.OP_PUSHDATA2:
		size = 2
	case txscript.OP_PUSHDATA4:
		size = 4
	}
	if op > txscript.OP_PUSHDATA4 || len(rest) < size {
		return nil, false
	}
	n := uint64(op)
	if size > 0 {
		var le [8]byte
		copy(le[:], rest[:size])
		n, rest = binary.LittleEndian.Uint64(le[:]), rest[size:]
	}
	return rest[:min(n, uint64(len(rest)))], true
}
