package curve

import "math/bits"

// Windows of the non-adjacent forms: of the generator's multiples, which are
// in a table for good, and of a point's, whose table is made for one sum.
const (
	generatorWindow = 11
	pointWindow     = 5

	generatorMultiples = 1 << (generatorWindow - 2)
	pointMultiples     = 1 << (pointWindow - 2)
)

// naf is a number of up to 128 bits as the sum of d[i] * 2^i, where a digit
// is 0 or odd and followed by zeros, as many as the window less one.
type naf struct {
	d   [130]int16
	len int
}

// set writes h with digits between -2^(window-1) and 2^(window-1).
func (f *naf) set(h half, window uint) {
	lo, hi := h.lo, h.hi
	clear(f.d[:])
	at := 0
	shift := func(n uint) {
		lo = lo>>n | hi<<(64-n)
		hi >>= n
		at += int(n)
	}
	for lo|hi != 0 {
		if lo == 0 {
			lo, hi = hi, 0
			at += 64
		}
		shift(uint(bits.TrailingZeros64(lo)))
		digit := int16(lo & (1<<window - 1))
		pos := at
		shift(window)
		if digit >= 1<<(window-1) {
			digit -= 1 << window
			var c uint64
			lo, c = bits.Add64(lo, 1, 0)
			hi += c
		}
		if h.neg {
			digit = -digit
		}
		f.d[pos] = digit
		f.len = pos + 1
	}
}

// pick adds the digit'th multiple of a table of odd multiples to acc.
func (p *jacobian) pick(table []affine, digit int16, scale *fe) {
	if digit > 0 {
		p.addScaled(&table[digit>>1], scale, nil)
		return
	}
	var q affine
	q.neg(&table[-digit>>1])
	p.addScaled(&q, scale, nil)
}

// oddMultiples is a table of p, 3p, 5p, ... and of their images under the
// endomorphism, all on the isomorphic curve on which their z is 1: on p's own
// it is z.
type oddMultiples struct {
	points, images [pointMultiples]affine
	z              fe
}

// set needs a point other than infinity.
func (t *oddMultiples) set(p *affine) {
	// With 2p = (X, Y, Z), the curve for Z has 2p as (X, Y, 1) and p as
	// (x Z^2, y Z^3, 1).
	twice := jacobian{p.x, p.y, feOne}
	twice.double(&twice)
	step := affine{twice.x, twice.y}
	var acc jacobian
	acc.startScaled(p, &twice.z)

	var grown [pointMultiples]fe
	t.points[0] = affine{acc.x, acc.y}
	for i := 1; i < pointMultiples; i++ {
		acc.addScaled(&step, nil, &grown[i])
		t.points[i] = affine{acc.x, acc.y}
	}
	t.z.mul(&acc.z, &twice.z)

	// Bring all to the z of the last.
	last := pointMultiples - 1
	s := grown[last]
	for i := last - 1; i >= 0; i-- {
		q := jacobian{x: t.points[i].x, y: t.points[i].y}
		t.points[i] = q.scaled(&s)
		s.mul(&s, &grown[i])
	}
	for i := range t.points {
		t.images[i].x.mul(&t.points[i].x, &beta)
		t.images[i].y = t.points[i].y
	}
}

// sum gives a*G + b*p. p is not infinity.
func (v *Verifier) sum(a *Scalar, p *affine, b *Scalar) jacobian {
	var table oddMultiples
	table.set(p)

	var low, high, point, image naf
	low.set(half{lo: a.w[0], hi: a.w[1]}, generatorWindow)
	high.set(half{lo: a.w[2], hi: a.w[3]}, generatorWindow)
	b1, b2 := b.split()
	point.set(b1, pointWindow)
	image.set(b2, pointWindow)

	var acc jacobian
	for i := max(low.len, high.len, point.len, image.len) - 1; i >= 0; i-- {
		acc.double(&acc)
		if d := point.d[i]; d != 0 {
			acc.pick(table.points[:], d, nil)
		}
		if d := image.d[i]; d != 0 {
			acc.pick(table.images[:], d, nil)
		}
		if d := low.d[i]; d != 0 {
			acc.pick(v.low, d, &table.z)
		}
		if d := high.d[i]; d != 0 {
			acc.pick(v.high, d, &table.z)
		}
	}
	acc.z.mul(&acc.z, &table.z)
	return acc
}

// generatorTable gives the odd multiples of p, which is not infinity.
func generatorTable(p affine) []affine {
	twice := jacobian{p.x, p.y, feOne}
	twice.double(&twice)
	acc := jacobian{p.x, p.y, feOne}
	all := make([]jacobian, generatorMultiples)
	zs := make([]fe, generatorMultiples)
	for i := range all {
		all[i], zs[i] = acc, acc.z
		acc.add(&twice)
	}
	invertAll(zs, make([]fe, generatorMultiples))
	table := make([]affine, generatorMultiples)
	for i := range table {
		table[i] = all[i].scaled(&zs[i])
	}
	return table
}
