package params

import (
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/address/v2/bech32"
)

const (
	base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumLen    = 6
)

// splitBech32 returns the parts of a bech32 or bech32m string. The
// human-readable part comes back in lower case.
func splitBech32(text string) (hrp string, data []byte, variant bech32.Version, fault *AddressError) {
	if len(text) > maxBech32 {
		return "", nil, 0, &AddressError{Reason: fmt.Sprintf(
			"%d characters, a bech32 address has at most %d", len(text), maxBech32)}
	}
	lower := strings.ToLower(text)
	if text != lower && text != strings.ToUpper(text) {
		return "", nil, 0, &AddressError{Reason: "mixes upper and lower case"}
	}
	one := strings.LastIndexByte(lower, '1')
	if one < 1 || len(lower)-one-1 < checksumLen {
		return "", nil, 0, &AddressError{Reason: "is too short: characters are missing at its end"}
	}
	if at := outside(lower[one+1:], bech32Alphabet); at != nil {
		for i := range at {
			at[i] += one + 1
		}
		return "", nil, 0, &AddressError{Reason: charReason(text, at), Positions: at}
	}
	hrp, data, variant, err := bech32.DecodeGeneric(lower)
	var bad bech32.ErrInvalidChecksum
	switch {
	case errors.As(err, &bad):
		return "", nil, 0, checksumFault(text, lower, one)
	case err != nil:
		return "", nil, 0, &AddressError{Reason: err.Error()}
	}
	return hrp, data, variant, nil
}

// checksumFault names the characters that are probably mistyped.
func checksumFault(text, lower string, one int) *AddressError {
	at := locate(lower, one)
	fault := &AddressError{Reason: "the checksum does not match: a character is wrong or missing", Positions: at}
	if at != nil {
		fault.Reason = "the checksum does not match: look at " + charList(text, at)
	}
	return fault
}

// The constants that the checksums of BIP173 and BIP350 leave.
const (
	bech32Residue  = 1
	bech32mResidue = 0x2bc830a3
)

// polymodStep multiplies the checksum register by x and adds value (BIP173).
func polymodStep(reg uint32, value byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	top := reg >> 25
	reg = (reg&0x1ffffff)<<5 ^ uint32(value)
	for i, g := range generator {
		if top>>i&1 == 1 {
			reg ^= g
		}
	}
	return reg
}

// residue is the checksum register after the whole string; it equals
// bech32Residue or bech32mResidue where the string is right.
func residue(lower string, one int) uint32 {
	reg := uint32(1)
	for i := range one {
		reg = polymodStep(reg, lower[i]>>5)
	}
	reg = polymodStep(reg, 0)
	for i := range one {
		reg = polymodStep(reg, lower[i]&31)
	}
	for i := one + 1; i < len(lower); i++ {
		reg = polymodStep(reg, byte(strings.IndexByte(bech32Alphabet, lower[i])))
	}
	return reg
}

// locate returns the positions of the one or two characters after the
// separator whose change would make the checksum right, or nothing where
// there are more or where they could be others too.
//
// The checksum is linear: a change of one character by d at a position
// changes the residue by a pattern of its own, whatever the other
// characters are. So the patterns of all single changes are listed, and
// one pattern, or a pair of them, is sought that makes up the difference.
// Which of the two checksums was meant is not known, since the version may
// be what is wrong: the one with fewer wrong characters counts.
func locate(lower string, one int) []int {
	got := residue(lower, one)
	var found []int
	for _, want := range []uint32{bech32Residue, bech32mResidue} {
		at := locateDifference(got^want, one+1, len(lower))
		if at == nil {
			continue
		}
		if found == nil || len(at) < len(found) {
			found = at
		} else if len(at) == len(found) {
			return nil // either could be meant
		}
	}
	return found
}

func locateDifference(diff uint32, from, to int) []int {
	patterns := make(map[uint32]int, (to-from)*31)
	for d := byte(1); d < 32; d++ {
		reg := uint32(d) // the change as it stands at the last position
		for pos := to - 1; pos >= from; pos-- {
			patterns[reg] = pos
			reg = polymodStep(reg, 0)
		}
	}
	if pos, ok := patterns[diff]; ok {
		return []int{pos}
	}
	for pattern, pos := range patterns {
		if other, ok := patterns[diff^pattern]; ok && other != pos {
			return []int{min(pos, other), max(pos, other)}
		}
	}
	return nil
}

// outside lists the positions of the bytes that are not in the alphabet.
func outside(text, alphabet string) []int {
	var at []int
	for i := range len(text) {
		if strings.IndexByte(alphabet, text[i]) < 0 {
			at = append(at, i)
		}
	}
	return at
}

// unprintable lists the positions of the bytes that are no printable ASCII.
func unprintable(text string) []int {
	var at []int
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			at = append(at, i)
		}
	}
	return at
}

func charReason(text string, at []int) string {
	if len(at) == 1 {
		return charList(text, at) + " cannot be part of it"
	}
	return charList(text, at) + " cannot be parts of it"
}

// charList names up to three characters by value and place, counting from
// one as people do.
func charList(text string, at []int) string {
	var parts []string
	for _, i := range at[:min(len(at), 3)] {
		parts = append(parts, fmt.Sprintf("character %d (%q)", i+1, text[i]))
	}
	list := strings.Join(parts, " and ")
	if len(at) > 3 {
		list += fmt.Sprintf(" and %d more", len(at)-3)
	}
	return list
}
