package curve

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkSingle compares single checks with btcec's. Both run by turns, so
// that the load of the machine strikes both; the figures are medians.
func BenchmarkSingle(b *testing.B) {
	v, r := New(), seeded(40)
	var schnorrs []schnorrItem
	var ecdsas []ecdsaItem
	for range 32 {
		schnorrs = append(schnorrs, signSchnorr(b, r, randomKey(r)))
		ecdsas = append(ecdsas, signECDSA(b, r, randomKey(r)))
	}
	var unit, single, unitECDSA, singleECDSA []time.Duration
	n := 0
	for b.Loop() {
		s, e := &schnorrs[n%len(schnorrs)], &ecdsas[n%len(ecdsas)]
		n++
		unit = append(unit, timed(b, s.byBtcec))
		single = append(single, timed(b, func() bool { return v.Schnorr(s.msg, s.key, s.sig) }))
		unitECDSA = append(unitECDSA, timed(b, e.byBtcec))
		singleECDSA = append(singleECDSA, timed(b, func() bool { return e.check(v) }))
	}
	u := median(unit)
	b.ReportMetric(u, "btcec-ns")
	b.ReportMetric(median(single), "schnorr-ns")
	b.ReportMetric(u/median(single), "schnorr/U")
	b.ReportMetric(median(unitECDSA), "btcec-ecdsa-ns")
	b.ReportMetric(median(singleECDSA), "ecdsa-ns")
	b.ReportMetric(u/median(singleECDSA), "ecdsa/U")
	b.ReportMetric(0, "ns/op")
}

func timed(b *testing.B, check func() bool) time.Duration {
	start := time.Now()
	ok := check()
	took := time.Since(start)
	if !ok {
		b.Fatal("a valid signature was refused")
	}
	return took
}

// median is in nanoseconds.
func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}

func BenchmarkField(b *testing.B) {
	r := seeded(41)
	x, y, p := randomFe(r), randomFe(r), randomPoint(r)
	var square fe
	square.sqr(&x)
	j := scaledBy(&p, randomUnit(r))
	s := randomScalar(r)
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"mul", func() { x.mul(&x, &y) }},
		{"sqr", func() { x.sqr(&x) }},
		{"add", func() { x.add(&x, &y) }},
		{"inv", func() { x.inv(&x) }},
		{"sqrt", func() { y.sqrt(&square) }},
		{"double", func() { j.double(&j) }},
		{"addAffine", func() { j.addAffine(&p) }},
		{"scalar mul", func() { s.mul(&s, &s) }},
		{"scalar inv", func() { s.inv(&s) }},
		{"split", func() { s.split() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.do()
			}
		})
	}
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			New()
		}
	})
}

// BenchmarkBatch gives the time of one signature in batches, hashing, lifting
// and collecting included, each with a key of its own or all with one, and how many are
// checked in the time of one check by btcec (U), measured by turns.
func BenchmarkBatch(b *testing.B) {
	v, r := New(), seeded(42)
	var schnorrs []schnorrItem
	var ecdsas []ecdsaItem
	for range 16384 {
		schnorrs = append(schnorrs, signSchnorr(b, r, randomKey(r)))
	}
	for range 4096 {
		ecdsas = append(ecdsas, signECDSA(b, r, randomKey(r)))
	}
	batch := v.NewBatch()
	run := func(name string, n int, add func(i int)) {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			var unit, took []time.Duration
			for b.Loop() {
				for i := range 9 {
					unit = append(unit, timed(b, schnorrs[i].byBtcec))
				}
				took = append(took, timed(b, func() bool {
					batch.Reset()
					for i := range n {
						add(i)
					}
					return batch.Verify(rand.Reader)
				}))
			}
			each := median(took) / float64(n)
			b.ReportMetric(each, "ns/signature")
			b.ReportMetric(median(unit)/each, "signatures/U")
			b.ReportMetric(0, "ns/op")
		})
	}
	for _, n := range []int{1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096, 16384} {
		run("schnorr", n, func(i int) { batch.Add(schnorrs[i].msg, schnorrs[i].key, schnorrs[i].sig) })
	}
	key := randomKey(r)
	var sameKey []schnorrItem
	for range 4096 {
		sameKey = append(sameKey, signSchnorr(b, r, key))
	}
	run("schnorr-one-key", 4096, func(i int) { batch.Add(sameKey[i].msg, sameKey[i].key, sameKey[i].sig) })
	for _, n := range []int{64, 1024, 4096} {
		run("ecdsa", n, func(i int) {
			e := &ecdsas[i]
			batch.AddECDSA(e.hash, e.key, e.r, e.s, e.odd)
		})
	}
}
