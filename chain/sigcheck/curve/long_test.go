package curve

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
)

// TestLongDifferential compares field, group and scalar multiplications with
// btcec and with gnark-crypto: 10^8, 10^7 and 10^5 of them, or as many times more or less as
// $CHARTER_FUZZ_FIELD says; without it, a ten-thousandth.
func TestLongDifferential(t *testing.T) {
	factor, seed := 1e-4, uint64(1)
	if s := os.Getenv("CHARTER_FUZZ_FIELD"); s != "" {
		var err error
		if factor, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatalf("CHARTER_FUZZ_FIELD: %v", err)
		}
		seed = uint64(time.Now().UnixNano())
	}
	for _, part := range []struct {
		name  string
		count float64
		run   func(t *testing.T, r *rand.Rand, n int)
	}{
		{"field", 1e8, longField},
		{"group", 1e7, longGroup},
		{"scalar", 1e5, longScalar},
		{"field by gnark-crypto", 1e8, longFieldGnark},
		{"group by gnark-crypto", 1e7, longGroupGnark},
		{"scalar by gnark-crypto", 1e5, longScalarGnark},
	} {
		t.Run(part.name, func(t *testing.T) {
			n := int(part.count * factor)
			t.Logf("%d operations, seed %d", n, seed)
			start := time.Now()
			part.run(t, seeded(seed), n)
			t.Logf("took %v", time.Since(start).Round(time.Millisecond))
		})
	}
}

// longField walks through the field: each result is an operand of the next.
func longField(t *testing.T, r *rand.Rand, n int) {
	var x, y fe
	var wantX, wantY btcec.FieldVal
	for i := range n {
		if i%1000 == 0 { // begin again, often at an edge
			x, y = randomFe(r), randomFe(r)
			bx, by := x.bytes(), y.bytes()
			wantX.SetBytes(&bx)
			wantY.SetBytes(&by)
		}
		switch r.Uint32() % 8 {
		case 0, 1:
			x.mul(&x, &y)
			wantX.Mul(&wantY)
		case 2, 3:
			x.sqr(&x)
			wantX.Square()
		case 4:
			x, y = y, x
			wantX, wantY = wantY, wantX
			x.add(&x, &y)
			wantX.Add(&wantY)
		case 5:
			x.sub(&x, &y)
			wantX.Add(new(btcec.FieldVal).NegateVal(&wantY, 1))
		case 6: // xy - y
			x.mulSub(&x, &y, &y)
			wantX.Mul(&wantY).Add(new(btcec.FieldVal).NegateVal(&wantY, 1))
		case 7: // x^2 - x - y
			minus := new(btcec.FieldVal).Add2(&wantX, &wantY).Negate(2)
			x.sqrSub(&x, &x, &y)
			wantX.Square().Add(minus)
		}
		wantX.Normalize()
		if x.bytes() != *wantX.Bytes() {
			t.Fatalf("operation %d: got %x, want %v", i, x.bytes(), wantX)
		}
	}
}

// longGroup walks through the group by all kinds of additions.
func longGroup(t *testing.T, r *rand.Rand, n int) {
	var acc jacobian
	var want, tmp btcec.JacobianPoint
	points := make([]affine, 64)
	theirs := make([]btcec.JacobianPoint, len(points))
	for i := range n {
		if i%10000 == 0 {
			for k := range points {
				points[k] = randomPoint(r)
				theirs[k] = toBtcec(&points[k])
			}
			acc, want = jacobian{}, btcec.JacobianPoint{}
		}
		at := r.IntN(len(points))
		switch r.Uint32() % 8 {
		case 0:
			acc.double(&acc)
			btcec.DoubleNonConst(&want, &tmp)
		case 1: // the same or the opposite once more
			other := acc
			other.y.neg(&other.y)
			btcec.AddNonConst(&want, &theirs[at], &tmp)
			acc.addAffine(&points[at])
			if i%64 == 0 {
				other.add(&acc)
				if got := other.toAffine(); !equalPoints(&got, &points[at]) {
					t.Fatalf("operation %d: the difference is %x", i, got)
				}
			}
		case 2, 3, 4:
			scaled := scaledBy(&points[at], fe{r.Uint64() | 1, r.Uint64()})
			acc.add(&scaled)
			btcec.AddNonConst(&want, &theirs[at], &tmp)
		default:
			acc.addAffine(&points[at])
			btcec.AddNonConst(&want, &theirs[at], &tmp)
		}
		want = tmp
		if !sameJacobian(&acc, &want) {
			t.Fatalf("operation %d: got %x, want %x", i, acc.toAffine(), fromBtcec(&want))
		}
	}
}

// sameJacobian compares without an inversion.
func sameJacobian(p *jacobian, q *btcec.JacobianPoint) bool {
	if q.Z.IsZero() || p.isInfinity() {
		return q.Z.IsZero() == p.isInfinity()
	}
	var x, y, z fe
	q.X.Normalize()
	q.Y.Normalize()
	q.Z.Normalize()
	x.setBytes(q.X.Bytes())
	y.setBytes(q.Y.Bytes())
	z.setBytes(q.Z.Bytes())
	var a, b, zz, pz fe
	zz.sqr(&z)
	pz.sqr(&p.z)
	a.mul(&p.x, &zz)
	b.mul(&x, &pz)
	if !a.equal(&b) {
		return false
	}
	zz.mul(&zz, &z)
	pz.mul(&pz, &p.z)
	a.mul(&p.y, &zz)
	b.mul(&y, &pz)
	return a.equal(&b)
}

// longScalar compares a*G + b*P, by Strauss and by Pippenger in turns.
func longScalar(t *testing.T, r *rand.Rand, n int) {
	v := testVerifier()
	var m multi
	for i := range (n + 1) / 2 { // two multiplications each
		p, a, b := randomPoint(r), randomScalar(r), randomScalar(r)
		got := sumBy(v, &m, i%2 == 0, &a, &p, &b)
		want := plus(multiple(&a, &generator), multiple(&b, &p))
		if !equalPoints(&got, &want) {
			t.Fatalf("operation %d: %x G + %x %x: got %x, want %x", i, a.w, b.w, p, got, want)
		}
	}
}

// sumBy is a*G + b*P by the sum of single checks, or by that of batches.
func sumBy(v *Verifier, m *multi, strauss bool, a *Scalar, p *affine, b *Scalar) affine {
	if strauss {
		j := v.sum(a, p, b)
		return j.toAffine()
	}
	m.reset()
	m.add(&generator, half{lo: a.w[0], hi: a.w[1]})
	m.add(&v.base128, half{lo: a.w[2], hi: a.w[3]})
	b1, b2 := b.split()
	m.add(p, b1)
	image := *p
	image.x.mul(&image.x, &beta)
	m.add(&image, b2)
	j := m.sum()
	return j.toAffine()
}
