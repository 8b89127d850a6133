package params

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/address/v2/bech32"
)

// The opcodes in the script forms that have addresses.
const (
	op0           = 0x00
	opData20      = 0x14
	opData32      = 0x20
	opPushData1   = 0x4c
	op1           = 0x51
	op16          = 0x60
	opReturn      = 0x6a
	opDup         = 0x76
	opEqual       = 0x87
	opEqualVerify = 0x88
	opHash160     = 0xa9
	opCheckSig    = 0xac
)

// maxBech32 is the longest bech32 string (BIP173).
const maxBech32 = 90

// AddressError says why a text is no address (or private key) of a chain.
type AddressError struct {
	Text   string // as given; empty where it may be a private key
	Reason string // for people

	// Positions lists, in ascending order, the bytes of Text that are
	// wrong, where that can be told: characters outside the alphabet, and
	// up to two mistyped characters of a bech32 address.
	Positions []int
}

func (e *AddressError) Error() string {
	if e.Text == "" {
		return e.Reason
	}
	return fmt.Sprintf("address %q: %s", e.Text, e.Reason)
}

// Encode writes an output script as an address: base58 for pay to public
// key hash and pay to script hash, bech32 (BIP173) for witness version 0,
// bech32m (BIP350) for versions 1 to 16. ok is false where the script has
// no address.
func (a Address) Encode(script []byte) (addr string, ok bool) {
	if hash := pubKeyHash(script); hash != nil {
		return base58.CheckEncode(hash, a.P2PKH), true
	}
	if hash := scriptHash(script); hash != nil {
		return base58.CheckEncode(hash, a.P2SH), true
	}
	version, program, ok := witnessProgram(script)
	if !ok || checkProgram(version, program) != "" {
		return "", false
	}
	data, err := bech32.ConvertBits(program, 8, 5, true)
	if err != nil {
		return "", false // cannot happen: 8 and 5 are in range
	}
	data = append([]byte{version}, data...)
	if version == 0 {
		addr, err = bech32.Encode(a.Bech32HRP, data)
	} else {
		addr, err = bech32.EncodeM(a.Bech32HRP, data)
	}
	return addr, err == nil && len(addr) <= maxBech32
}

// Decode returns the output script that an address of this chain stands
// for. The error is an *AddressError.
func (a Address) Decode(addr string) (script []byte, err error) {
	script, e := a.decode(addr)
	if e != nil {
		e.Text = addr
		return nil, e
	}
	return script, nil
}

func (a Address) decode(addr string) ([]byte, *AddressError) {
	if addr == "" {
		return nil, &AddressError{Reason: "the address is empty"}
	}
	if at := unprintable(addr); at != nil {
		return nil, &AddressError{Reason: charReason(addr, at), Positions: at}
	}
	if looksBech32(addr, a.Bech32HRP) {
		return a.decodeBech32(addr)
	}
	return a.decodeBase58(addr)
}

func (a Address) decodeBase58(addr string) ([]byte, *AddressError) {
	if at := outside(addr, base58Alphabet); at != nil {
		return nil, &AddressError{
			Reason: "is neither a bech32 address of this chain (" + a.Bech32HRP +
				"1…) nor base58: " + charReason(addr, at),
			Positions: at,
		}
	}
	const longest = 40 // 25 bytes take at most 35 characters
	if len(addr) > longest {
		return nil, &AddressError{Reason: fmt.Sprintf(
			"%d characters are too many for a base58 address", len(addr))}
	}
	payload, version, err := base58.CheckDecode(addr)
	switch {
	case err != nil:
		return nil, &AddressError{Reason: "the checksum does not match: a character is wrong or missing"}
	case len(payload) != 20:
		return nil, &AddressError{Reason: fmt.Sprintf(
			"holds %d bytes, an address holds 20", len(payload))}
	case version == a.P2PKH:
		return payToPubKeyHash(payload), nil
	case version == a.P2SH:
		return payToScriptHash(payload), nil
	}
	return nil, &AddressError{Reason: fmt.Sprintf(
		"belongs to another chain: its prefix byte is %d, this chain's are %d (public key hash) and %d (script hash)",
		version, a.P2PKH, a.P2SH)}
}

