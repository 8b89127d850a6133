package curve

import (
	"bytes"
	"errors"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// batchSizes are below and above the limit for single checks.
var batchSizes = []int{1, 2, singlyBelow - 1, singlyBelow, singlyBelow + 5, 40}

func TestBatchEmpty(t *testing.T) {
	if !testVerifier().NewBatch().Verify(bytes.NewReader(nil)) {
		t.Error("an empty batch is refused")
	}
}

// TestBatchVectors puts every published line into batches of valid ones at
// every position.
func TestBatchVectors(t *testing.T) {
	v, r := testVerifier(), seeded(60)
	cases := bip340Cases(t)
	var valid []bip340Case
	for _, c := range cases {
		if c.valid {
			valid = append(valid, c)
		}
	}
	b := v.NewBatch()
	for _, c := range cases {
		for _, size := range []int{1, singlyBelow - 1, singlyBelow + 3} {
			for at := range size {
				b.Reset()
				for i := range size {
					item := valid[i%len(valid)]
					if i == at {
						item = c
					}
					b.Add(item.msg, item.key, item.sig)
				}
				if b.Len() != size {
					t.Fatalf("%d items of %d", b.Len(), size)
				}
				if got := b.Verify(randomReader{r}); got != c.valid {
					t.Errorf("%s: at %d of %d: got %v", c.name, at, size, got)
				}
			}
		}
	}
}

// TestBatchMixed has both kinds of signatures, keys that repeat, also with
// the other parity and in the long form, and items that are the same.
func TestBatchMixed(t *testing.T) {
	v, r := testVerifier(), seeded(61)
	keys := []*btcec.PrivateKey{randomKey(r), randomKey(r), randomKey(r)}
	for i := range keys { // the negative has the same x
		k := keys[i].Key
		keys = append(keys, btcec.PrivKeyFromScalar(k.Negate()))
	}
	type addition func(b *Batch)
	var additions []addition
	for i := range 40 {
		key := keys[r.IntN(len(keys))]
		switch i % 4 {
		case 0:
			s := signSchnorr(t, r, key)
			additions = append(additions, func(b *Batch) { b.Add(s.msg, s.key, s.sig) })
		case 1:
			e := signECDSA(t, r, key)
			additions = append(additions, func(b *Batch) { b.AddECDSA(e.hash, e.key, e.r, e.s, e.odd) })
		case 2:
			e := signECDSA(t, r, key)
			e.key = key.PubKey().SerializeUncompressed()
			additions = append(additions, func(b *Batch) { b.AddECDSA(e.hash, e.key, e.r, e.s, e.odd) })
		case 3:
			additions = append(additions, additions[r.IntN(len(additions))])
		}
	}
	b := v.NewBatch()
	wrong := signECDSA(t, r, keys[0])
	for _, size := range batchSizes {
		b.Reset()
		for _, add := range additions[:size] {
			add(b)
		}
		for range 2 { // also when asked again
			if !b.Verify(randomReader{r}) {
				t.Fatalf("%d valid signatures refused", size)
			}
		}
		b.AddECDSA(wrong.hash, wrong.key, wrong.r, wrong.s, !wrong.odd)
		if b.Verify(randomReader{r}) {
			t.Fatalf("%d valid signatures and a wrong hint accepted", size)
		}
	}
}

// TestBatchOneBad changes one of many in each part that is checked.
func TestBatchOneBad(t *testing.T) {
	v, r := testVerifier(), seeded(62)
	const size = 20
	var schnorrs []schnorrItem
	var ecdsas []ecdsaItem
	for range size {
		schnorrs = append(schnorrs, signSchnorr(t, r, randomKey(r)))
		ecdsas = append(ecdsas, signECDSA(t, r, randomKey(r)))
	}
	one := Scalar{[4]uint64{1}}
	b := v.NewBatch()
	for round := range 60 {
		s, e := append([]schnorrItem(nil), schnorrs...), append([]ecdsaItem(nil), ecdsas...)
		at := r.IntN(size)
		switch round % 10 {
		case 0:
			s[at].msg[r.IntN(32)] ^= 1
		case 1:
			s[at].key[r.IntN(32)] ^= 1
		case 2:
			s[at].sig[r.IntN(32)] ^= 1
		case 3:
			s[at].sig[32+r.IntN(32)] ^= 1
		case 4:
			e[at].hash[r.IntN(32)] ^= 1
		case 5:
			e[at].key = append([]byte{e[at].key[0] ^ 1}, e[at].key[1:]...)
		case 6:
			e[at].r.add(&e[at].r, &one)
		case 7:
			e[at].s.neg(&e[at].s) // the other y of R: valid singly, but not with this hint
		case 8:
			e[at].odd = !e[at].odd
		case 9:
			s[at].sig, s[(at+1)%size].sig = s[(at+1)%size].sig, s[at].sig
		}
		b.Reset()
		for i := range size {
			b.Add(s[i].msg, s[i].key, s[i].sig)
			b.AddECDSA(e[i].hash, e[i].key, e[i].r, e[i].s, e[i].odd)
		}
		if b.Verify(randomReader{r}) {
			t.Errorf("round %d: accepted", round)
		}
	}
}

// TestBatchCancelling adds to one s what it takes from another's: the sum of
// the plain equations still holds, that with random factors does not.
func TestBatchCancelling(t *testing.T) {
	v, r := testVerifier(), seeded(63)
	key := randomKey(r)
	b := v.NewBatch()
	for _, size := range batchSizes[1:] {
		for _, sameKey := range []bool{true, false} {
			var items []schnorrItem
			for range size {
				if !sameKey {
					key = randomKey(r)
				}
				items = append(items, signSchnorr(t, r, key))
			}
			delta := randomScalar(r)
			for i := range 2 {
				s, _ := ParseScalar((*[32]byte)(items[i].sig[32:]))
				s.add(&s, &delta)
				sBytes := s.Bytes()
				copy(items[i].sig[32:], sBytes[:])
				delta.neg(&delta)
			}
			b.Reset()
			for _, c := range items {
				b.Add(c.msg, c.key, c.sig)
			}
			if b.Verify(randomReader{r}) {
				t.Errorf("%d signatures, two of which cancel each other: accepted", size)
			}
			if size >= singlyBelow && (b.Verify(&countingReader{from: 0}) || b.Verify(&countingReader{from: 8})) {
				t.Errorf("%d signatures, two of which cancel each other, with factors that differ in one half: accepted", size)
			}
			if b.Verify(constantReader{}) != (size >= singlyBelow) {
				t.Errorf("%d signatures with factors that are all the same: the test does not test what it says", size)
			}
		}
	}
}

// constantReader makes all factors 1.
type constantReader struct{}

func (constantReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0
		if i%16 == 0 {
			p[i] = 1
		}
	}
	return len(p), nil
}

