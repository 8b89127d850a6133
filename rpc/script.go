package rpc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The opcodes that this package looks for.
const (
	op0             = 0x00
	opPushData1     = 0x4c
	opPushData2     = 0x4d
	opPushData4     = 0x4e
	op1Negate       = 0x4f
	opReserved      = 0x50
	op1             = 0x51
	op16            = 0x60
	opReturn        = 0x6a
	opDup           = 0x76
	opEqual         = 0x87
	opEqualVerify   = 0x88
	opHash160       = 0xa9
	opCheckSig      = 0xac
	opCheckMultiSig = 0xae
	opNop10         = 0xb9
	opCheckSigAdd   = 0xba
	opInvalid       = 0xff
)

// maxScriptSize is the size above which an output can never be spent.
const maxScriptSize = 10_000

// instruction is one opcode of a script with what it pushes.
type instruction struct {
	op   byte
	data []byte
	size int // bytes with opcode and length
}

// nextInstruction reads one instruction. ok is false where the script ends inside
// it. b must not be empty.
func nextInstruction(b []byte) (in instruction, ok bool) {
	in.op = b[0]
	head, n := 1, 0
	switch {
	case in.op < opPushData1:
		n = int(in.op)
	case in.op == opPushData1 && len(b) >= 2:
		head, n = 2, int(b[1])
	case in.op == opPushData2 && len(b) >= 3:
		head, n = 3, int(binary.LittleEndian.Uint16(b[1:]))
	case in.op == opPushData4 && len(b) >= 5:
		size := binary.LittleEndian.Uint32(b[1:])
		if uint64(size) > uint64(len(b)) {
			return in, false
		}
		head, n = 5, int(size)
	case in.op <= opPushData4:
		return in, false
	}
	if n > len(b)-head {
		return in, false
	}
	in.data, in.size = b[head:head+n], head+n
	return in, true
}

// instructions splits a script. ok is false where its end is cut off.
func instructions(script []byte) (list []instruction, ok bool) {
	for len(script) > 0 {
		in, ok := nextInstruction(script)
		if !ok {
			return list, false
		}
		list = append(list, in)
		script = script[in.size:]
	}
	return list, true
}

func pushOnly(script []byte) bool {
	for len(script) > 0 {
		in, ok := nextInstruction(script)
		if !ok || in.op > op16 {
			return false
		}
		script = script[in.size:]
	}
	return true
}

// unspendable reports whether an output with this script can never be spent.
func unspendable(script []byte) bool {
	return len(script) > maxScriptSize || (len(script) > 0 && script[0] == opReturn)
}

// asm writes a script as Bitcoin Core does. With signatures set, what looks like
// an ECDSA signature has its hash type named, as in an input's script.
func asm(script []byte, signatures bool) string {
	var b strings.Builder
	signatures = signatures && !unspendable(script)
	for len(script) > 0 {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		in, ok := nextInstruction(script)
		if !ok {
			b.WriteString("[error]")
			break
		}
		b.WriteString(in.asm(signatures))
		script = script[in.size:]
	}
	return b.String()
}

func (in *instruction) asm(signatures bool) string {
	switch {
	case in.op > opPushData4:
		return opName(in.op)
	case len(in.data) <= 4:
		return strconv.FormatInt(scriptNumber(in.data), 10)
	}
	if signatures {
		if name := sigHashName(in.data); name != "" {
			return hex.EncodeToString(in.data[:len(in.data)-1]) + "[" + name + "]"
		}
	}
	return hex.EncodeToString(in.data)
}

// scriptNumber reads up to four bytes as the script engine does: little-endian,
// the top bit is the sign.
func scriptNumber(b []byte) int64 {
	var v int64
	for i, x := range b {
		v |= int64(x) << (8 * i)
	}
	if n := len(b); n > 0 && b[n-1]&0x80 != 0 {
		return -(v &^ (0x80 << (8 * (n - 1))))
	}
	return v
}

// sigHashName names the hash type at the end of a strictly encoded ECDSA
// signature (BIP66). It is empty for anything else.
func sigHashName(sig []byte) string {
	if !strictDER(sig) {
		return ""
	}
	last := sig[len(sig)-1]
	name := map[byte]string{1: "ALL", 2: "NONE", 3: "SINGLE"}[last&^0x80]
	if name != "" && last&0x80 != 0 {
		name += "|ANYONECANPAY"
	}
	return name
}

// strictDER reports whether sig is 0x30 [length] 0x02 [R] 0x02 [S] [hash type]
// with minimal positive integers (BIP66).
func strictDER(sig []byte) bool {
	if len(sig) < 9 || len(sig) > 73 || sig[0] != 0x30 || int(sig[1]) != len(sig)-3 {
		return false
	}
	rest := sig[2 : len(sig)-1]
	for range 2 {
		if len(rest) < 3 || rest[0] != 0x02 {
			return false
		}
		n := int(rest[1])
		if n == 0 || n > len(rest)-2 {
			return false
		}
		v := rest[2 : 2+n]
		if v[0]&0x80 != 0 || (n > 1 && v[0] == 0 && v[1]&0x80 == 0) {
			return false
		}
		rest = rest[2+n:]
	}
	return len(rest) == 0
}

// opName names an opcode that pushes no bytes of the script.
func opName(op byte) string {
	switch {
	case op == op1Negate:
		return "-1"
	case op >= op1 && op <= op16:
		return strconv.Itoa(int(op) - op1 + 1)
	case op >= 0xb3 && op <= opNop10:
		return fmt.Sprintf("OP_NOP%d", int(op)-0xb3+4)
	case op == opReserved:
		return "OP_RESERVED"
	case op == opInvalid:
		return "OP_INVALIDOPCODE"
	}
	names := opNames()
	if i := int(op) - 0x61; i >= 0 && i < len(names) {
		return "OP_" + names[i]
	}
	if op == opCheckSigAdd {
		return "OP_CHECKSIGADD"
	}
	return "OP_UNKNOWN"
}

// opNames names the opcodes from 0x61 on.
func opNames() [0x52]string {
	return [...]string{
		"NOP", "VER", "IF", "NOTIF", "VERIF", "VERNOTIF", "ELSE", "ENDIF", "VERIFY", "RETURN",
		"TOALTSTACK", "FROMALTSTACK", "2DROP", "2DUP", "3DUP", "2OVER", "2ROT", "2SWAP",
		"IFDUP", "DEPTH", "DROP", "DUP", "NIP", "OVER", "PICK", "ROLL", "ROT", "SWAP", "TUCK",
		"CAT", "SUBSTR", "LEFT", "RIGHT", "SIZE",
		"INVERT", "AND", "OR", "XOR", "EQUAL", "EQUALVERIFY", "RESERVED1", "RESERVED2",
		"1ADD", "1SUB", "2MUL", "2DIV", "NEGATE", "ABS", "NOT", "0NOTEQUAL",
		"ADD", "SUB", "MUL", "DIV", "MOD", "LSHIFT", "RSHIFT",
		"BOOLAND", "BOOLOR", "NUMEQUAL", "NUMEQUALVERIFY", "NUMNOTEQUAL", "LESSTHAN", "GREATERTHAN",
		"LESSTHANOREQUAL", "GREATERTHANOREQUAL", "MIN", "MAX", "WITHIN",
		"RIPEMD160", "SHA1", "SHA256", "HASH160", "HASH256", "CODESEPARATOR",
		"CHECKSIG", "CHECKSIGVERIFY", "CHECKMULTISIG", "CHECKMULTISIGVERIFY",
		"NOP1", "CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY",
	}
}
