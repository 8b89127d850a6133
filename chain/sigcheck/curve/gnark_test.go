package curve

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark-crypto/ecc/secp256k1"
	"github.com/consensys/gnark-crypto/ecc/secp256k1/fp"
	"github.com/consensys/gnark-crypto/ecc/secp256k1/fr"
)

// This file compares the package with gnark-crypto, a second implementation
// by others that shares no code with btcec. Only tests use it.

func toGnarkFe(x *fe) (e fp.Element) {
	b := x.bytes()
	e.SetBytes(b[:])
	return e
}

func toGnarkScalar(s *Scalar) (e fr.Element) {
	b := s.Bytes()
	e.SetBytes(b[:])
	return e
}

func toGnark(p *affine) secp256k1.G1Affine {
	return secp256k1.G1Affine{X: toGnarkFe(&p.x), Y: toGnarkFe(&p.y)} // both have 0, 0 as infinity
}

func sameAsGnark(p *affine, q *secp256k1.G1Affine) bool {
	return p.x.bytes() == q.X.Bytes() && p.y.bytes() == q.Y.Bytes()
}

// longFieldGnark walks through the field as longField does.
func longFieldGnark(t *testing.T, r *mathrand.Rand, n int) {
	var x, y fe
	var wantX, wantY fp.Element
	for i := range n {
		if i%1000 == 0 {
			x, y = randomFe(r), randomFe(r)
			wantX, wantY = toGnarkFe(&x), toGnarkFe(&y)
		}
		switch r.Uint32() % 8 {
		case 0, 1:
			x.mul(&x, &y)
			wantX.Mul(&wantX, &wantY)
		case 2:
			x.sqr(&x)
			wantX.Square(&wantX)
		case 3:
			x.neg(&x)
			wantX.Neg(&wantX)
		case 4:
			x, y = y, x
			wantX, wantY = wantY, wantX
			x.add(&x, &y)
			wantX.Add(&wantX, &wantY)
		case 5:
			x.sub(&x, &y)
			wantX.Sub(&wantX, &wantY)
		case 6: // xy - y
			x.mulSub(&x, &y, &y)
			wantX.Mul(&wantX, &wantY).Sub(&wantX, &wantY)
		case 7: // x^2 - x - y
			x.sqrSub(&x, &x, &y)
			wantX = *new(fp.Element).Sub(new(fp.Element).Square(&wantX), &wantX)
			wantX.Sub(&wantX, &wantY)
		}
		if i%256 == 0 {
			x.inv(&x)
			wantX.Inverse(&wantX)
		}
		if x.bytes() != wantX.Bytes() {
			t.Fatalf("operation %d: got %x, want %x", i, x.bytes(), wantX.Bytes())
		}
	}
}

// longGroupGnark walks through the group by additions and doublings.
func longGroupGnark(t *testing.T, r *mathrand.Rand, n int) {
	var acc jacobian
	var want secp256k1.G1Jac
	points := make([]affine, 64)
	theirs := make([]secp256k1.G1Affine, len(points))
	for i := range n {
		if i%10000 == 0 {
			for k := range points {
				points[k] = randomPoint(r)
				theirs[k] = toGnark(&points[k])
			}
			acc, want = jacobian{}, secp256k1.G1Jac{}
			want.FromAffine(&secp256k1.G1Affine{})
		}
		at := r.IntN(len(points))
		if r.Uint32()%4 == 0 {
			acc.double(&acc)
			want.DoubleAssign()
		} else {
			acc.addAffine(&points[at])
			want.AddMixed(&theirs[at])
		}
		if !sameAsGnarkJac(&acc, &want) {
			t.Fatalf("operation %d: the sums differ", i)
		}
	}
}

// sameAsGnarkJac compares without an inversion.
func sameAsGnarkJac(p *jacobian, q *secp256k1.G1Jac) bool {
	if p.isInfinity() || q.Z.IsZero() {
		return p.isInfinity() == q.Z.IsZero()
	}
	var same secp256k1.G1Jac
	same.X, same.Y, same.Z = toGnarkFe(&p.x), toGnarkFe(&p.y), toGnarkFe(&p.z)
	return same.Equal(q)
}

