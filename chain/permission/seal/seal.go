package seal

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// magic starts the data of every output of this package; a byte for the type
// follows.
const magic = "CHS"

// Types of data in a coinbase.
const (
	typeSeal    = 0x01
	typeRestart = 0x02
)

const (
	keySize  = 32
	sigSize  = 64
	dataSize = len(magic) + 1 + keySize + sigSize // 100

	sigStart   = 3 + dataSize - sigSize // offset in the script
	scriptSize = 3 + dataSize
)

// Seal is what a coinbase says about who made the block.
type Seal struct {
	Key    [32]byte // x-only
	Sig    [64]byte // BIP340, over Message
	Output int      // index in the coinbase
}

// Script returns the output script of a seal. Its amount is 0.
func Script(key [32]byte, sig [64]byte) []byte {
	script := make([]byte, 0, scriptSize)
	script = append(script, txscript.OP_RETURN, txscript.OP_PUSHDATA1, byte(dataSize))
	script = append(script, magic...)
	script = append(script, typeSeal)
	script = append(script, key[:]...)
	return append(script, sig[:]...)
}

// Find returns the seal of a coinbase and, where it has one, its restart
// certificate. It checks their number, form and amounts, and no signature.
// Errors are *consensus.RuleError.
func Find(coinbase *wire.MsgTx) (*Seal, *Certificate, error) {
	var (
		seal *Seal
		cert *Certificate
	)
	for i, out := range coinbase.TxOut {
		kind, ok := claim(out.PkScript)
		switch {
		case !ok:
			continue
		case kind == typeRestart:
			if cert != nil {
				return nil, nil, broke(RuleRestartMultiple, "output %d is a second restart certificate", i)
			}
			c, err := restartOf(out)
			if err != nil {
				return nil, nil, broke(RuleRestartMalformed, "output %d: %v", i, err)
			}
			cert = c
		default:
			s, err := sealOf(out, i)
			if err != nil {
				return nil, nil, err
			}
			if seal != nil {
				return nil, nil, broke(RuleMultiple, "outputs %d and %d are seals", seal.Output, i)
			}
			seal = s
		}
	}
	if seal == nil {
		return nil, nil, broke(RuleMissing, "none of %d coinbase outputs is a seal", len(coinbase.TxOut))
	}
	return seal, cert, nil
}

// claim reports whether script returns data that starts with the magic,
// whatever form the push has and even if the script ends within it, and of
// which type the data is; 0 where the script ends before the type.
func claim(script []byte) (kind byte, ok bool) {
	if len(script) < 2 || script[0] != txscript.OP_RETURN {
		return 0, false
	}
	announced, data := pushed(script[1:])
	if announced < len(magic) || !bytes.HasPrefix(data, []byte(magic)) {
		return 0, false
	}
	if announced == len(magic) || len(data) == len(magic) {
		return 0, true
	}
	return data[len(magic)], true
}

// pushed splits the push that script starts with into the length that it
// announces and all that follows. Other opcodes announce nothing.
func pushed(script []byte) (announced int, data []byte) {
	op, rest := script[0], script[1:]
	width := 0
	switch {
	case op <= txscript.OP_DATA_75:
		return int(op), rest
	case op == txscript.OP_PUSHDATA1:
		width = 1
	case op == txscript.OP_PUSHDATA2:
		width = 2
	case op == txscript.OP_PUSHDATA4:
		width = 4
	}
	if width == 0 || len(rest) < width {
		return 0, nil
	}
	for i := width - 1; i >= 0; i-- {
		announced = announced<<8 | int(rest[i])
	}
	return announced, rest[width:]
}

// sealOf reads an output that claims to be a seal or is of no known type.
func sealOf(out *wire.TxOut, index int) (*Seal, error) {
	s := &Seal{Output: index}
	if len(out.PkScript) == scriptSize {
		copy(s.Key[:], out.PkScript[sigStart-keySize:])
		copy(s.Sig[:], out.PkScript[sigStart:])
	}
	if !bytes.Equal(out.PkScript, Script(s.Key, s.Sig)) {
		return nil, broke(RuleMalformed, "output %d starts as a seal, of %d bytes; a seal has %d and one form", index, len(out.PkScript), scriptSize)
	}
	if out.Value != 0 {
		return nil, broke(RuleMalformed, "output %d is a seal with amount %d; it must be 0", index, out.Value)
	}
	return s, nil
}
