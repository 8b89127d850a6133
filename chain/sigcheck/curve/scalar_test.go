package curve

import (
	"math/big"
	"testing"
)

var bigLambda, _ = new(big.Int).SetString("5363AD4CC05C30E0A5261C028812645A122E22EA20816678DF02967C1B23BD72", 16)

func TestScalarAgainstBig(t *testing.T) {
	r := seeded(5)
	same := func(what string, got *Scalar, want *big.Int) {
		t.Helper()
		if want.Mod(want, bigN); limbsToBig(got.w).Cmp(want) != 0 {
			t.Fatalf("%s: got %x, want %x", what, got.w, want)
		}
	}
	for range 20000 {
		wx := randomLimbs(r)
		x, y := Scalar{wx}, randomScalar(r)
		x.reduceOnce(0)
		same("reduced", &x, limbsToBig(wx))
		b := bigToBytes(limbsToBig(wx))
		if parsed, ok := ParseScalar(&b); ok != (x.w == wx) || ok && parsed != x || !ok && parsed != (Scalar{}) {
			t.Fatalf("parse %x: %v", b, ok)
		}
		if b = x.Bytes(); reduceScalar(&b) != x {
			t.Fatalf("there and back: %x", b)
		}
		bx, by := limbsToBig(x.w), limbsToBig(y.w)
		var z Scalar
		z.mul(&x, &y)
		same("mul", &z, new(big.Int).Mul(bx, by))
		z.add(&x, &y)
		same("add", &z, new(big.Int).Add(bx, by))
		z.neg(&x)
		same("neg", &z, new(big.Int).Neg(bx))
	}
}

// TestMulFoldsFully feeds the fold the largest of all products.
func TestMulFoldsFully(t *testing.T) {
	wide := [8]uint64{ones, ones, ones, ones, ones, ones, ones, ones}
	for i := range 9 {
		var s Scalar
		s.fold(wide[0], wide[1], wide[2], wide[3], wide[4], wide[5], wide[6], wide[7])
		var want big.Int
		for j := 7; j >= 0; j-- {
			want.Lsh(&want, 64)
			want.Or(&want, new(big.Int).SetUint64(wide[j]))
		}
		if want.Mod(&want, bigN); limbsToBig(s.w).Cmp(&want) != 0 {
			t.Errorf("%x: got %x", wide, s.w)
		}
		if i < 8 {
			wide[i] = 0
		}
	}
}

// bigHalf is the signed value.
func bigHalf(h half) *big.Int {
	v := limbsToBig([4]uint64{h.lo, h.hi})
	if h.neg {
		v.Neg(v)
	}
	return v
}

func TestSplit(t *testing.T) {
	check := func(s Scalar) {
		t.Helper()
		k1, k2 := s.split()
		v := bigHalf(k2)
		v.Mul(v, bigLambda).Add(v, bigHalf(k1)).Mod(v, bigN)
		if v.Cmp(limbsToBig(s.w)) != 0 {
			t.Fatalf("%x: parts %v and %v", s.w, bigHalf(k1), bigHalf(k2))
		}
	}
	r := seeded(6)
	for range 20000 {
		check(randomScalar(r))
	}
	for _, x := range edges() {
		s := Scalar{x}
		s.reduceOnce(0)
		check(s)
	}
	// Around the multiples at which the rounding changes.
	for _, a := range []*big.Int{limbsToBig([4]uint64{splitA1L, splitA1H}), limbsToBig([4]uint64{splitB1L, splitB1H})} {
		for i := int64(1); i < 2000; i++ {
			v := new(big.Int).Mul(bigN, big.NewInt(2*i+1))
			v.Div(v, new(big.Int).Lsh(a, 1))
			for d := int64(-1); d <= 1; d++ {
				check(bigToScalar(new(big.Int).Mod(new(big.Int).Add(v, big.NewInt(d)), bigN)))
			}
		}
	}
}

func TestEndomorphism(t *testing.T) {
	lambda := bigToScalar(bigLambda)
	r := seeded(7)
	for range 50 {
		p := randomPoint(r)
		want := multiple(&lambda, &p)
		p.x.mul(&p.x, &beta)
		if !equalPoints(&p, &want) {
			t.Fatal("beta does not belong to lambda")
		}
	}
}

func TestNaf(t *testing.T) {
	r := seeded(8)
	for i := range 20000 {
		w := randomLimbs(r)
		h := half{lo: w[0], hi: w[1], neg: i%2 == 1}
		window := uint(2 + i%12)
		var f naf
		f.set(h, window)
		var sum big.Int
		last := -100
		for at, d := range f.d {
			if d == 0 {
				continue
			}
			if d%2 == 0 || int(d) >= 1<<(window-1) || int(d) <= -1<<(window-1) || at-last < int(window) || at >= f.len {
				t.Fatalf("%v, window %d: digit %d at %d after %d", h, window, d, at, last)
			}
			last = at
			sum.Add(&sum, new(big.Int).Lsh(big.NewInt(int64(d)), uint(at)))
		}
		if sum.Cmp(bigHalf(h)) != 0 {
			t.Fatalf("%v, window %d: sum %v", h, window, &sum)
		}
	}
}
