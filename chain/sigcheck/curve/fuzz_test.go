package curve

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// FuzzField compares the arithmetic modulo p with math/big.
func FuzzField(f *testing.F) {
	for _, x := range edges() {
		b := bigToBytes(limbsToBig(x))
		f.Add(append(append(b[:], b[:]...), b[:]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 96 {
			return
		}
		var x, y, s, z fe
		x.setBytes((*[32]byte)(b))
		y.setBytes((*[32]byte)(b[32:]))
		s.setBytes((*[32]byte)(b[64:]))
		bx, by, bs := limbsToBig(x), limbsToBig(y), limbsToBig(s)
		product, square := new(big.Int).Mul(bx, by), new(big.Int).Mul(bx, bx)
		z.mul(&x, &y)
		mustEqualFe(t, "mul", &z, product)
		z.mulSub(&x, &y, &s)
		mustEqualFe(t, "mulSub", &z, new(big.Int).Sub(product, bs))
		z.sqr(&x)
		mustEqualFe(t, "sqr", &z, square)
		z.sqrSub(&x, &y, &s)
		mustEqualFe(t, "sqrSub", &z, square.Sub(square, by).Sub(square, bs))
		z.add(&x, &y)
		mustEqualFe(t, "add", &z, new(big.Int).Add(bx, by))
		z.sub(&x, &y)
		mustEqualFe(t, "sub", &z, new(big.Int).Sub(bx, by))
		z.half(&x)
		z.add(&z, &z)
		mustEqualFe(t, "half", &z, bx)
		if inverse := new(big.Int).ModInverse(bx, bigP); inverse != nil {
			z.inv(&x)
			mustEqualFe(t, "inv", &z, inverse)
		}
	})
}

// FuzzScalar compares the arithmetic modulo the order with math/big.
func FuzzScalar(f *testing.F) {
	for _, s := range edgeScalars() {
		b := s.Bytes()
		f.Add(append(b[:], b[:]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 64 {
			return
		}
		x, y := reduceScalar((*[32]byte)(b)), reduceScalar((*[32]byte)(b[32:]))
		bx, by := limbsToBig(x.w), limbsToBig(y.w)
		same := func(what string, got Scalar, want *big.Int) {
			if limbsToBig(got.w).Cmp(want.Mod(want, bigN)) != 0 {
				t.Fatalf("%s: got %x, want %x", what, got.w, want)
			}
		}
		var z Scalar
		z.mul(&x, &y)
		same("mul", z, new(big.Int).Mul(bx, by))
		z.add(&x, &y)
		same("add", z, new(big.Int).Add(bx, by))
		if inverse := new(big.Int).ModInverse(bx, bigN); inverse != nil {
			z.inv(&x)
			same("inv", z, inverse)
		}
		k1, k2 := x.split()
		v := bigHalf(k2)
		same("split", x, v.Mul(v, bigLambda).Add(v, bigHalf(k1)))
	})
}

// FuzzSum compares a*G + b*P with btcec.
func FuzzSum(f *testing.F) {
	one := append(make([]byte, 31), 1)
	f.Add(bytes.Repeat(one, 3), false)
	f.Add(bytes.Repeat(one, 3), true)
	f.Fuzz(func(t *testing.T, b []byte, odd bool) {
		if len(b) != 96 {
			return
		}
		var x fe
		var p affine
		x.setBytes((*[32]byte)(b))
		if !p.lift(&x, odd) {
			p = generator
		}
		s, k := reduceScalar((*[32]byte)(b[32:])), reduceScalar((*[32]byte)(b[64:]))
		j := testVerifier().sum(&s, &p, &k)
		got, want := j.toAffine(), plus(multiple(&s, &generator), multiple(&k, &p))
		if !equalPoints(&got, &want) {
			t.Fatalf("%x G + %x %x: got %x, want %x", s, k, p, got, want)
		}
	})
}

// FuzzMulti compares sums of many terms, read from bytes, with additions by
// btcec: each term is a byte that picks a point and a sign, and two words.
func FuzzMulti(f *testing.F) {
	f.Add(uint64(1), bytes.Repeat([]byte{1, 2, 3}, 50), uint8(4), uint8(1))
	f.Add(uint64(2), make([]byte, 340), uint8(9), uint8(9))
	f.Fuzz(func(t *testing.T, seed uint64, b []byte, window, together uint8) {
		r := seeded(seed)
		points := []affine{generator, randomPoint(r), randomPoint(r)}
		var m multi
		var want affine
		for ; len(b) >= 17 && len(m.points) < 64; b = b[17:] {
			s := loadScalar((*[32]byte)(append(make([]byte, 16), b[1:17]...)))
			c := testTerm{points[b[0]>>1%3], half{lo: s.w[0], hi: s.w[1], neg: b[0]&1 != 0}}
			m.add(&c.p, c.k)
			want = plus(want, c.value())
		}
		pl := plan{window: 3 + uint(window)%13}
		pl.windows = (scalarBits + pl.window - 1) / pl.window
		pl.together = 1 + uint(together)%pl.windows
		sum := m.sumPlanned(pl)
		if got := sum.toAffine(); !equalPoints(&got, &want) {
			t.Fatalf("%+v: got %x, want %x", pl, got, want)
		}
	})
}

// FuzzParsePoint compares which keys are taken with btcec.
func FuzzParsePoint(f *testing.F) {
	key, _ := btcec.PrivKeyFromBytes([]byte{7})
	f.Add(key.PubKey().SerializeCompressed())
	f.Add(key.PubKey().SerializeUncompressed())
	f.Add(append([]byte{6}, key.PubKey().SerializeUncompressed()[1:]...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) { sameAsBtcec(t, "fuzz", b) })
}

// FuzzSchnorr and FuzzECDSA compare verdicts with btcec, single and in
// batches, for valid signatures of which bits were changed.
func FuzzSchnorr(f *testing.F) {
	for _, seed := range []uint64{1, 2} {
		f.Add(seed, make([]byte, 128), uint8(0))
		f.Add(seed, append(make([]byte, 127), 1), uint8(9))
	}
	cases, _ := readBIP340(f)
	for _, c := range cases {
		f.Add(uint64(0), append(append(c.msg[:], c.key[:]...), c.sig[:]...), uint8(3))
	}
	f.Fuzz(func(t *testing.T, seed uint64, mask []byte, others uint8) {
		if len(mask) != 128 {
			return
		}
		r := seeded(seed)
		var c schnorrItem
		if seed > 0 { // 0: all of it from the fuzzer
			c = signSchnorr(t, r, randomKey(r))
		}
		change(c.msg[:], mask)
		change(c.key[:], mask[32:])
		change(c.sig[:], mask[64:])
		want := c.byBtcec()
		v := testVerifier()
		if got := v.Schnorr(c.msg, c.key, c.sig); got != want {
			t.Fatalf("%+v: got %v, btcec says %v", c, got, want)
		}
		b := v.NewBatch()
		b.Add(c.msg, c.key, c.sig)
		for range others % 16 {
			o := signSchnorr(t, r, randomKey(r))
			b.Add(o.msg, o.key, o.sig)
		}
		if got := b.Verify(randomReader{r}); got != want {
			t.Fatalf("%+v: in a batch of %d: got %v, btcec says %v", c, b.Len(), got, want)
		}
	})
}

func FuzzECDSA(f *testing.F) {
	for _, seed := range []uint64{1, 2} {
		f.Add(seed, make([]byte, 129), uint8(0))
		f.Add(seed, append(make([]byte, 128), 1), uint8(9))
	}
	f.Fuzz(func(t *testing.T, seed uint64, mask []byte, others uint8) {
		if len(mask) != 129 {
			return
		}
		r := seeded(seed)
		c := signECDSA(t, r, randomKey(r))
		rBytes, sBytes := c.r.Bytes(), c.s.Bytes()
		change(c.hash[:], mask)
		change(c.key, mask[32:65])
		change(rBytes[:], mask[65:])
		change(sBytes[:], mask[97:])
		c.r, c.s = reduceScalar(&rBytes), reduceScalar(&sBytes)
		want := c.byBtcec()
		v := testVerifier()
		if got := c.check(v); got != want {
			t.Fatalf("%+v: got %v, btcec says %v", c, got, want)
		}
		// One of the two hints is right, unless x is n or more, which nobody
		// finds by changing bits.
		var inBatch bool
		for _, odd := range []bool{false, true} {
			b := v.NewBatch()
			b.AddECDSA(c.hash, c.key, c.r, c.s, odd)
			for range others % 16 {
				o := signECDSA(t, r, randomKey(r))
				b.AddECDSA(o.hash, o.key, o.r, o.s, o.odd)
			}
			ok := b.Verify(randomReader{r})
			if ok && inBatch {
				t.Fatalf("%+v: both parities accepted", c)
			}
			inBatch = inBatch || ok
		}
		if inBatch != want {
			t.Fatalf("%+v: in batches: got %v, btcec says %v", c, inBatch, want)
		}
	})
}

// change flips the bits of b that are set in mask.
func change(b, mask []byte) {
	for i := range b {
		b[i] ^= mask[i]
	}
}
