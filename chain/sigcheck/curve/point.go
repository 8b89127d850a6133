package curve

// affine is a point of the curve y^2 = x^3 + 7. (0, 0), which is not on it,
// stands for the point at infinity.
type affine struct{ x, y fe }

// jacobian is the point (x/z^2, y/z^3). The point at infinity has z = 0, all
// limbs zero; no other form of zero is ever stored there.
type jacobian struct{ x, y, z fe }

var generator = affine{
	fe{0x59F2815B16F81798, 0x029BFCDB2DCE28D9, 0x55A06295CE870B07, 0x79BE667EF9DCBBAC},
	fe{0x9C47D08FFB10D4B8, 0xFD17B448A6855419, 0x5DA4FBFC0E1108A8, 0x483ADA7726A3C465},
}

func (p *affine) isInfinity() bool { return p.y == feZero && p.x == feZero }

func (p *affine) neg(q *affine) {
	p.x = q.x
	p.y.neg(&q.y)
}

// lift finds the point with the given x and a y of the given parity. It
// reports whether there is one.
func (p *affine) lift(x *fe, odd bool) bool {
	var t fe
	t.sqr(x)
	t.mul(&t, x)
	t.add(&t, &feSeven)
	if !p.y.sqrt(&t) {
		return false
	}
	if p.y.isOdd() != odd {
		p.y.neg(&p.y)
	}
	p.x = *x
	return true
}

// onCurve reports whether the coordinates are of a point other than infinity.
func (p *affine) onCurve() bool {
	var l, r fe
	l.sqr(&p.y)
	r.sqr(&p.x)
	r.mul(&r, &p.x)
	r.add(&r, &feSeven)
	return l.equal(&r)
}

func (p *jacobian) isInfinity() bool { return p.z == feZero }

// toAffine needs an inversion.
func (p *jacobian) toAffine() affine {
	if p.isInfinity() {
		return affine{}
	}
	var zi fe
	zi.inv(&p.z)
	return p.scaled(&zi)
}

// scaled gives the point for zi = 1/z.
func (p *jacobian) scaled(zi *fe) (a affine) {
	var zz fe
	zz.sqr(zi)
	a.x.mul(&p.x, &zz)
	zz.mul(&zz, zi)
	a.y.mul(&p.y, &zz)
	return a
}

// hasX reports whether the x coordinate of p, which is not infinity, is x.
func (p *jacobian) hasX(x *fe) bool {
	var t fe
	t.sqr(&p.z)
	t.mul(&t, x)
	return t.equal(&p.x)
}

// double sets p to 2q: 3 multiplications, 4 squarings. No point of the curve
// has order 2, so the result is infinity for infinity only.
//
//	L = 3/2 x^2, S = y^2, T = x S
//	x' = L^2 - 2T, y' = L (T - x') - S^2, z' = y z
func (p *jacobian) double(q *jacobian) {
	var l, s, t, u fe
	p.z.mul(&q.y, &q.z)
	s.sqr(&q.y)
	l.sqr(&q.x)
	u.half(&l)
	l.add(&l, &u)
	t.mul(&q.x, &s)
	p.x.sqrSub(&l, &t, &t)
	t.sub(&t, &p.x)
	s.sqr(&s)
	p.y.mulSub(&t, &l, &s)
}

// addAffine adds q to p: 8 multiplications, 3 squarings.
func (p *jacobian) addAffine(q *affine) { p.addScaled(q, nil, nil) }

// addScaled adds q to p, which lives on an isomorphic curve: scale*z, not z,
// belongs to the curve of q. A nil scale is 1. If neither point is infinity
// and their x differ, *grown (unless nil) gets what z was multiplied by.
//
//	h = x2 z^2 - x, r = y2 z^3 - y
//	x' = r^2 - h^3 - 2 x h^2, y' = r (x h^2 - x') - y h^3, z' = z h
func (p *jacobian) addScaled(q *affine, scale, grown *fe) {
	if q.isInfinity() {
		return
	}
	if p.isInfinity() {
		p.startScaled(q, scale)
		return
	}
	z := p.z
	if scale != nil {
		z.mul(&z, scale)
	}
	var zz, h, r, hh, v fe
	zz.sqr(&z)
	h.mulSub(&q.x, &zz, &p.x)
	zz.mul(&zz, &z)
	r.mulSub(&q.y, &zz, &p.y)
	if h.isZero() {
		p.addSameX(&r)
		return
	}
	if grown != nil {
		*grown = h
	}
	p.z.mul(&p.z, &h)
	hh.sqr(&h)
	h.mul(&h, &hh)
	v.mul(&p.x, &hh)
	p.x.sqrSub(&r, &v, &v)
	p.x.sub(&p.x, &h)
	v.sub(&v, &p.x)
	h.mul(&h, &p.y)
	p.y.mulSub(&v, &r, &h)
}

// startScaled sets p to q, seen from the curve with 1/scale.
func (p *jacobian) startScaled(q *affine, scale *fe) {
	*p = jacobian{q.x, q.y, feOne}
	if scale == nil {
		return
	}
	// On the isomorphic curve with z = 1 the coordinates are those of q
	// times scale^2 and scale^3.
	var s fe
	s.sqr(scale)
	p.x.mul(&p.x, &s)
	s.mul(&s, scale)
	p.y.mul(&p.y, &s)
}

// addSameX ends an addition of two points with the same x, whose y differ by
// r: they are equal, or their sum is infinity.
func (p *jacobian) addSameX(r *fe) {
	if r.isZero() {
		p.double(p)
	} else {
		*p = jacobian{}
	}
}

// add adds q to p: 12 multiplications, 4 squarings.
func (p *jacobian) add(q *jacobian) {
	if q.isInfinity() {
		return
	}
	if p.isInfinity() {
		*p = *q
		return
	}
	var zz1, zz2, u, s, h, r, hh fe
	zz1.sqr(&p.z)
	zz2.sqr(&q.z)
	u.mul(&p.x, &zz2)
	h.mulSub(&q.x, &zz1, &u)
	zz2.mul(&zz2, &q.z)
	s.mul(&p.y, &zz2)
	zz1.mul(&zz1, &p.z)
	r.mulSub(&q.y, &zz1, &s)
	if h.isZero() {
		p.addSameX(&r)
		return
	}
	p.z.mul(&p.z, &q.z)
	p.z.mul(&p.z, &h)
	hh.sqr(&h)
	h.mul(&h, &hh)
	u.mul(&u, &hh)
	p.x.sqrSub(&r, &u, &u)
	p.x.sub(&p.x, &h)
	u.sub(&u, &p.x)
	h.mul(&h, &s)
	p.y.mulSub(&u, &r, &h)
}
