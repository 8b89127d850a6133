package curve

import (
	"encoding/binary"
	"math/bits"
)

// The order of the group n, its limbs, and 2^256 - n, which has 129 bits.
const (
	n0, n1, n2, n3 = 0xBFD25E8CD0364141, 0xBAAEDCE6AF48A03B, ones - 1, ones

	foldN0, foldN1 = 0x402DA1732FC9BEBF, 0x4551231950B75FC4 // and a third limb, 1
)

// Scalar is an integer modulo the order of the group, always below it. The
// zero value is 0.
type Scalar struct {
	w [4]uint64 // least significant first
}

// ParseScalar reads 32 bytes, big endian. It reports whether they are below
// the order; if not, the result is 0.
func ParseScalar(b *[32]byte) (Scalar, bool) {
	s := loadScalar(b)
	if s.overflows() {
		return Scalar{}, false
	}
	return s, true
}

// reduceScalar reads 32 bytes, big endian, modulo the order.
func reduceScalar(b *[32]byte) Scalar {
	s := loadScalar(b)
	s.reduceOnce(0)
	return s
}

func loadScalar(b *[32]byte) Scalar {
	return Scalar{[4]uint64{
		binary.BigEndian.Uint64(b[24:32]),
		binary.BigEndian.Uint64(b[16:24]),
		binary.BigEndian.Uint64(b[8:16]),
		binary.BigEndian.Uint64(b[0:8]),
	}}
}

// Bytes gives the scalar as 32 bytes, big endian.
func (s *Scalar) Bytes() (b [32]byte) {
	binary.BigEndian.PutUint64(b[0:8], s.w[3])
	binary.BigEndian.PutUint64(b[8:16], s.w[2])
	binary.BigEndian.PutUint64(b[16:24], s.w[1])
	binary.BigEndian.PutUint64(b[24:32], s.w[0])
	return b
}

// IsZero reports whether s is 0.
func (s *Scalar) IsZero() bool { return s.w[0]|s.w[1]|s.w[2]|s.w[3] == 0 }

// overflows reports whether the limbs hold the order or more.
func (s *Scalar) overflows() bool {
	_, c := bits.Sub64(s.w[0], n0, 0)
	_, c = bits.Sub64(s.w[1], n1, c)
	_, c = bits.Sub64(s.w[2], n2, c)
	_, c = bits.Sub64(s.w[3], n3, c)
	return c == 0
}

// reduceOnce takes off the order if the limbs with carry, which stands for
// 2^256, hold it or more. They must hold less than twice the order.
func (s *Scalar) reduceOnce(carry uint64) {
	if carry == 0 && !s.overflows() {
		return
	}
	var c uint64
	s.w[0], c = bits.Add64(s.w[0], foldN0, 0)
	s.w[1], c = bits.Add64(s.w[1], foldN1, c)
	s.w[2], c = bits.Add64(s.w[2], 1, c)
	s.w[3], _ = bits.Add64(s.w[3], 0, c)
}

func (s *Scalar) add(x, y *Scalar) {
	var c uint64
	s.w[0], c = bits.Add64(x.w[0], y.w[0], 0)
	s.w[1], c = bits.Add64(x.w[1], y.w[1], c)
	s.w[2], c = bits.Add64(x.w[2], y.w[2], c)
	s.w[3], c = bits.Add64(x.w[3], y.w[3], c)
	s.reduceOnce(c)
}

func (s *Scalar) neg(x *Scalar) {
	if x.IsZero() {
		*s = Scalar{}
		return
	}
	var c uint64
	s.w[0], c = bits.Sub64(n0, x.w[0], 0)
	s.w[1], c = bits.Sub64(n1, x.w[1], c)
	s.w[2], c = bits.Sub64(n2, x.w[2], c)
	s.w[3], _ = bits.Sub64(n3, x.w[3], c)
}

func (s *Scalar) mul(x, y *Scalar) { s.fold(mulWide(&x.w, &y.w)) }

// inv gives 1/x, and 0 for 0.
func (s *Scalar) inv(x *Scalar) { s.w = inverse(x.w, &modulusN) }

