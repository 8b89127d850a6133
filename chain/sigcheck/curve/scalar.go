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

func (s *Scalar) mul(x, y *Scalar) {
	t := mulWide(&x.w, &y.w)
	s.fold(&t)
}

// inv gives 1/x, and 0 for 0.
func (s *Scalar) inv(x *Scalar) { s.w = inverse(x.w, &modulusN) }

// mulWide is the whole product of two numbers of 256 bits.
func mulWide(x, y *[4]uint64) (t [8]uint64) {
	for i := range 4 {
		v := x[i]
		h0, l0 := bits.Mul64(v, y[0])
		h1, l1 := bits.Mul64(v, y[1])
		h2, l2 := bits.Mul64(v, y[2])
		h3, l3 := bits.Mul64(v, y[3])
		l1, c := bits.Add64(l1, h0, 0)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		h3, _ = bits.Add64(h3, 0, c)
		t[i], c = bits.Add64(t[i], l0, 0)
		t[i+1], c = bits.Add64(t[i+1], l1, c)
		t[i+2], c = bits.Add64(t[i+2], l2, c)
		t[i+3], c = bits.Add64(t[i+3], l3, c)
		t[i+4], _ = bits.Add64(h3, 0, c)
	}
	return t
}

// fold sets s to t modulo the order. Each addMulFold takes what is above
// 2^256 and adds it, times 2^256 - n, to the rest: of 512 bits that leaves
// 386, of those 260, of those 256 and a carry.
func (s *Scalar) fold(t *[8]uint64) {
	a := addMulFold([4]uint64(t[:4]), [4]uint64(t[4:]))
	b := addMulFold([4]uint64(a[:4]), [4]uint64{a[4], a[5], a[6]})
	c := addMulFold([4]uint64(b[:4]), [4]uint64{b[4]})
	s.w = [4]uint64(c[:4])
	s.reduceOnce(c[4])
}

// addMulFold gives lo + hi*(2^256 - n), in at most 386 bits.
func addMulFold(lo, hi [4]uint64) (t [7]uint64) {
	var c, d uint64
	h0, l0 := bits.Mul64(hi[0], foldN0)
	h1, l1 := bits.Mul64(hi[1], foldN0)
	h2, l2 := bits.Mul64(hi[2], foldN0)
	h3, l3 := bits.Mul64(hi[3], foldN0)
	t[0], c = bits.Add64(lo[0], l0, 0)
	t[1], c = bits.Add64(lo[1], l1, c)
	t[2], c = bits.Add64(lo[2], l2, c)
	t[3], c = bits.Add64(lo[3], l3, c)
	t[4] = c
	t[1], c = bits.Add64(t[1], h0, 0)
	t[2], c = bits.Add64(t[2], h1, c)
	t[3], c = bits.Add64(t[3], h2, c)
	t[4], d = bits.Add64(t[4], h3, c)
	t[5] = d

	h0, l0 = bits.Mul64(hi[0], foldN1)
	h1, l1 = bits.Mul64(hi[1], foldN1)
	h2, l2 = bits.Mul64(hi[2], foldN1)
	h3, l3 = bits.Mul64(hi[3], foldN1)
	t[1], c = bits.Add64(t[1], l0, 0)
	t[2], c = bits.Add64(t[2], l1, c)
	t[3], c = bits.Add64(t[3], l2, c)
	t[4], c = bits.Add64(t[4], l3, c)
	t[5], d = bits.Add64(t[5], 0, c)
	t[6] = d
	t[2], c = bits.Add64(t[2], h0, 0)
	t[3], c = bits.Add64(t[3], h1, c)
	t[4], c = bits.Add64(t[4], h2, c)
	t[5], c = bits.Add64(t[5], h3, c)
	t[6] += c

	t[2], c = bits.Add64(t[2], hi[0], 0)
	t[3], c = bits.Add64(t[3], hi[1], c)
	t[4], c = bits.Add64(t[4], hi[2], c)
	t[5], c = bits.Add64(t[5], hi[3], c)
	t[6] += c
	return t
}
