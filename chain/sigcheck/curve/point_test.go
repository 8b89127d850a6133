package curve

import (
	"math/rand/v2"
	"testing"
)

// scaledBy gives p with the coordinate z, which must not be zero.
func scaledBy(p *affine, z fe) (j jacobian) {
	j.startScaled(p, &z)
	j.z = z
	return j
}

func randomUnit(r *rand.Rand) fe {
	for {
		if z := randomFe(r); !z.isZero() {
			return z
		}
	}
}

func TestGroupAgainstBtcec(t *testing.T) {
	r := seeded(20)
	for i := range 3000 {
		p, q := randomPoint(r), randomPoint(r)
		switch i % 6 {
		case 0:
			q = p
		case 1:
			q.neg(&p)
		case 2:
			q = affine{}
		case 3:
			p = affine{}
			if i%12 == 3 {
				q = affine{}
			}
		}
		var jp, jq jacobian
		if !p.isInfinity() {
			jp = scaledBy(&p, randomUnit(r))
		}
		if !q.isInfinity() {
			jq = scaledBy(&q, randomUnit(r))
		}
		want := plus(p, q)
		check := func(what string, j jacobian) {
			t.Helper()
			if got := j.toAffine(); !equalPoints(&got, &want) {
				t.Fatalf("%s: case %d: got %x, want %x", what, i%6, got, want)
			}
			if !want.isInfinity() && !j.hasX(&want.x) {
				t.Fatalf("%s: hasX", what)
			}
		}
		j := jp
		j.add(&jq)
		check("add", j)
		j = jp
		j.addScaled(&q, nil, nil)
		check("addScaled", j)
		scale := randomUnit(r)
		if !p.isInfinity() { // seen from the curve for scale
			j = jp
			var zi fe
			zi.inv(&scale)
			j.z.mul(&j.z, &zi)
		} else {
			j = jacobian{}
		}
		j.addScaled(&q, &scale, nil)
		j.z.mul(&j.z, &scale)
		check("addScaled from another curve", j)
		want = plus(p, p)
		j.double(&jp)
		check("double", j)
	}
}

func TestGroupLaws(t *testing.T) {
	r := seeded(21)
	random := func() jacobian { p := randomPoint(r); return scaledBy(&p, randomUnit(r)) }
	for range 500 {
		p, q, s := random(), random(), random()
		left, right := p, q
		left.add(&q)
		left.add(&s)
		right.add(&s)
		right.add(&p)
		a, b := left.toAffine(), right.toAffine()
		if !equalPoints(&a, &b) || !a.onCurve() {
			t.Fatal("(p+q)+s is not (q+s)+p")
		}
		left = p
		left.y.neg(&left.y)
		left.add(&p)
		if !left.isInfinity() {
			t.Fatal("-p+p is not infinity")
		}
	}
}

func TestLift(t *testing.T) {
	r := seeded(22)
	found := 0
	for range 500 {
		x := randomFe(r)
		for _, odd := range []bool{false, true} {
			var p affine
			if !p.lift(&x, odd) {
				continue
			}
			found++
			if !p.onCurve() || p.y.isOdd() != odd || !p.x.equal(&x) {
				t.Fatalf("lift(%x, %v) = %x", x, odd, p)
			}
		}
	}
	if found < 400 || found > 600 {
		t.Errorf("%d points for 500 x", found)
	}
}

func TestOddMultiples(t *testing.T) {
	r := seeded(23)
	lambda := bigToScalar(bigLambda)
	for range 20 {
		p := randomPoint(r)
		var table oddMultiples
		table.set(&p)
		image := multiple(&lambda, &p)
		for i := range table.points {
			k := Scalar{[4]uint64{uint64(2*i + 1)}}
			for _, c := range []struct{ entry, base affine }{{table.points[i], p}, {table.images[i], image}} {
				j := jacobian{c.entry.x, c.entry.y, table.z}
				got, want := j.toAffine(), multiple(&k, &c.base)
				if !equalPoints(&got, &want) {
					t.Fatalf("multiple %d", 2*i+1)
				}
			}
		}
	}
}

func TestGeneratorTables(t *testing.T) {
	v := testVerifier()
	shift := Scalar{[4]uint64{0, 0, 1}}
	base := multiple(&shift, &generator)
	if !equalPoints(&base, &v.base128) {
		t.Error("base128 is not 2^128 G")
	}
	for _, i := range []int{0, 1, 2, 3, 100, 500, generatorMultiples - 2, generatorMultiples - 1} {
		k := Scalar{[4]uint64{uint64(2*i + 1)}}
		low, high := multiple(&k, &generator), multiple(&k, &base)
		if !equalPoints(&v.low[i], &low) || !equalPoints(&v.high[i], &high) {
			t.Errorf("multiple %d", 2*i+1)
		}
	}
	for i := range v.low {
		if !v.low[i].onCurve() || !v.high[i].onCurve() {
			t.Fatalf("multiple %d is not on the curve", 2*i+1)
		}
	}
}

// TestSum covers all pairs of edge scalars, with points that make terms equal
// or cancel.
func TestSum(t *testing.T) {
	v := testVerifier()
	r := seeded(24)
	check := func(a, b Scalar, p, want affine) {
		t.Helper()
		j := v.sum(&a, &p, &b)
		if got := j.toAffine(); !equalPoints(&got, &want) {
			t.Fatalf("%x G + %x %x: got %x, want %x", a.w, b.w, p, got, want)
		}
	}
	compute := func(a, b Scalar, p affine) {
		t.Helper()
		check(a, b, p, plus(multiple(&a, &generator), multiple(&b, &p)))
	}
	minusG := affine{}
	minusG.neg(&generator)
	points := []affine{generator, minusG, v.base128, randomPoint(r)}
	scalars := edgeScalars()
	ofG, ofP := make([]affine, len(scalars)), make([]affine, len(scalars))
	for i, s := range scalars {
		ofG[i], ofP[i] = multiple(&s, &generator), multiple(&s, &points[i%len(points)])
	}
	for i, a := range scalars {
		for k, b := range scalars {
			check(a, b, points[k%len(points)], plus(ofG[i], ofP[k]))
		}
		check(a, a, generator, plus(ofG[i], ofG[i]))
		check(a, a, minusG, affine{})
	}
	for range 50 {
		a, b := randomScalar(r), randomScalar(r)
		compute(a, b, randomPoint(r))
		compute(a, a, minusG)
		compute(a, b, generator)
		a.neg(&b)
		compute(a, b, generator)
	}
}

// edgeScalars are those at which recodings change their mind.
func edgeScalars() (all []Scalar) {
	for _, x := range edges() {
		s := Scalar{x}
		s.reduceOnce(0)
		all = append(all, s)
	}
	lambda := bigToScalar(bigLambda)
	minus := lambda
	minus.neg(&minus)
	return append(all, lambda, minus, Scalar{[4]uint64{0, 0, 1}}, Scalar{[4]uint64{ones, ones}}, Scalar{[4]uint64{0, 1 << 63}})
}
