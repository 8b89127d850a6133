package curve

import "math/bits"

// The curve has an endomorphism: for lambda, a cube root of 1 modulo the
// order, and beta, one modulo p, lambda*(x, y) = (beta*x, y). The vectors
// (a1, -b1) and (a2, a1) below are short and both have u + v*lambda = 0, so a
// scalar less the nearest combination of them has two parts of half length.
//
// Source: Gallant, Lambert, Vanstone, "Faster point multiplication on
// elliptic curves with efficient endomorphisms" (2001).
const (
	splitA1L, splitA1H = 0xE86C90E49284EB15, 0x3086D221A7D46BCD
	splitB1L, splitB1H = 0x6F547FA90ABFE4C3, 0xE4437ED6010E8828 // of b1, without its sign
	splitA2L, splitA2H = 0x57C1108D9D44CFD8, 0x14CA50F7A8E2F3F6 // and a third limb, 1
)

var (
	beta = fe{0xC1396C28719501EE, 0x9CF0497512F58995, 0x6E64479EAC3434E9, 0x7AE96A2B657C0710}

	// a1 and b1 times 2^384/n, rounded.
	splitG1 = [4]uint64{0xE893209A45DBB031, 0x3DAA8A1471E8CA7F, 0xE86C90E49284EB15, 0x3086D221A7D46BCD}
	splitG2 = [4]uint64{0x1571B4AE8AC47F71, 0x221208AC9DF506C6, 0x6F547FA90ABFE4C4, 0xE4437ED6010E8828}
)

// half is a signed scalar of at most 128 bits.
type half struct {
	lo, hi uint64
	neg    bool
}

func (h *half) isZero() bool { return h.lo|h.hi == 0 }

// split gives k1 and k2 with s = k1 + k2*lambda modulo the order.
func (s *Scalar) split() (k1, k2 half) {
	c1l, c1h := mulShift384(&s.w, &splitG1)
	c2l, c2h := mulShift384(&s.w, &splitG2)

	// k1 = s - c1*a1 - c2*a2 and k2 = c1*b1 - c2*a1, modulo 2^192: both are
	// between -2^128 and 2^128.
	p0, p1, p2 := mul192(c1l, c1h, splitA1L, splitA1H)
	q0, q1, q2 := mul192(c2l, c2h, splitA2L, splitA2H)
	q2 += c2l
	t0, c := bits.Sub64(s.w[0], p0, 0)
	t1, c := bits.Sub64(s.w[1], p1, c)
	t2, _ := bits.Sub64(s.w[2], p2, c)
	t0, c = bits.Sub64(t0, q0, 0)
	t1, c = bits.Sub64(t1, q1, c)
	t2, _ = bits.Sub64(t2, q2, c)
	k1 = signedHalf(t0, t1, t2)

	p0, p1, p2 = mul192(c1l, c1h, splitB1L, splitB1H)
	q0, q1, q2 = mul192(c2l, c2h, splitA1L, splitA1H)
	t0, c = bits.Sub64(p0, q0, 0)
	t1, c = bits.Sub64(p1, q1, c)
	t2, _ = bits.Sub64(p2, q2, c)
	k2 = signedHalf(t0, t1, t2)
	return k1, k2
}

// signedHalf reads a number in two's complement.
func signedHalf(t0, t1, t2 uint64) half {
	if t2>>63 == 0 {
		return half{lo: t0, hi: t1}
	}
	lo, c := bits.Sub64(0, t0, 0)
	hi, _ := bits.Sub64(0, t1, c)
	return half{lo: lo, hi: hi, neg: true}
}

// mulShift384 gives x*y / 2^384, rounded to the nearest.
func mulShift384(x, y *[4]uint64) (lo, hi uint64) {
	_, _, _, _, _, t5, t6, t7 := mulWide(x, y)
	lo, c := bits.Add64(t6, t5>>63, 0)
	return lo, t7 + c
}

// mul192 gives the product of two numbers of 128 bits modulo 2^192.
func mul192(xl, xh, yl, yh uint64) (t0, t1, t2 uint64) {
	t1, t0 = bits.Mul64(xl, yl)
	h1, l1 := bits.Mul64(xl, yh)
	h2, l2 := bits.Mul64(xh, yl)
	t2 = xh*yh + h1 + h2
	t1, c := bits.Add64(t1, l1, 0)
	t2 += c
	t1, c = bits.Add64(t1, l2, 0)
	return t0, t1, t2 + c
}
