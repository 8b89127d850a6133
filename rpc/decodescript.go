package rpc

import (
	"context"
	"crypto/sha256"

	"github.com/btcsuite/btcd/address/v2"
)

type scriptJSON struct {
	scriptPubKeyJSON
	P2SH   string        `json:"p2sh,omitempty"`
	Segwit *segwitScript `json:"segwit,omitempty"`
}

type segwitScript struct {
	scriptPubKeyJSON
	P2SHSegwit string `json:"p2sh-segwit"`
}

func (m *rawTxMethods) decodeScript(_ context.Context, c *call) (any, error) {
	script := c.bytes(0, codeInvalidParam)
	if c.err != nil {
		return nil, c.err
	}
	out := scriptJSON{scriptPubKeyJSON: m.shape.scriptPubKey(script)}
	out.Hex = nil // the caller has it
	f := recognize(script)
	if !canWrap(script, f.kind) {
		return out, nil
	}
	out.P2SH = m.p2sh(script)
	if inner, ok := segwitFor(script, &f); ok {
		out.Segwit = &segwitScript{m.shape.scriptPubKey(inner), m.p2sh(inner)}
		if f.kind == typeMultiSig {
			d, _ := keyDescriptor(&f, true)
			out.Segwit.Desc = withChecksum("wsh(" + d + ")")
		}
	}
	return out, nil
}

func (m *rawTxMethods) p2sh(script []byte) string {
	wrapped := append([]byte{opHash160, 20}, address.Hash160(script)...)
	addr, _ := m.shape.address.Encode(append(wrapped, opEqual)) // every such script has one
	return addr
}

// canWrap reports whether a script can be the inside of P2SH or P2WSH.
func canWrap(script []byte, kind scriptType) bool {
	switch kind {
	case typeNullData, typeScriptHash, typeWitness, typeTaproot, typeAnchor:
		return false
	}
	if unspendable(script) {
		return false
	}
	list, ok := instructions(script)
	if !ok {
		return false
	}
	for _, in := range list {
		// Opcodes that only tapscript knows, or nobody (BIP342).
		if in.op >= opCheckSigAdd || opSuccess(in.op) || len(in.data) > maxElementSize {
			return false
		}
	}
	return true
}

// maxElementSize is the most bytes that a script may push at once.
const maxElementSize = 520

// opSuccess lists the opcodes that make a tapscript succeed (BIP342).
func opSuccess(op byte) bool {
	return op == 80 || op == 98 || (op >= 126 && op <= 129) || (op >= 131 && op <= 134) ||
		(op >= 137 && op <= 138) || (op >= 141 && op <= 142) || (op >= 149 && op <= 153) || (op >= 187 && op <= 254)
}

// segwitFor returns the witness output under which a script can be used.
func segwitFor(script []byte, f *form) ([]byte, bool) {
	switch f.kind {
	case typePubKey, typeMultiSig:
		for _, key := range f.keys {
			if len(key) != 33 {
				return nil, false
			}
		}
		if f.kind == typePubKey {
			return append([]byte{op0, 20}, address.Hash160(f.keys[0])...), true
		}
	case typePubKeyHash:
		return append([]byte{op0, 20}, f.hash...), true
	case typeNonStandard:
	default:
		return nil, false
	}
	sum := sha256.Sum256(script)
	return append([]byte{op0, 32}, sum[:]...), true
}
