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

// mul is the schoolbook product, row by row, and two folds by
// 2^256 = foldP. The first leaves a fifth limb of at most 34 bits, the second
// at most a carry, with the rest below 2^68 where there is one.
func (z *fe) mul(x, y *fe) {
	y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
	var c uint64

	v := x[0]
	a1, t0 := bits.Mul64(v, y0)
	a2, t1 := bits.Mul64(v, y1)
	a3, t2 := bits.Mul64(v, y2)
	t4, t3 := bits.Mul64(v, y3)
	t1, c = bits.Add64(t1, a1, 0)
	t2, c = bits.Add64(t2, a2, c)
	t3, c = bits.Add64(t3, a3, c)
	t4, _ = bits.Add64(t4, 0, c)

	v = x[1]
	a1, l0 := bits.Mul64(v, y0)
	a2, l1 := bits.Mul64(v, y1)
	a3, l2 := bits.Mul64(v, y2)
	t5, l3 := bits.Mul64(v, y3)
	l1, c = bits.Add64(l1, a1, 0)
	l2, c = bits.Add64(l2, a2, c)
	l3, c = bits.Add64(l3, a3, c)
	t5, _ = bits.Add64(t5, 0, c)
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5, _ = bits.Add64(t5, 0, c)

	v = x[2]
	a1, l0 = bits.Mul64(v, y0)
	a2, l1 = bits.Mul64(v, y1)
	a3, l2 = bits.Mul64(v, y2)
	t6, l3 := bits.Mul64(v, y3)
	l1, c = bits.Add64(l1, a1, 0)
	l2, c = bits.Add64(l2, a2, c)
	l3, c = bits.Add64(l3, a3, c)
	t6, _ = bits.Add64(t6, 0, c)
	t2, c = bits.Add64(t2, l0, 0)
	t3, c = bits.Add64(t3, l1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, l3, c)
	t6, _ = bits.Add64(t6, 0, c)

	v = x[3]
	a1, l0 = bits.Mul64(v, y0)
	a2, l1 = bits.Mul64(v, y1)
	a3, l2 = bits.Mul64(v, y2)
	t7, l3 := bits.Mul64(v, y3)
	l1, c = bits.Add64(l1, a1, 0)
	l2, c = bits.Add64(l2, a2, c)
	l3, c = bits.Add64(l3, a3, c)
	t7, _ = bits.Add64(t7, 0, c)
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	t5, c = bits.Add64(t5, l2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7, _ = bits.Add64(t7, 0, c)

	// From here on the same as in sqr; a shared function would not be inlined.
	a1, l0 = bits.Mul64(t4, foldP)
	a2, l1 = bits.Mul64(t5, foldP)
	a3, l2 = bits.Mul64(t6, foldP)
	h, l3 := bits.Mul64(t7, foldP)
	l1, c = bits.Add64(l1, a1, 0)
	l2, c = bits.Add64(l2, a2, c)
	l3, c = bits.Add64(l3, a3, c)
	h, _ = bits.Add64(h, 0, c)
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, l1, c)
	t2, c = bits.Add64(t2, l2, c)
	t3, c = bits.Add64(t3, l3, c)
	h, _ = bits.Add64(h, 0, c)
	h, l0 = bits.Mul64(h, foldP)
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, h, c)
	t2, c = bits.Add64(t2, 0, c)
	t3, c = bits.Add64(t3, 0, c)
	if c != 0 {
		t0, c = bits.Add64(t0, foldP, 0)
		t1, _ = bits.Add64(t1, 0, c)
	}
	z[0], z[1], z[2], z[3] = t0, t1, t2, t3
}

// sqr is mul(x, x) with each mixed product computed once.
func (z *fe) sqr(x *fe) {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	var c uint64

	t2, t1 := bits.Mul64(x0, x1)
	a3, l2 := bits.Mul64(x0, x2)
	t4, t3 := bits.Mul64(x0, x3)
	t2, c = bits.Add64(t2, l2, 0)
	t3, c = bits.Add64(t3, a3, c)
	t4, _ = bits.Add64(t4, 0, c)
	h, l := bits.Mul64(x1, x2)
	t3, c = bits.Add64(t3, l, 0)
	t4, c = bits.Add64(t4, h, c)
	t5, l := bits.Mul64(x1, x3)
	t5, _ = bits.Add64(t5, 0, c)
	t4, c = bits.Add64(t4, l, 0)
	t6, l := bits.Mul64(x2, x3)
	t5, c = bits.Add64(t5, l, c)
	t6, _ = bits.Add64(t6, 0, c)

	t7 := t6 >> 63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1

	h0, t0 := bits.Mul64(x0, x0)
	h1, l1 := bits.Mul64(x1, x1)
	h2, l2 := bits.Mul64(x2, x2)
	h3, l3 := bits.Mul64(x3, x3)
	t1, c = bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, h1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, h2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7, _ = bits.Add64(t7, h3, c)

	a1, l0 := bits.Mul64(t4, foldP)
	a2, l1 := bits.Mul64(t5, foldP)
	a3, l2 = bits.Mul64(t6, foldP)
	h, l3 = bits.Mul64(t7, foldP)
	l1, c = bits.Add64(l1, a1, 0)
	l2, c = bits.Add64(l2, a2, c)
	l3, c = bits.Add64(l3, a3, c)
	h, _ = bits.Add64(h, 0, c)
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, l1, c)
	t2, c = bits.Add64(t2, l2, c)
	t3, c = bits.Add64(t3, l3, c)
	h, _ = bits.Add64(h, 0, c)
	h, l0 = bits.Mul64(h, foldP)
	t0, c = bits.Add64(t0, l0, 0)
	t1, c = bits.Add64(t1, h, c)
	t2, c = bits.Add64(t2, 0, c)
	t3, c = bits.Add64(t3, 0, c)
	if c != 0 {
		t0, c = bits.Add64(t0, foldP, 0)
		t1, _ = bits.Add64(t1, 0, c)
	}
	z[0], z[1], z[2], z[3] = t0, t1, t2, t3
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
