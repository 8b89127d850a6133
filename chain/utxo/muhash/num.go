package muhash

import (
	"math/big"
	"math/bits"
	"slices"
)

const (
	limbs    = 3072 / bits.UintSize
	numBytes = 3072 / 8

	// The modulus is 2^3072 - gap, the largest safe prime of its size.
	gap = 1103717
)

// num is an integer modulo the prime, the least significant limb first. It
// may be any number below 2^3072: only reduce makes it the one below the
// modulus.
type num [limbs]big.Word

// scratch holds what a multiplication needs, so that none allocates.
// math/big multiplies in assembly, several times as fast as a loop over
// bits.Mul64; but its division takes longer than the product, and the prime
// makes do with two passes of additions.
type scratch struct{ x, y, product big.Int }

// mul sets n to n·m modulo the prime.
func (s *scratch) mul(n, m *num) {
	// SetBits takes the limbs as they are and copies nothing.
	s.product.Mul(s.x.SetBits(n[:]), s.y.SetBits(m[:]))
	n.fold(s.product.Bits())
}

// fold sets n to wide modulo the prime: 2^3072 is the same as gap there.
// wide has at most 2·limbs limbs.
func (n *num) fold(wide []big.Word) {
	clear(n[copy(n[:], wide):])
	if len(wide) <= limbs {
		return
	}
	high := wide[limbs:]
	var carry uint
	for i, x := range high {
		hi, lo := bits.Mul(uint(x), gap)
		lo, c := bits.Add(lo, carry, 0)
		hi += c
		lo, c = bits.Add(lo, uint(n[i]), 0)
		n[i], carry = big.Word(lo), hi+c
	}
	carry = n.add(len(high), carry)
	// carry ≤ gap, of weight 2^3072 again. Adding carry·gap may carry out
	// once more; what is left is then so small that the next one cannot.
	for carry != 0 {
		hi, lo := bits.Mul(carry, gap)
		carry = n.add(0, lo)
		carry += n.add(1, hi)
	}
}

// add adds x to the limb at and returns the carry out of the highest one.
func (n *num) add(at int, x uint) (carry uint) {
	for i := at; x != 0 && i < limbs; i++ {
		var sum uint
		sum, x = bits.Add(uint(n[i]), x, 0)
		n[i] = big.Word(sum)
	}
	return x
}

// reduce brings n below the modulus. A number below 2^3072 that is not has
// a sum with gap that carries out; without the carry it is the difference.
func (n *num) reduce() {
	less := *n
	if less.add(0, gap) != 0 {
		*n = less
	}
}

// divide sets n to n/m. m is not zero modulo the prime.
func (s *scratch) divide(n, m *num) {
	modulus := new(big.Int).Lsh(big.NewInt(1), 3072)
	modulus.Sub(modulus, big.NewInt(gap))
	inverse := new(big.Int).ModInverse(s.x.SetBits(m[:]), modulus)
	s.product.Mul(inverse, s.y.SetBits(n[:]))
	n.fold(s.product.Bits())
}

// bytes returns n, reduced, in little-endian order.
func (n *num) bytes() (b [numBytes]byte) {
	r := *n
	r.reduce()
	new(big.Int).SetBits(r[:]).FillBytes(b[:])
	slices.Reverse(b[:])
	return b
}

// setBytes sets n to a number in little-endian order.
func (n *num) setBytes(b *[numBytes]byte) {
	const size = bits.UintSize / 8
	for i := range n {
		var x big.Word
		for k, v := range b[i*size : (i+1)*size] {
			x |= big.Word(v) << (8 * k)
		}
		n[i] = x
	}
}