// mulWide is the whole product of two numbers of 256 bits.
func mulWide(x, y *[4]uint64) (t0, t1, t2, t3, t4, t5, t6, t7 uint64) {
	v := x[0]
	h0, t0 := bits.Mul64(v, y[0])
	h1, t1 := bits.Mul64(v, y[1])
	h2, t2 := bits.Mul64(v, y[2])
	t4, t3 = bits.Mul64(v, y[3])
	t1, c := bits.Add64(t1, h0, 0)
	t2, c = bits.Add64(t2, h1, c)
	t3, c = bits.Add64(t3, h2, c)
	t4, _ = bits.Add64(t4, 0, c)

	v = x[1]
	h0, l0 := bits.Mul64(v, y[0])
	h1, l1 := bits.Mul64(v, y[1])
	h2, l2 := bits.Mul64(v, y[2])
	t5, l3 := bits.Mul64(v, y[3])
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	t5, _ = bits.Add64(t5, 0, c)
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5, _ = bits.Add64(t5, 0, c)

	v = x[2]
	h0, l0 = bits.Mul64(v, y[0])
	h1, l1 = bits.Mul64(v, y[1])
	h2, l2 = bits.Mul64(v, y[2])
	t6, l3 = bits.Mul64(v, y[3])
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	t6, _ = bits.Add64(t6, 0, c)
	t2, c = bits.Add64(t2, l0, 0)
	t3, c = bits.Add64(t3, l1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, l3, c)
	t6, _ = bits.Add64(t6, 0, c)

	v = x[3]
	h0, l0 = bits.Mul64(v, y[0])
	h1, l1 = bits.Mul64(v, y[1])
	h2, l2 = bits.Mul64(v, y[2])
	t7, l3 = bits.Mul64(v, y[3])
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	t7, _ = bits.Add64(t7, 0, c)
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	t5, c = bits.Add64(t5, l2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7, _ = bits.Add64(t7, 0, c)
	return t0, t1, t2, t3, t4, t5, t6, t7
}

// fold sets s to a number of 512 bits modulo the order. Three times it takes
// what is above 2^256 and adds it, times 2^256 - n, to the rest: that leaves
// 386 bits, then 260, then 256 and a carry.
func (s *Scalar) fold(t0, t1, t2, t3, t4, t5, t6, t7 uint64) {
	t0, t1, t2, t3, t4, t5, t6 = addMulFold(t0, t1, t2, t3, t4, t5, t6, t7)
	t0, t1, t2, t3, t4, _, _ = addMulFold(t0, t1, t2, t3, t4, t5, t6, 0)
	h0, l0 := bits.Mul64(t4, foldN0)
	h1, l1 := bits.Mul64(t4, foldN1)
	l1, c := bits.Add64(l1, h0, 0)
	h1, _ = bits.Add64(h1, t4, c)
	s.w[0], c = bits.Add64(t0, l0, 0)
	s.w[1], c = bits.Add64(t1, l1, c)
	s.w[2], c = bits.Add64(t2, h1, c)
	s.w[3], c = bits.Add64(t3, 0, c)
	s.reduceOnce(c)
}

// addMulFold gives a + b*(2^256 - n), in at most 386 bits.
func addMulFold(a0, a1, a2, a3, b0, b1, b2, b3 uint64) (t0, t1, t2, t3, t4, t5, t6 uint64) {
	h0, l0 := bits.Mul64(b0, foldN0)
	h1, l1 := bits.Mul64(b1, foldN0)
	h2, l2 := bits.Mul64(b2, foldN0)
	h3, l3 := bits.Mul64(b3, foldN0)
	l1, c := bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3, _ = bits.Add64(h3, 0, c)
	t0, c = bits.Add64(a0, l0, 0)
	t1, c = bits.Add64(a1, l1, c)
	t2, c = bits.Add64(a2, l2, c)
	t3, c = bits.Add64(a3, l3, c)
	t4, t5 = bits.Add64(h3, 0, c)

	h0, l0 = bits.Mul64(b0, foldN1)
	h1, l1 = bits.Mul64(b1, foldN1)
	h2, l2 = bits.Mul64(b2, foldN1)
	h3, l3 = bits.Mul64(b3, foldN1)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3, _ = bits.Add64(h3, 0, c)
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5, t6 = bits.Add64(t5, h3, c)

	t2, c = bits.Add64(t2, b0, 0)
	t3, c = bits.Add64(t3, b1, c)
	t4, c = bits.Add64(t4, b2, c)
	t5, c = bits.Add64(t5, b3, c)
	t6, _ = bits.Add64(t6, 0, c)
	return t0, t1, t2, t3, t4, t5, t6
}
