package curve

import (
	"math/big"
	"testing"
)

// edgeECDSA is a signature made backwards: for a point R and scalars u1 and
// u2 it finds the key, hash and s that the check turns into u1*G + u2*key = R.
func edgeECDSA(t *testing.T, point affine, rValue, u1, u2 Scalar) (c ecdsaItem) {
	t.Helper()
	var inv, h Scalar
	inv.inv(&u2)
	// key = (R - u1 G) / u2
	minus := u1
	minus.neg(&minus)
	key := plus(point, multiple(&minus, &generator))
	key = multiple(&inv, &key)
	c.r, c.odd = rValue, point.y.isOdd()
	c.s.mul(&rValue, &inv)
	h.mul(&u1, &c.s)
	c.hash = h.Bytes()
	k := Point{key}
	keyBytes := k.Bytes()
	c.key = keyBytes[:]
	return c
}

// liftNear finds the first x from v on, in steps, that is on the curve.
func liftNear(v *big.Int, step int64) (affine, *big.Int) {
	for x := new(big.Int).Set(v); ; x.Add(x, big.NewInt(step)) {
		b := bigToBytes(x)
		var fx fe
		fx.setBytes(&b)
		var p affine
		if p.lift(&fx, false) {
			return p, x
		}
	}
}

// TestECDSAEdges has the cases known to break implementations. Each verdict
// is also btcec's.
func TestECDSAEdges(t *testing.T) {
	v, r := testVerifier(), seeded(70)
	u1, u2 := randomScalar(r), randomScalar(r)
	zero, one := Scalar{}, Scalar{[4]uint64{1}}
	minusOne := one
	minusOne.neg(&one)
	pMinusN := new(big.Int).Sub(bigP, bigN)

	wide, wideX := liftNear(new(big.Int).Add(bigN, big.NewInt(1)), 1) // r is x-n
	top, topX := liftNear(new(big.Int).Sub(bigP, big.NewInt(1)), -1)
	low, lowX := liftNear(big.NewInt(1), 1)
	belowN, belowNX := liftNear(new(big.Int).Sub(bigN, big.NewInt(1)), -1)
	around, aroundX := liftNear(pMinusN, 1)
	under, underX := liftNear(new(big.Int).Sub(pMinusN, big.NewInt(1)), -1)
	random := randomPoint(r)
	xOf := func(p affine) Scalar { b := p.x.bytes(); return reduceScalar(&b) }

	base := edgeECDSA(t, random, xOf(random), u1, u2)
	with := func(change func(c *ecdsaItem)) ecdsaItem { c := base; change(&c); return c }
	for _, c := range []struct {
		name    string
		item    ecdsaItem
		valid   bool
		inBatch bool
	}{
		{"made backwards", base, true, true},
		{"x above n", edgeECDSA(t, wide, bigToScalar(new(big.Int).Sub(wideX, bigN)), u1, u2), true, false},
		{"the largest x", edgeECDSA(t, top, bigToScalar(new(big.Int).Sub(topX, bigN)), u1, u2), true, false},
		{"a small x", edgeECDSA(t, low, bigToScalar(lowX), u1, u2), true, true},
		{"x just below n", edgeECDSA(t, belowN, bigToScalar(belowNX), u1, u2), true, true},
		{"r just at p-n", edgeECDSA(t, around, bigToScalar(aroundX), u1, u2), true, true},
		{"r just below p-n", edgeECDSA(t, under, bigToScalar(underX), u1, u2), true, true},
		{"r+n is x only modulo p", edgeECDSA(t, low, bigToScalar(new(big.Int).Add(lowX, pMinusN)), u1, u2), false, false},
		{"hash 0", edgeECDSA(t, random, xOf(random), zero, u2), true, true},
		{"u1 = 1", edgeECDSA(t, random, xOf(random), one, u2), true, true},
		{"u1 = -1", edgeECDSA(t, random, xOf(random), minusOne, u2), true, true},
		{"u2 = 1", edgeECDSA(t, random, xOf(random), u1, one), true, true},
		{"u2 = -1", edgeECDSA(t, random, xOf(random), u1, minusOne), true, true},
		{"key G", edgeECDSA(t, plus(multiple(&u1, &generator), generator), xOf(plus(multiple(&u1, &generator), generator)), u1, one), true, true},
		{"both terms equal", edgeECDSA(t, multiple(&Scalar{[4]uint64{2}}, &generator), xOf(multiple(&Scalar{[4]uint64{2}}, &generator)), one, one), true, true},
		{"r = 0", with(func(c *ecdsaItem) { c.r = zero }), false, false},
		{"s = 0", with(func(c *ecdsaItem) { c.s = zero }), false, false},
		{"both 0", with(func(c *ecdsaItem) { c.r, c.s = zero, zero }), false, false},
		{"r = 1", with(func(c *ecdsaItem) { c.r = one }), false, false},
		{"r = n-1", with(func(c *ecdsaItem) { c.r = minusOne }), false, false},
		{"s = 1", with(func(c *ecdsaItem) { c.s = one }), false, false},
		{"s = n-1", with(func(c *ecdsaItem) { c.s = minusOne }), false, false},
		{"-s, R's other y", with(func(c *ecdsaItem) { c.s.neg(&c.s); c.odd = !c.odd }), true, true},
		{"hash of the order", with(func(c *ecdsaItem) { c.hash = bigToBytes(bigN) }), false, false},
		{"the sum is infinity", infinityECDSA(r.Uint64()), false, false},
		{"key not on the curve", with(func(c *ecdsaItem) { c.key = append([]byte{2}, make([]byte, 32)...) }), false, false},
		{"key beyond p", with(func(c *ecdsaItem) { b := bigToBytes(new(big.Int).Add(bigP, lowX)); c.key = append([]byte{2}, b[:]...) }), false, false},
	} {
		if got := c.item.check(v); got != c.valid {
			t.Errorf("%s: got %v", c.name, got)
		}
		if odd, ok := c.item.parity(t, v); ok && odd != c.item.odd {
			t.Errorf("%s: parity %v", c.name, odd)
		}
		if got := c.item.byBtcec(); got != c.valid {
			t.Errorf("%s: btcec says %v", c.name, got)
		}
		for _, size := range batchSizes {
			b := v.NewBatch()
			for i := range size {
				it := base
				if i == size/2 {
					it = c.item
				}
				b.AddECDSA(it.hash, it.key, it.r, it.s, it.odd)
			}
			if got := b.Verify(randomReader{r}); got != c.inBatch {
				t.Errorf("%s: in a batch of %d: got %v", c.name, size, got)
			}
		}
	}
}