func (a Address) decodeBech32(addr string) ([]byte, *AddressError) {
	hrp, data, variant, fault := splitBech32(addr)
	if fault != nil {
		return nil, fault
	}
	if hrp != a.Bech32HRP {
		return nil, &AddressError{Reason: fmt.Sprintf(
			"belongs to another chain: it starts with %s1, this chain's addresses with %s1", hrp, a.Bech32HRP)}
	}
	if len(data) == 0 {
		return nil, &AddressError{Reason: "holds no witness version"}
	}
	version := data[0]
	if version > 16 {
		return nil, &AddressError{Reason: fmt.Sprintf("witness version %d, the last one is 16", version)}
	}
	if want := variantOf(version); variant != want {
		return nil, &AddressError{Reason: fmt.Sprintf(
			"has the checksum of %s, witness version %d needs %s",
			variantName(variant), version, variantName(want))}
	}
	program, err := bech32.ConvertBits(data[1:], 5, 8, false)
	if err != nil {
		return nil, &AddressError{Reason: "the padding bits at its end are not zero or too many"}
	}
	if reason := checkProgram(version, program); reason != "" {
		return nil, &AddressError{Reason: reason}
	}
	return payToWitness(version, program), nil
}

func variantOf(version byte) bech32.Version {
	if version == 0 {
		return bech32.Version0
	}
	return bech32.VersionM
}

func variantName(v bech32.Version) string {
	if v == bech32.Version0 {
		return "bech32"
	}
	return "bech32m"
}

// checkProgram applies BIP141's bounds to a witness program and returns
// what is wrong, or nothing.
func checkProgram(version byte, program []byte) string {
	n := len(program)
	if version == 0 && n != 20 && n != 32 {
		return fmt.Sprintf("witness version 0 holds 20 or 32 bytes, not %d", n)
	}
	if n < 2 || n > 40 {
		return fmt.Sprintf("a witness program holds 2 to 40 bytes, not %d", n)
	}
	return ""
}

// witnessProgram splits a script that is a witness program (BIP141).
func witnessProgram(script []byte) (version byte, program []byte, ok bool) {
	if len(script) < 4 || len(script) > 42 || int(script[1]) != len(script)-2 {
		return 0, nil, false
	}
	switch first := script[0]; {
	case first == op0:
		return 0, script[2:], true
	case first >= op1 && first <= op16:
		return first - op1 + 1, script[2:], true
	}
	return 0, nil, false
}

func payToWitness(version byte, program []byte) []byte {
	first := byte(op0)
	if version > 0 {
		first = op1 + version - 1
	}
	return append([]byte{first, byte(len(program))}, program...)
}

func pubKeyHash(script []byte) []byte {
	if len(script) != 25 || !bytes.HasPrefix(script, []byte{opDup, opHash160, opData20}) ||
		!bytes.HasSuffix(script, []byte{opEqualVerify, opCheckSig}) {
		return nil
	}
	return script[3:23]
}

func payToPubKeyHash(hash []byte) []byte {
	script := append([]byte{opDup, opHash160, opData20}, hash...)
	return append(script, opEqualVerify, opCheckSig)
}

func scriptHash(script []byte) []byte {
	if len(script) != 23 || script[0] != opHash160 || script[1] != opData20 || script[22] != opEqual {
		return nil
	}
	return script[2:22]
}

func payToScriptHash(hash []byte) []byte {
	return append(append([]byte{opHash160, opData20}, hash...), opEqual)
}

// looksBech32 decides by which alphabet a text is read, so that the error
// fits what its writer meant.
func looksBech32(text, hrp string) bool {
	lower := strings.ToLower(text)
	if strings.HasPrefix(lower, hrp+"1") {
		return true
	}
	one := strings.LastIndexByte(lower, '1')
	if one < 1 || len(lower)-one-1 < checksumLen {
		return false
	}
	// One case throughout, and nothing but bech32's alphabet after the
	// separator: base58 text is hardly ever like this.
	return (text == lower || text == strings.ToUpper(text)) && outside(lower[one+1:], bech32Alphabet) == nil
}
