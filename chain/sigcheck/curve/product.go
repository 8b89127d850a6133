package curve

import "math/bits"

// The products are written out four times, straight down: the compiler
// inlines none of what could be shared, and calls would cost a fifth.
// Subtracting inside a product spares a subtraction its own reduction.

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

// mulSub gives x*y - s.
func (z *fe) mulSub(x, y, s *fe) {
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
	t0, c = bits.Sub64(t0, s[0], 0)
	t1, c = bits.Sub64(t1, s[1], c)
	t2, c = bits.Sub64(t2, s[2], c)
	t3, c = bits.Sub64(t3, s[3], c)
	h, _ = bits.Sub64(h, 0, c)
	if h>>63 != 0 { // the product was tiny: h is what is missing, negative
		*z = fe{t0, t1, t2, t3}
		z.sub(z, &fe{-h * foldP})
		return
	}
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

	t1, c = bits.Add64(t1, t1, 0)
	t2, c = bits.Add64(t2, t2, c)
	t3, c = bits.Add64(t3, t3, c)
	t4, c = bits.Add64(t4, t4, c)
	t5, c = bits.Add64(t5, t5, c)
	t6, c = bits.Add64(t6, t6, c)
	t7, _ := bits.Add64(0, 0, c)

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

// sqrSub gives x^2 - s - u.
func (z *fe) sqrSub(x, s, u *fe) {
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

	t1, c = bits.Add64(t1, t1, 0)
	t2, c = bits.Add64(t2, t2, c)
	t3, c = bits.Add64(t3, t3, c)
	t4, c = bits.Add64(t4, t4, c)
	t5, c = bits.Add64(t5, t5, c)
	t6, c = bits.Add64(t6, t6, c)
	t7, _ := bits.Add64(0, 0, c)

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
	t0, c = bits.Sub64(t0, s[0], 0)
	t1, c = bits.Sub64(t1, s[1], c)
	t2, c = bits.Sub64(t2, s[2], c)
	t3, c = bits.Sub64(t3, s[3], c)
	h, _ = bits.Sub64(h, 0, c)
	t0, c = bits.Sub64(t0, u[0], 0)
	t1, c = bits.Sub64(t1, u[1], c)
	t2, c = bits.Sub64(t2, u[2], c)
	t3, c = bits.Sub64(t3, u[3], c)
	h, _ = bits.Sub64(h, 0, c)
	if h>>63 != 0 { // the product was tiny: h is what is missing, negative
		*z = fe{t0, t1, t2, t3}
		z.sub(z, &fe{-h * foldP})
		return
	}
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