// longScalarGnark compares a*G + b*P, by Strauss and by Pippenger in turns.
func longScalarGnark(t *testing.T, r *mathrand.Rand, n int) {
	v := testVerifier()
	_, g := secp256k1.Generators()
	var m multi
	for i := range (n + 1) / 2 { // two multiplications each
		p, a, b := randomPoint(r), randomScalar(r), randomScalar(r)
		got := sumBy(v, &m, i%2 == 0, &a, &p, &b)
		var want secp256k1.G1Affine
		_, err := want.MultiExp([]secp256k1.G1Affine{g, toGnark(&p)},
			[]fr.Element{toGnarkScalar(&a), toGnarkScalar(&b)}, ecc.MultiExpConfig{NbTasks: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !sameAsGnark(&got, &want) {
			t.Fatalf("operation %d: %x G + %x %x: got %x, want %v", i, a.w, b.w, p, got, &want)
		}
	}
}

// gnarkBatch is a plain batch check of BIP340 over gnark-crypto's MultiExp.
type gnarkBatch struct {
	points  []secp256k1.G1Affine
	scalars []fr.Element
	tag     [32]byte
}

func liftByGnark(x []byte) (p secp256k1.G1Affine, ok bool) {
	if p.X.SetBytesCanonical(x) != nil {
		return p, false
	}
	seven := fp.NewElement(7)
	p.Y.Square(&p.X).Mul(&p.Y, &p.X).Add(&p.Y, &seven)
	if p.Y.Sqrt(&p.Y) == nil {
		return p, false
	}
	if p.Y.Bytes()[31]&1 == 1 {
		p.Y.Neg(&p.Y)
	}
	return p, true
}

func (g *gnarkBatch) verify(items []schnorrItem) bool {
	g.points, g.scalars = g.points[:0], g.scalars[:0]
	random := make([]byte, 16*len(items))
	if _, err := rand.Read(random); err != nil {
		return false
	}
	var total fr.Element
	for i := range items {
		it := &items[i]
		r, ok := liftByGnark(it.sig[:32])
		key, okKey := liftByGnark(it.key[:])
		if !ok || !okKey {
			return false
		}
		h := sha256.New()
		for _, part := range [][]byte{g.tag[:], g.tag[:], it.sig[:32], it.key[:], it.msg[:]} {
			h.Write(part)
		}
		var s, e, a fr.Element
		s.SetBytes(it.sig[32:])
		e.SetBytes(h.Sum(nil))
		a.SetBytes(random[16*i : 16*i+16])
		total.Add(&total, s.Mul(&s, &a))
		e.Mul(&e, &a)
		g.points = append(g.points, r, key)
		g.scalars = append(g.scalars, a, e)
	}
	_, gen := secp256k1.Generators()
	g.points, g.scalars = append(g.points, gen), append(g.scalars, *total.Neg(&total))
	var sum secp256k1.G1Jac
	if _, err := sum.MultiExp(g.points, g.scalars, ecc.MultiExpConfig{NbTasks: 1}); err != nil {
		return false
	}
	return sum.Z.IsZero()
}

// BenchmarkAgainstGnark checks the same signatures by both, by turns: times
// says how many times as fast this package is.
func BenchmarkAgainstGnark(b *testing.B) {
	v, r := New(), seeded(43)
	var items []schnorrItem
	for range 4096 {
		items = append(items, signSchnorr(b, r, randomKey(r)))
	}
	ours, theirs := v.NewBatch(), &gnarkBatch{tag: sha256.Sum256([]byte("BIP0340/challenge"))}
	for _, n := range []int{1024, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var a, c []time.Duration
			for b.Loop() {
				a = append(a, timed(b, func() bool {
					ours.Reset()
					for _, it := range items[:n] {
						ours.Add(it.msg, it.key, it.sig)
					}
					return ours.Verify(rand.Reader)
				}))
				c = append(c, timed(b, func() bool { return theirs.verify(items[:n]) }))
			}
			b.ReportMetric(median(a)/float64(n), "ns/signature")
			b.ReportMetric(median(c)/float64(n), "gnark-ns/signature")
			b.ReportMetric(median(c)/median(a), "times")
			b.ReportMetric(0, "ns/op")
		})
	}
}
