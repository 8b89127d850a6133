package params

import "math/big"

// ExpandBits returns the target that compact bits stand for: the highest
// byte is a length in bytes, the other three the leading digits. ok is false
// where they are negative, zero or above 256 bits.
func ExpandBits(bits uint32) (target *big.Int, ok bool) {
	size, mantissa := bits>>24, bits&0x007fffff
	if mantissa == 0 || bits&0x00800000 != 0 {
		return new(big.Int), false
	}
	target = big.NewInt(int64(mantissa))
	if size <= 3 {
		target.Rsh(target, uint(8*(3-size)))
	} else {
		target.Lsh(target, uint(8*(size-3)))
	}
	return target, target.Sign() > 0 && target.BitLen() <= 256
}

// CompactBits returns the compact form of a target, rounded down to three
// significant bytes. The target must not be negative.
func CompactBits(target *big.Int) uint32 {
	size := uint32(target.BitLen()+7) / 8
	var mantissa uint32
	if size <= 3 {
		mantissa = uint32(target.Uint64()) << (8 * (3 - size))
	} else {
		mantissa = uint32(new(big.Int).Rsh(target, uint(8*(size-3))).Uint64())
	}
	if mantissa&0x00800000 != 0 { // would read as negative
		mantissa >>= 8
		size++
	}
	return size<<24 | mantissa
}
