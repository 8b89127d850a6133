package consensus

import (
	"math/big"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// signBit marks a compact number as negative. It takes one of the 24 bits of
// the mantissa.
const signBit = 0x00800000

// CompactToTarget expands bits, Bitcoin's floating-point form of a 256-bit
// number: the top byte is a length in bytes, the lower 23 bits are the most
// significant bytes, bit 23 is the sign. target is the absolute value.
// negative and overflow report encodings that are no target: a set sign with
// a mantissa other than 0, and a number of more than 256 bits (target is
// then nil).
func CompactToTarget(bits uint32) (target *big.Int, negative, overflow bool) {
	size := uint(bits >> 24)
	word := bits & (signBit - 1)
	if size < 3 {
		word >>= 8 * (3 - size)
		size = 3
	}
	if word == 0 {
		return new(big.Int), false, false
	}
	negative = bits&signBit != 0
	target = new(big.Int).SetUint64(uint64(word))
	if uint(target.BitLen())+8*(size-3) > 256 {
		return nil, negative, true
	}
	return target.Lsh(target, 8*(size-3)), negative, false
}

// TargetToCompact is the compact form of target, which must not be
// negative. Bits beyond the 23 most significant (rounded down to whole
// bytes) are lost.
func TargetToCompact(target *big.Int) uint32 {
	size := uint(target.BitLen()+7) / 8
	var word uint32
	if size <= 3 {
		word = uint32(target.Uint64()) << (8 * (3 - size))
	} else {
		word = uint32(new(big.Int).Rsh(target, 8*(size-3)).Uint64())
	}
	if word&signBit != 0 { // would read as negative
		word >>= 8
		size++
	}
	return uint32(size)<<24 | word
}

// Work is the expected number of hashes that a block with bits takes:
// 2^256 / (target+1), and 0 for bits that are no target.
func Work(bits uint32) *big.Int {
	target, negative, overflow := CompactToTarget(bits)
	if negative || overflow || target.Sign() == 0 {
		return new(big.Int)
	}
	space := new(big.Int).Lsh(big.NewInt(1), 256)
	return space.Div(space, target.Add(target, big.NewInt(1)))
}

// Difficulty is the ratio of the target 1d00ffff to that of bits, as people
// and RPC show it. It takes part in no rule. It is 0 for bits without a
// mantissa.
func Difficulty(bits uint32) float64 {
	word := bits & 0x00ffffff
	if word == 0 {
		return 0
	}
	d := float64(0x0000ffff) / float64(word)
	for size := bits >> 24; size < 29; size++ {
		d *= 256
	}
	for size := bits >> 24; size > 29; size-- {
		d /= 256
	}
	return d
}

// meets reports whether a hash is proof of work for target.
func meets(hash *chainhash.Hash, target *big.Int) bool {
	return hashValue(hash).Cmp(target) <= 0
}

// hashValue reads a hash as the number that is compared with a target.
func hashValue(hash *chainhash.Hash) *big.Int {
	var be [chainhash.HashSize]byte
	for i, b := range hash {
		be[len(be)-1-i] = b
	}
	return new(big.Int).SetBytes(be[:])
}
