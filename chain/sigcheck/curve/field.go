package curve

import (
	"encoding/binary"
	"math/bits"
)

// foldP is 2^256 mod p: p = 2^256 - foldP.
const foldP = 0x1000003D1

const ones = ^uint64(0)

// fe is an integer modulo p = 2^256 - 2^32 - 977, in four 64-bit limbs, the
// least significant first.
//
// Reduction is lazy: the limbs hold any representative below 2^256, so a
// residue below foldP has two forms (v and v+p). Each function takes and
// gives such values; those that need the one form below p (bytes, parity,
// comparison) reduce on their own. Arguments may be the receiver.
type fe [4]uint64

var (
	feZero  = fe{}
	feOne   = fe{1}
	feSeven = fe{7}
)

// setBytes reads 32 bytes, big endian. It reports whether they are below p.
func (z *fe) setBytes(b *[32]byte) bool {
	z[3] = binary.BigEndian.Uint64(b[0:8])
	z[2] = binary.BigEndian.Uint64(b[8:16])
	z[1] = binary.BigEndian.Uint64(b[16:24])
	z[0] = binary.BigEndian.Uint64(b[24:32])
	return !z.overflows()
}

// bytes gives the residue below p, big endian.
func (z *fe) bytes() (b [32]byte) {
	r := *z
	r.normalize()
	binary.BigEndian.PutUint64(b[0:8], r[3])
	binary.BigEndian.PutUint64(b[8:16], r[2])
	binary.BigEndian.PutUint64(b[16:24], r[1])
	binary.BigEndian.PutUint64(b[24:32], r[0])
	return b
}

// overflows reports whether the limbs hold p or more.
func (z *fe) overflows() bool {
	return z[0] >= ^uint64(foldP)+1 && z[1]&z[2]&z[3] == ones
}

// normalize brings z below p.
func (z *fe) normalize() {
	if z.overflows() {
		*z = fe{z[0] + foldP} // the other limbs of z are those of p
	}
}

func (z *fe) isZero() bool {
	if z[1] != z[2] || z[2] != z[3] {
		return false
	}
	return z[0]|z[1] == 0 || z[0] == ^uint64(foldP)+1 && z[1] == ones
}

func (z *fe) isOdd() bool { return (z[0]&1 != 0) != z.overflows() }

func (z *fe) equal(x *fe) bool {
	var d fe
	d.sub(z, x)
	return d.isZero()
}

func (z *fe) add(x, y *fe) {
	t0, c := bits.Add64(x[0], y[0], 0)
	t1, c := bits.Add64(x[1], y[1], c)
	t2, c := bits.Add64(x[2], y[2], c)
	t3, c := bits.Add64(x[3], y[3], c)
	t0, c = bits.Add64(t0, foldP&-c, 0)
	t1, c = bits.Add64(t1, 0, c)
	t2, c = bits.Add64(t2, 0, c)
	t3, c = bits.Add64(t3, 0, c)
	if c != 0 { // both near 2^256: what is left is far below 2^64 - foldP
		t0 += foldP
	}
	z[0], z[1], z[2], z[3] = t0, t1, t2, t3
}

func (z *fe) sub(x, y *fe) {
	t0, c := bits.Sub64(x[0], y[0], 0)
	t1, c := bits.Sub64(x[1], y[1], c)
	t2, c := bits.Sub64(x[2], y[2], c)
	t3, c := bits.Sub64(x[3], y[3], c)
	t0, c = bits.Sub64(t0, foldP&-c, 0)
	t1, c = bits.Sub64(t1, 0, c)
	t2, c = bits.Sub64(t2, 0, c)
	t3, c = bits.Sub64(t3, 0, c)
	if c != 0 { // now within foldP of 2^256
		t0 -= foldP
	}
	z[0], z[1], z[2], z[3] = t0, t1, t2, t3
}

func (z *fe) neg(x *fe) { z.sub(&feZero, x) }

// half gives x/2.
func (z *fe) half(x *fe) {
	m := -(x[0] & 1) // add p to what is odd
	t0, c := bits.Add64(x[0], m&(^uint64(foldP)+1), 0)
	t1, c := bits.Add64(x[1], m, c)
	t2, c := bits.Add64(x[2], m, c)
	t3, c := bits.Add64(x[3], m, c)
	z[0] = t0>>1 | t1<<63
	z[1] = t1>>1 | t2<<63
	z[2] = t2>>1 | t3<<63
	z[3] = t3>>1 | c<<63
}

// sqrN squares x n times; n > 0.
func (z *fe) sqrN(x *fe, n int) {
	z.sqr(x)
	for range n - 1 {
		z.sqr(z)
	}
}

// sqrt gives x^((p+1)/4), which is a square root of x if x has one, and
// reports whether it is.
//
// The exponent in binary is 223 ones, a zero, 22 ones, 4 zeros, 2 ones, 2
// zeros; xN below is x^(2^N - 1).
func (z *fe) sqrt(x *fe) bool {
	a := *x
	var x2, x3, x6, x9, x11, x22, x44, x88, x176, x220, r fe
	x2.sqr(&a)
	x2.mul(&x2, &a)
	x3.sqr(&x2)
	x3.mul(&x3, &a)
	x6.sqrN(&x3, 3)
	x6.mul(&x6, &x3)
	x9.sqrN(&x6, 3)
	x9.mul(&x9, &x3)
	x11.sqrN(&x9, 2)
	x11.mul(&x11, &x2)
	x22.sqrN(&x11, 11)
	x22.mul(&x22, &x11)
	x44.sqrN(&x22, 22)
	x44.mul(&x44, &x22)
	x88.sqrN(&x44, 44)
	x88.mul(&x88, &x44)
	x176.sqrN(&x88, 88)
	x176.mul(&x176, &x88)
	x220.sqrN(&x176, 44)
	x220.mul(&x220, &x44)
	r.sqrN(&x220, 3)
	r.mul(&r, &x3)
	r.sqrN(&r, 23)
	r.mul(&r, &x22)
	r.sqrN(&r, 6)
	r.mul(&r, &x2)
	z.sqrN(&r, 2)

	var check fe
	check.sqr(z)
	return check.equal(&a)
}

// inv gives 1/x, and 0 for 0.
func (z *fe) inv(x *fe) {
	v := *x
	v.normalize()
	*z = fe(inverse([4]uint64(v), &modulusP))
}

// invertAll replaces each of the elements by its inverse with one inversion
// and three multiplications each. None may be zero. scratch is as long.
func invertAll(a, scratch []fe) {
	acc := feOne
	for i := range a {
		scratch[i] = acc
		acc.mul(&acc, &a[i])
	}
	acc.inv(&acc)
	for i := len(a) - 1; i >= 0; i-- {
		next := a[i]
		a[i].mul(&acc, &scratch[i])
		acc.mul(&acc, &next)
	}
}
