package curve

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

var (
	bigP, _ = new(big.Int).SetString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F", 16)
	bigN, _ = new(big.Int).SetString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", 16)
	big256  = new(big.Int).Lsh(big.NewInt(1), 256)
)

// seeded is the same sequence in every run.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// randomReader gives the bytes of a seeded sequence.
type randomReader struct{ *rand.Rand }

func (r randomReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

// edgeWords are limbs that make carries.
var edgeWords = []uint64{0, 1, 2, foldP - 1, foldP, ^uint64(foldP), ^uint64(foldP) + 1, ^uint64(foldP) + 2, 1 << 63, 1<<63 - 1, ones, ones - 1, n0, n1, n2}

// randomLimbs are uniform, or in one of three draws made of edge words.
func randomLimbs(r *rand.Rand) (w [4]uint64) {
	for i := range w {
		w[i] = r.Uint64()
	}
	if r.IntN(3) > 0 {
		return w
	}
	for i := range w {
		if r.IntN(3) > 0 {
			w[i] = edgeWords[r.IntN(len(edgeWords))]
		}
	}
	return w
}

func randomFe(r *rand.Rand) fe { return fe(randomLimbs(r)) }

func randomScalar(r *rand.Rand) Scalar {
	s := Scalar{randomLimbs(r)}
	s.reduceOnce(0)
	return s
}

func limbsToBig(w [4]uint64) *big.Int {
	var b [32]byte
	for i, v := range w {
		binary.BigEndian.PutUint64(b[24-8*i:], v)
	}
	return new(big.Int).SetBytes(b[:])
}

func bigToBytes(v *big.Int) (b [32]byte) {
	v.FillBytes(b[:])
	return b
}

func bigToScalar(v *big.Int) Scalar {
	b := bigToBytes(v)
	return reduceScalar(&b)
}

// randomPoint has a uniform x that is on the curve.
func randomPoint(r *rand.Rand) affine {
	for {
		x := randomFe(r)
		var p affine
		if p.lift(&x, r.IntN(2) == 1) {
			return p
		}
	}
}

func equalPoints(p, q *affine) bool {
	if p.isInfinity() || q.isInfinity() {
		return p.isInfinity() == q.isInfinity()
	}
	return p.x.equal(&q.x) && p.y.equal(&q.y)
}

// toBtcec and fromBtcec cross over to the other implementation.
func toBtcec(p *affine) btcec.JacobianPoint {
	var j btcec.JacobianPoint
	if p.isInfinity() {
		return j
	}
	x, y := p.x.bytes(), p.y.bytes()
	j.X.SetBytes(&x)
	j.Y.SetBytes(&y)
	j.Z.SetInt(1)
	return j
}

func fromBtcec(j *btcec.JacobianPoint) (p affine) {
	if j.Z.IsZero() || j.X.IsZero() && j.Y.IsZero() {
		return p
	}
	c := *j
	c.ToAffine()
	p.x.setBytes(c.X.Bytes())
	p.y.setBytes(c.Y.Bytes())
	return p
}

func scalarToBtcec(s *Scalar) (m btcec.ModNScalar) {
	b := s.Bytes()
	m.SetBytes(&b)
	return m
}

// multiple is a*p by btcec.
func multiple(a *Scalar, p *affine) affine {
	k, j := scalarToBtcec(a), toBtcec(p)
	var out btcec.JacobianPoint
	btcec.ScalarMultNonConst(&k, &j, &out)
	return fromBtcec(&out)
}

func plus(p, q affine) affine {
	a, b := toBtcec(&p), toBtcec(&q)
	var out btcec.JacobianPoint
	btcec.AddNonConst(&a, &b, &out)
	return fromBtcec(&out)
}

func mustEqualFe(t *testing.T, what string, got *fe, want *big.Int) {
	t.Helper()
	want = new(big.Int).Mod(want, bigP)
	if b := got.bytes(); b != bigToBytes(want) {
		t.Fatalf("%s: got %x, want %x", what, b, want)
	}
}
