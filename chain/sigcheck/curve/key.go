package curve

import "math/bits"

// Point is a point of the curve, such as a public key. The zero value stands
// for the point at infinity, which is no key.
type Point struct{ p affine }

// feOrder is the order of the group as a field element.
var feOrder = fe{n0, n1, n2, n3}

// belowPMinusN reports whether z, below the order, is less than p - n, so
// that z + n is still below p.
func (z *fe) belowPMinusN() bool {
	_, c := bits.Sub64(z[0], foldN0-foldP, 0)
	_, c = bits.Sub64(z[1], foldN1, c)
	_, c = bits.Sub64(z[2], 1, c)
	_, c = bits.Sub64(z[3], 0, c)
	return c != 0
}

// ParsePoint reads a public key: 33 bytes with the prefix 2 or 3, or 65 with
// 4, or with 6 or 7 (the hybrid form, which repeats the parity of y). It
// reports whether the bytes are a key, by the same rules as btcec.
//
// Source: SEC 1, section 2.3.4; the hybrid form is that of X9.62.
func ParsePoint(b []byte) (Point, bool) {
	var p affine
	switch {
	case len(b) == 33 && (b[0] == 2 || b[0] == 3):
		var x fe
		if !x.setBytes((*[32]byte)(b[1:])) || !p.lift(&x, b[0] == 3) {
			return Point{}, false
		}
	case len(b) == 65 && (b[0] == 4 || b[0] == 6 || b[0] == 7):
		okX, okY := p.x.setBytes((*[32]byte)(b[1:33])), p.y.setBytes((*[32]byte)(b[33:]))
		if !okX || !okY || !p.onCurve() {
			return Point{}, false
		}
		if b[0] != 4 && p.y.isOdd() != (b[0] == 7) {
			return Point{}, false
		}
	default:
		return Point{}, false
	}
	return Point{p}, true
}

// Bytes gives the point in 33 bytes. For infinity they are all zero.
func (k *Point) Bytes() (b [33]byte) {
	if k.p.isInfinity() {
		return b
	}
	x := k.p.x.bytes()
	copy(b[1:], x[:])
	b[0] = 2
	if k.p.y.isOdd() {
		b[0] = 3
	}
	return b
}