// infinityECDSA has a hash that makes u1*G the opposite of u2*key.
func infinityECDSA(d uint64) (c ecdsaItem) {
	secret := Scalar{[4]uint64{d, 1}}
	k := Point{multiple(&secret, &generator)}
	key := k.Bytes()
	c.key, c.r, c.s = key[:], Scalar{[4]uint64{12345}}, Scalar{[4]uint64{6789}}
	var h Scalar // h + r d = 0
	h.mul(&c.r, &secret)
	h.neg(&h)
	c.hash = h.Bytes()
	return c
}

// TestSchnorrEdges: those that the published vectors do not have.
func TestSchnorrEdges(t *testing.T) {
	v, r := testVerifier(), seeded(71)
	key := randomKey(r)
	base := signSchnorr(t, r, key)
	with := func(rx, s *big.Int) schnorrItem {
		c := base
		if rx != nil {
			b := bigToBytes(rx)
			copy(c.sig[:32], b[:])
		}
		if s != nil {
			b := bigToBytes(s)
			copy(c.sig[32:], b[:])
		}
		return c
	}
	add := func(v *big.Int, d int64) *big.Int { return new(big.Int).Add(v, big.NewInt(d)) }
	sOf := new(big.Int).SetBytes(base.sig[32:])
	rOf := new(big.Int).SetBytes(base.sig[:32])
	_, small := liftNear(big.NewInt(1), 1)

	// s = e d makes R infinity.
	infinite := base
	d := key.Key.Bytes()
	e, secret := v.challenge(infinite.sig[:32], infinite.key[:], infinite.msg[:]), reduceScalar(&d)
	if key.PubKey().SerializeCompressed()[0] == 3 {
		secret.neg(&secret)
	}
	e.mul(&e, &secret)
	eBytes := e.Bytes()
	copy(infinite.sig[32:], eBytes[:])

	for _, c := range []struct {
		name string
		item schnorrItem
	}{
		{"s = 0", with(nil, new(big.Int))},
		{"s = n-1", with(nil, add(bigN, -1))},
		{"s = n", with(nil, bigN)},
		{"s = 2^256-1", with(nil, add(big256, -1))},
		{"-s", with(nil, new(big.Int).Sub(bigN, sOf))},
		{"r = 0", with(new(big.Int), nil)},
		{"r = p-1", with(add(bigP, -1), nil)},
		{"r = p", with(bigP, nil)},
		{"r = p and a small x on the curve", with(new(big.Int).Add(bigP, small), nil)},
		{"r = 2^256-1", with(add(big256, -1), nil)},
		{"r-1", with(add(rOf, -1), nil)},
		{"R is infinity", infinite},
	} {
		if v.Schnorr(c.item.msg, c.item.key, c.item.sig) || c.item.byBtcec() {
			t.Errorf("%s: accepted", c.name)
		}
		for _, size := range batchSizes {
			b := v.NewBatch()
			for i := range size {
				it := base
				if i == size/2 {
					it = c.item
				}
				b.Add(it.msg, it.key, it.sig)
			}
			if b.Verify(randomReader{r}) {
				t.Errorf("%s: accepted in a batch of %d", c.name, size)
			}
		}
	}
}

func TestECDSANeedsAKey(t *testing.T) {
	var none Point
	if testVerifier().ECDSA([32]byte{}, &none, Scalar{[4]uint64{1}}, Scalar{[4]uint64{1}}) {
		t.Error("accepted for infinity")
	}
}
