package curve

import (
	"math/rand/v2"
	"testing"
)

// testTerm is a multiple for a test, with its value by btcec.
type testTerm struct {
	p affine
	k half
}

func (c testTerm) value() affine {
	k := Scalar{[4]uint64{c.k.lo, c.k.hi}}
	p := multiple(&k, &c.p)
	if c.k.neg {
		p.neg(&p)
	}
	return p
}

func randomHalf(r *rand.Rand) half {
	w := randomLimbs(r)
	return half{lo: w[0], hi: w[1], neg: w[2]&1 != 0}
}

// testTerms are n terms over few points, with many that are equal or cancel.
func testTerms(r *rand.Rand, n int) (terms []testTerm) {
	points := []affine{generator}
	for range 1 + n/3 {
		points = append(points, randomPoint(r))
	}
	halves := []half{{}, {lo: 1}, {lo: 1, neg: true}, {lo: ones, hi: ones}, {lo: ones, hi: ones, neg: true}, {hi: 1 << 63}, {hi: 1 << 63, neg: true}}
	for range n {
		c := testTerm{points[r.IntN(len(points))], randomHalf(r)}
		switch r.IntN(6) {
		case 0:
			c.k = halves[r.IntN(len(halves))]
		case 1:
			if len(terms) > 0 {
				c = terms[r.IntN(len(terms))]
				c.k.neg = r.IntN(2) == 0
			}
		}
		terms = append(terms, c)
	}
	return terms
}

func TestMulti(t *testing.T) {
	r := seeded(50)
	var m multi // its memory is used again
	for _, n := range []int{0, 1, 2, 3, 5, 17, 64, 100} {
		terms := testTerms(r, n)
		var want affine
		m.reset()
		for _, c := range terms {
			m.add(&c.p, c.k)
			want = plus(want, c.value())
		}
		sum := m.sum()
		if got := sum.toAffine(); !equalPoints(&got, &want) {
			t.Fatalf("%d terms: got %x, want %x", n, got, want)
		}
	}
}

// TestMultiPlans tries every window, with all and with few windows together.
func TestMultiPlans(t *testing.T) {
	r := seeded(51)
	terms := testTerms(r, 40)
	var want affine
	for _, c := range terms {
		want = plus(want, c.value())
	}
	var m multi
	for window := uint(3); window <= 15; window++ {
		for _, together := range []uint{1, 4, 100} {
			m.reset()
			for _, c := range terms {
				m.add(&c.p, c.k)
			}
			pl := plan{window: window, windows: (scalarBits + window - 1) / window}
			pl.together = min(together, pl.windows)
			sum := m.sumPlanned(pl)
			if got := sum.toAffine(); !equalPoints(&got, &want) {
				t.Fatalf("%+v: got %x, want %x", pl, got, want)
			}
		}
	}
}

// TestMultiCancels ends at infinity by way of many sums that are infinity.
func TestMultiCancels(t *testing.T) {
	r := seeded(52)
	var m multi
	for range 20 {
		m.reset()
		var all []testTerm
		for range 30 {
			all = append(all, testTerm{randomPoint(r), randomHalf(r)})
		}
		all = append(all, all...)
		for i := range 30 {
			all[i].k.neg = !all[i].k.neg
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, c := range all {
			m.add(&c.p, c.k)
		}
		if sum := m.sum(); !sum.isInfinity() {
			t.Fatal("not infinity")
		}
		m.add(&generator, half{lo: 1})
	}
}

// TestSummer adds lists of every small length, of the same, of opposite and
// of other points.
func TestSummer(t *testing.T) {
	r := seeded(53)
	points := []affine{generator, randomPoint(r), randomPoint(r)}
	var s summer
	for range 100 {
		var refs []ref
		var ends []uint32
		var want []affine
		for range r.IntN(20) {
			var sum affine
			for range r.IntN(12) {
				i, neg := r.IntN(len(points)), r.IntN(2)
				refs = append(refs, ref(2*i+neg))
				p := points[i]
				if neg == 1 {
					p.neg(&p)
				}
				sum = plus(sum, p)
			}
			ends = append(ends, uint32(len(refs)))
			want = append(want, sum)
		}
		got := s.sum(points, refs, ends)
		for i := range want {
			if !equalPoints(&got[i], &want[i]) {
				t.Fatalf("list %d of %v, %v: got %x, want %x", i, refs, ends, got[i], want[i])
			}
		}
	}
}

func TestSigned(t *testing.T) {
	for _, y := range edges() {
		plus, minus := signed(&y, 2), signed(&y, 3)
		var want fe
		want.neg(&y)
		if plus != y || !minus.equal(&want) {
			t.Fatalf("%x: %x and %x", y, plus, minus)
		}
	}
}

// TestMultiParts has so many terms that their sum is computed in parts.
func TestMultiParts(t *testing.T) {
	r := seeded(54)
	var m multi
	var terms []testTerm
	for len(terms) < mostTerms+mostTerms/8 {
		c := testTerm{randomPoint(r), randomHalf(r)}
		terms = append(terms, c)
		c.k.neg = !c.k.neg
		terms = append(terms, c)
	}
	terms = append(terms, testTerm{generator, half{lo: 5}})
	r.Shuffle(len(terms), func(i, j int) { terms[i], terms[j] = terms[j], terms[i] })
	for _, c := range terms {
		m.add(&c.p, c.k)
	}
	sum := m.sum()
	want := multiple(&Scalar{[4]uint64{5}}, &generator)
	if got := sum.toAffine(); !equalPoints(&got, &want) {
		t.Errorf("got %x, want 5 G", got)
	}
	if rest := m.sum(); !rest.isInfinity() {
		t.Error("terms are left")
	}
}
