package fastpath

import (
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/sigcheck/curve"
)

// halfOrder is half of the group's order, rounded down: the largest low s.
const halfOrder = "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" +
	"\x5d\x57\x6e\x73\x57\xa4\x50\x1d\xdf\xe9\x2f\x46\x68\x1b\x20\xa0"

// definedHashType reports whether the byte is ALL, NONE or SINGLE, with or
// without ANYONECANPAY.
func definedHashType(b byte) bool {
	b &^= byte(txscript.SigHashAnyOneCanPay)
	return b >= byte(txscript.SigHashAll) && b <= byte(txscript.SigHashSingle)
}

// parseECDSA reads a signature in strict DER with the byte of its hash type,
// which has to be defined. Both numbers are at least 1 and below the order,
// and with lowS s is a low one.
//
// Source: BIP66, BIP146 for low s.
func parseECDSA(sig []byte, lowS bool) (rs [64]byte, hashType byte, ok bool) {
	// 0x30, length of the rest, then twice 0x02, length, number.
	if len(sig) < 9 || len(sig) > 73 || sig[0] != 0x30 || int(sig[1]) != len(sig)-3 {
		return rs, 0, false
	}
	hashType = sig[len(sig)-1]
	rest, okR := cutNumber(sig[2:len(sig)-1], (*[32]byte)(rs[:32]))
	rest, okS := cutNumber(rest, (*[32]byte)(rs[32:]))
	if !okR || !okS || len(rest) != 0 || !definedHashType(hashType) {
		return rs, 0, false
	}
	if lowS && string(rs[32:]) > halfOrder {
		return rs, 0, false
	}
	return rs, hashType, true
}

// cutNumber reads an integer in strict DER that is at least 1 and below the
// order of the group.
func cutNumber(b []byte, into *[32]byte) (rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 2 || int(b[1]) > len(b)-2 || b[1] == 0 {
		return nil, false
	}
	number, rest := b[2:2+b[1]], b[2+b[1]:]
	switch {
	case number[0] >= 0x80: // negative
		return nil, false
	case number[0] == 0:
		if len(number) == 1 || number[1] < 0x80 { // zero or padded
			return nil, false
		}
		number = number[1:]
	}
	if len(number) > 32 {
		return nil, false
	}
	copy(into[32-len(number):], number)
	n, ok := curve.ParseScalar(into)
	return rest, ok && !n.IsZero()
}

// cutPush cuts an operation that pushes 2 to 520 bytes in the shortest form
// off the front of a script.
func cutPush(script []byte) (data, rest []byte, ok bool) {
	if len(script) == 0 {
		return nil, nil, false
	}
	n, head := int(script[0]), 1
	switch {
	case n >= 2 && n <= txscript.OP_DATA_75:
	case n == txscript.OP_PUSHDATA1 && len(script) > 2 && script[1] > txscript.OP_DATA_75:
		n, head = int(script[1]), 2
	case n == txscript.OP_PUSHDATA2 && len(script) > 3 && script[2] > 0:
		n, head = int(script[1])|int(script[2])<<8, 3
	default:
		return nil, nil, false
	}
	if n > txscript.MaxScriptElementSize || len(script) < head+n {
		return nil, nil, false
	}
	return script[head : head+n], script[head+n:], true
}

// cutStack reads a script of OP_0 and then pushes into items, and gives their
// number.
func cutStack(script []byte, items [][]byte) (n int, ok bool) {
	if len(script) == 0 || script[0] != txscript.OP_0 {
		return 0, false
	}
	items[0], script = nil, script[1:]
	for n = 1; len(script) > 0; n++ {
		if n == len(items) {
			return 0, false
		}
		if items[n], script, ok = cutPush(script); !ok {
			return 0, false
		}
	}
	return n, true
}
