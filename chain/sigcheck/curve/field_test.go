package curve

import (
	"math/big"
	"testing"
)

// TestFieldAgainstBig compares every operation with math/big, on operands
// with many carries, also where the result overwrites an operand.
func TestFieldAgainstBig(t *testing.T) {
	r := seeded(1)
	for range 20000 {
		x, y := randomFe(r), randomFe(r)
		bx, by := limbsToBig(x), limbsToBig(y)
		var z fe
		z.mul(&x, &y)
		mustEqualFe(t, "mul", &z, new(big.Int).Mul(bx, by))
		z = x
		z.mul(&z, &y)
		mustEqualFe(t, "mul in place", &z, new(big.Int).Mul(bx, by))
		z = y
		z.mul(&x, &z)
		mustEqualFe(t, "mul in the other place", &z, new(big.Int).Mul(bx, by))
		z = x
		z.sqr(&z)
		mustEqualFe(t, "sqr", &z, new(big.Int).Mul(bx, bx))
		s := randomFe(r)
		bs := limbsToBig(s)
		z.mulSub(&x, &y, &s)
		want := new(big.Int).Mul(bx, by)
		mustEqualFe(t, "mulSub", &z, want.Sub(want, bs))
		z.sqrSub(&x, &y, &s)
		want.Mul(bx, bx)
		mustEqualFe(t, "sqrSub", &z, want.Sub(want, by).Sub(want, bs))
		z.add(&x, &y)
		mustEqualFe(t, "add", &z, new(big.Int).Add(bx, by))
		z.sub(&x, &y)
		mustEqualFe(t, "sub", &z, new(big.Int).Sub(bx, by))
		z.neg(&x)
		mustEqualFe(t, "neg", &z, new(big.Int).Neg(bx))
		z.half(&x)
		z.add(&z, &z)
		mustEqualFe(t, "half", &z, bx)

		residue := new(big.Int).Mod(bx, bigP)
		if got, want := x.isZero(), residue.Sign() == 0; got != want {
			t.Fatalf("isZero(%x) = %v", x, got)
		}
		if got, want := x.isOdd(), residue.Bit(0) == 1; got != want {
			t.Fatalf("isOdd(%x) = %v", x, got)
		}
		if got, want := x.overflows(), bx.Cmp(bigP) >= 0; got != want {
			t.Fatalf("overflows(%x) = %v", x, got)
		}
		if got, want := x.equal(&y), residue.Cmp(new(big.Int).Mod(by, bigP)) == 0; got != want {
			t.Fatalf("equal(%x, %x) = %v", x, y, got)
		}
	}
}

// edges are the residues at which reductions change their mind.
func edges() []fe {
	var all []fe
	for _, v := range []*big.Int{new(big.Int), bigP, bigN, big256, new(big.Int).Sub(bigP, bigN), new(big.Int).Lsh(big.NewInt(1), 255)} {
		for d := int64(-3); d <= 3; d++ {
			v := new(big.Int).Add(v, big.NewInt(d))
			if v.Sign() < 0 || v.Cmp(big256) >= 0 {
				continue
			}
			b := bigToBytes(v)
			var x fe
			x.setBytes(&b)
			all = append(all, x)
		}
	}
	return all
}

func TestFieldEdges(t *testing.T) {
	for _, x := range edges() {
		bx := limbsToBig(x)
		var z fe
		z.sqr(&x)
		mustEqualFe(t, "sqr", &z, new(big.Int).Mul(bx, bx))
		for _, y := range edges() {
			by := limbsToBig(y)
			z.mul(&x, &y)
			mustEqualFe(t, "mul", &z, new(big.Int).Mul(bx, by))
			z.add(&x, &y)
			mustEqualFe(t, "add", &z, new(big.Int).Add(bx, by))
			z.sub(&x, &y)
			mustEqualFe(t, "sub", &z, new(big.Int).Sub(bx, by))
			for _, s := range edges() { // tiny products less large numbers, too
				bs := limbsToBig(s)
				z.mulSub(&x, &y, &s)
				want := new(big.Int).Mul(bx, by)
				mustEqualFe(t, "mulSub", &z, want.Sub(want, bs))
				z.sqrSub(&x, &y, &s)
				want.Mul(bx, bx)
				mustEqualFe(t, "sqrSub", &z, want.Sub(want, by).Sub(want, bs))
			}
			if x.equal(&y) != (new(big.Int).Mod(bx, bigP).Cmp(new(big.Int).Mod(by, bigP)) == 0) {
				t.Fatalf("equal(%x, %x)", x, y)
			}
		}
		residue := new(big.Int).Mod(bx, bigP)
		if x.isZero() != (residue.Sign() == 0) || x.isOdd() != (residue.Bit(0) == 1) || x.overflows() != (bx.Cmp(bigP) >= 0) {
			t.Errorf("%x: zero %v, odd %v, overflows %v", bx, x.isZero(), x.isOdd(), x.overflows())
		}
		b := bigToBytes(bx)
		if got := z.setBytes(&b); got != (bx.Cmp(bigP) < 0) {
			t.Errorf("setBytes(%x) = %v", b, got)
		}
	}
}

func TestInverse(t *testing.T) {
	check := func(w [4]uint64) {
		t.Helper()
		x, bx := fe(w), limbsToBig(w)
		var z fe
		z.inv(&x)
		want := new(big.Int).ModInverse(bx, bigP)
		if want == nil {
			want = new(big.Int)
		}
		mustEqualFe(t, "inv", &z, want)

		s := Scalar{w}
		s.reduceOnce(0)
		s.inv(&s)
		want = new(big.Int).ModInverse(bx, bigN)
		if want == nil {
			want = new(big.Int)
		}
		if got := limbsToBig(s.w); got.Cmp(want) != 0 {
			t.Fatalf("inverse of %x modulo the order: got %x, want %x", bx, got, want)
		}
	}
	for _, x := range edges() {
		check(x)
	}
	r := seeded(2)
	for range 5000 {
		check(randomLimbs(r))
	}
	for i := range 256 { // powers of two, and their neighbours
		for d := int64(-1); d <= 1; d++ {
			b := bigToBytes(new(big.Int).Abs(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), uint(i)), big.NewInt(d))))
			var x fe
			x.setBytes(&b)
			check(x)
		}
	}
}

func TestInvertAll(t *testing.T) {
	r := seeded(3)
	for n := range 20 {
		a := make([]fe, n)
		for i := range a {
			a[i] = randomFe(r)
			if a[i].isZero() {
				a[i] = feOne
			}
		}
		got := append([]fe(nil), a...)
		invertAll(got, make([]fe, n))
		for i := range a {
			a[i].inv(&a[i])
			if !got[i].equal(&a[i]) {
				t.Fatalf("element %d of %d", i, n)
			}
		}
	}
}

func TestSqrt(t *testing.T) {
	check := func(x fe) {
		t.Helper()
		bx := new(big.Int).Mod(limbsToBig(x), bigP)
		var z fe
		ok := z.sqrt(&x)
		if want := big.Jacobi(bx, bigP) >= 0; ok != want {
			t.Fatalf("sqrt(%x) = %v", bx, ok)
		}
		if ok {
			z.sqr(&z)
			mustEqualFe(t, "square of the root", &z, bx)
		}
	}
	for _, x := range edges() {
		check(x)
	}
	r := seeded(4)
	for range 1000 {
		check(randomFe(r))
	}
}
