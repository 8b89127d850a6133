package curve

import "crypto/sha256"

// Verifier checks signatures. It holds tables of multiples of the generator
// and never changes: any number of goroutines may use it.
type Verifier struct {
	// Odd multiples of G and of 2^128 G.
	low, high []affine
	base128   affine
	tag       [64]byte // SHA-256 of BIP340's tag for challenges, twice
}

// New computes the tables of a Verifier, in less than a millisecond. They take
// 64 KiB; larger ones save additions and lose as much to the cache.
func New() *Verifier {
	v := &Verifier{low: generatorTable(generator)}
	p := jacobian{generator.x, generator.y, feOne}
	for range 128 {
		p.double(&p)
	}
	v.base128 = p.toAffine()
	v.high = generatorTable(v.base128)
	tag := sha256.Sum256([]byte("BIP0340/challenge"))
	copy(v.tag[:32], tag[:])
	copy(v.tag[32:], tag[:])
	return v
}

// challenge is BIP340's hash that binds a signature to R, key and message.
func (v *Verifier) challenge(r, key, msg []byte) Scalar {
	var buf [160]byte
	copy(buf[:64], v.tag[:])
	copy(buf[64:96], r)
	copy(buf[96:128], key)
	copy(buf[128:], msg)
	sum := sha256.Sum256(buf[:])
	return reduceScalar(&sum)
}

// Schnorr reports whether sig is a valid signature of msg by the x-only key.
//
// Source: BIP340.
func (v *Verifier) Schnorr(msg, key [32]byte, sig [64]byte) bool {
	var x, r fe
	s, ok := ParseScalar((*[32]byte)(sig[32:]))
	if !ok || !r.setBytes((*[32]byte)(sig[:32])) || !x.setBytes(&key) {
		return false
	}
	var p affine
	if !p.lift(&x, false) {
		return false
	}
	e := v.challenge(sig[:32], key[:], msg[:])
	e.neg(&e)
	sum := v.sum(&s, &p, &e)
	// The comparison spares a wrong signature the inversion.
	if sum.isInfinity() || !sum.hasX(&r) {
		return false
	}
	point := sum.toAffine()
	return !point.y.isOdd()
}

// ECDSA reports whether r and s are a valid signature of hash, a message's
// digest as 32 bytes, big endian, by key. Like btcec it takes a high s.
//
// Source: SEC 1, section 4.1.4.
func (v *Verifier) ECDSA(hash [32]byte, key *Point, r, s Scalar) bool {
	_, ok := v.ecdsaPoint(&hash, key, &r, &s)
	return ok
}

// ECDSAParity is ECDSA and tells of a valid signature whether the y of its
// point R is odd, which is what [Batch.AddECDSA] needs to know.
func (v *Verifier) ECDSAParity(hash [32]byte, key *Point, r, s Scalar) (odd, ok bool) {
	sum, ok := v.ecdsaPoint(&hash, key, &r, &s)
	if !ok {
		return false, false
	}
	point := sum.toAffine()
	return point.y.isOdd(), true
}

// ecdsaPoint computes the point that a signature's R has to be, and reports
// whether it is.
func (v *Verifier) ecdsaPoint(hash *[32]byte, key *Point, r, s *Scalar) (sum jacobian, ok bool) {
	if r.IsZero() || s.IsZero() || key.p.isInfinity() {
		return sum, false
	}
	var w, u1, u2 Scalar
	w.inv(s)
	u1 = reduceScalar(hash)
	u1.mul(&u1, &w)
	u2.mul(r, &w)
	sum = v.sum(&u1, &key.p, &u2)
	if sum.isInfinity() {
		return sum, false
	}
	// r is the x coordinate modulo the order, which is less than p: the
	// coordinate is r, or r and the order where that is still below p.
	x := fe(r.w)
	if sum.hasX(&x) {
		return sum, true
	}
	if !x.belowPMinusN() {
		return sum, false
	}
	x.add(&x, &feOrder)
	return sum, sum.hasX(&x)
}