// countingReader makes factors that differ in the word that begins at from,
// 0 or 8, alone. It fills whole buffers.
type countingReader struct{ from int }

func (c *countingReader) Read(p []byte) (int, error) {
	clear(p)
	for i := 0; i+16 <= len(p); i += 16 {
		p[i+c.from] = byte(i / 16)
	}
	return len(p), nil
}

func TestBatchIdentical(t *testing.T) {
	v, r := testVerifier(), seeded(64)
	s, e := signSchnorr(t, r, randomKey(r)), signECDSA(t, r, randomKey(r))
	b := v.NewBatch()
	for range 100 {
		b.Add(s.msg, s.key, s.sig)
		b.AddECDSA(e.hash, e.key, e.r, e.s, e.odd)
	}
	if !b.Verify(randomReader{r}) {
		t.Error("refused with random factors")
	}
	if !b.Verify(constantReader{}) {
		t.Error("refused with equal factors, which add up equal points")
	}
	s.sig[63] ^= 1
	for range 10 {
		b.Add(s.msg, s.key, s.sig)
	}
	if b.Verify(randomReader{r}) {
		t.Error("the same wrong signature ten times: accepted")
	}
}

// TestBatchNeedsRandomness: without it nothing is certain.
func TestBatchNeedsRandomness(t *testing.T) {
	v, r := testVerifier(), seeded(65)
	s := signSchnorr(t, r, randomKey(r))
	b := v.NewBatch()
	for range singlyBelow {
		b.Add(s.msg, s.key, s.sig)
	}
	if b.Verify(brokenReader{}) {
		t.Error("accepted without random bytes")
	}
	if b.Verify(bytes.NewReader(make([]byte, 16*singlyBelow-1))) {
		t.Error("accepted with too few random bytes")
	}
	if !b.Verify(randomReader{r}) {
		t.Error("refused")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

// TestBatchRefusesKeys: a key that is none spoils the batch, also where
// another item has brought the key that the signature is valid for.
func TestBatchRefusesKeys(t *testing.T) {
	v, r := testVerifier(), seeded(66)
	e := signECDSA(t, r, randomKey(r))

	// A valid signature by a key with a small x, so that x+p has 32 bytes.
	key, x := liftNear(big.NewInt(1), 1)
	u1, u2 := randomScalar(r), randomScalar(r)
	point := plus(multiple(&u1, &generator), multiple(&u2, &key))
	xBytes := point.x.bytes()
	small := edgeECDSA(t, point, reduceScalar(&xBytes), u1, u2)
	beyond := bigToBytes(x.Add(x, bigP))

	for _, c := range []struct {
		name string
		item ecdsaItem
		key  []byte
	}{
		{"empty", e, nil},
		{"x alone", e, e.key[1:]},
		{"another prefix", e, append([]byte{5}, e.key[1:]...)},
		{"one byte more", e, append(e.key[:33:33], 0)},
		{"65 bytes that are no point", e, append([]byte{4}, make([]byte, 64)...)},
		{"x beyond p", small, append([]byte{small.key[0]}, beyond[:]...)},
	} {
		for _, before := range []int{0, 1, singlyBelow} {
			b := v.NewBatch()
			for range before {
				b.AddECDSA(c.item.hash, c.item.key, c.item.r, c.item.s, c.item.odd)
			}
			if !b.Verify(randomReader{r}) {
				t.Fatalf("%s: the signature itself is refused", c.name)
			}
			b.AddECDSA(c.item.hash, c.key, c.item.r, c.item.s, c.item.odd)
			if b.Verify(randomReader{r}) {
				t.Errorf("%s: accepted after %d", c.name, before)
			}
			b.Reset()
			b.AddECDSA(c.item.hash, c.item.key, c.item.r, c.item.s, c.item.odd)
			if !b.Verify(randomReader{r}) {
				t.Errorf("%s: still refused after a reset", c.name)
			}
		}
	}
}
