package curve

import (
	"encoding/binary"
	"io"
)

// singlyBelow is the number of signatures below which a batch checks them one
// by one.
const singlyBelow = 8

// Batch collects signatures, BIP340 and ECDSA in any mixture, and checks them
// with one sum of multiples of points. It belongs to one goroutine at a time
// and keeps its memory from one batch to the next.
type Batch struct {
	v     *Verifier
	bad   bool // an item was refused when it was added
	items []item
	keys  []batchKey
	slots map[[32]byte]uint32 // x of a key to its place in keys

	inverses []Scalar
	random   []byte
	sums     multi
}

// item says that g*G + k*key = R, where R has the x and a y of the parity
// given; for ECDSA g and k are still to be divided by s.
type item struct {
	x         fe
	g, k, s   Scalar
	key       uint32
	odd       bool
	keyOdd    bool
	undivided bool
}

// batchKey is a key of one or more items, with an even y.
type batchKey struct {
	point  affine
	lifted bool
	k      Scalar // what the items need of it, in sum
}

// NewBatch begins an empty batch.
func (v *Verifier) NewBatch() *Batch {
	return &Batch{v: v, slots: make(map[[32]byte]uint32)}
}

// Reset empties the batch.
func (b *Batch) Reset() {
	b.bad = false
	b.items, b.keys = b.items[:0], b.keys[:0]
	clear(b.slots)
}

// Len is the number of signatures that were added.
func (b *Batch) Len() int { return len(b.items) }

// Add adds a BIP340 signature of msg by the x-only key.
func (b *Batch) Add(msg, key [32]byte, sig [64]byte) {
	var it item
	s, ok := ParseScalar((*[32]byte)(sig[32:]))
	if !it.x.setBytes((*[32]byte)(sig[:32])) {
		ok = false
	}
	it.g = s
	it.k = b.v.challenge(sig[:32], key[:], msg[:])
	it.k.neg(&it.k)
	it.key = b.slot(&key)
	b.bad = b.bad || !ok
	b.items = append(b.items, it)
}

// AddECDSA adds an ECDSA signature of hash by key, in any form that
// [ParsePoint] takes. odd is the parity of the y of the signature's point R,
// which the signature does not tell: with the wrong one, and for the rare
// signatures whose R has an x of the order or more, Verify says false.
func (b *Batch) AddECDSA(hash [32]byte, key []byte, r, s Scalar, odd bool) {
	it := item{x: fe(r.w), g: reduceScalar(&hash), k: r, s: s, odd: odd, undivided: true}
	ok := !r.IsZero() && !s.IsZero()
	if len(key) == 33 && (key[0] == 2 || key[0] == 3) {
		it.key, it.keyOdd = b.slot((*[32]byte)(key[1:])), key[0] == 3
	} else if p, valid := ParsePoint(key); valid {
		it.key, it.keyOdd = b.slot((*[32]byte)(key[1:33])), p.p.y.isOdd()
		if it.keyOdd {
			p.p.neg(&p.p)
		}
		b.keys[it.key].point, b.keys[it.key].lifted = p.p, true
	} else {
		ok = false
	}
	b.bad = b.bad || !ok
	b.items = append(b.items, it)
}

// slot finds or makes the place of the key with that x.
func (b *Batch) slot(x *[32]byte) uint32 {
	i, ok := b.slots[*x]
	if ok {
		return i
	}
	i = uint32(len(b.keys))
	var k batchKey
	if !k.point.x.setBytes(x) {
		b.bad = true
	}
	b.keys = append(b.keys, k)
	b.slots[*x] = i
	return i
}

// Verify reports whether all signatures are valid. An empty batch is.
//
// True is certain but for a chance of 2^-128: each signature's equation is
// multiplied by 128 bits that are drawn from random now, after all of them
// were fixed, and the sum is checked. random must be unpredictable for those
// who made the signatures. False means that one is not valid, that a hint for
// an ECDSA signature is wrong, or that random could not be read: only single
// checks tell.
func (b *Batch) Verify(random io.Reader) bool {
	if b.bad || !b.liftKeys() {
		return false
	}
	b.divide()
	if len(b.items) < singlyBelow {
		return b.verifySingly()
	}
	b.random = resize(b.random, 16*len(b.items))
	if _, err := io.ReadFull(random, b.random); err != nil {
		return false
	}
	b.sums.reset()
	total, ok := b.addItems()
	if !ok {
		return false
	}
	b.sums.add(&generator, half{lo: total.w[0], hi: total.w[1]})
	b.sums.add(&b.v.base128, half{lo: total.w[2], hi: total.w[3]})
	for i := range b.keys {
		key := &b.keys[i]
		k1, k2 := key.k.split()
		b.sums.add(&key.point, k1)
		image := key.point
		image.x.mul(&image.x, &beta)
		b.sums.add(&image, k2)
	}
	sum := b.sums.sum()
	return sum.isInfinity()
}

// liftKeys finds the points of all keys and empties their scalars.
func (b *Batch) liftKeys() bool {
	for i := range b.keys {
		key := &b.keys[i]
		key.k = Scalar{}
		if key.lifted {
			continue
		}
		if !key.point.lift(&key.point.x, false) {
			return false
		}
		key.lifted = true
	}
	return true
}

// divide divides the scalars of ECDSA signatures by their s, with one
// inversion for all.
func (b *Batch) divide() {
	b.inverses = b.inverses[:0]
	acc := Scalar{[4]uint64{1}}
	for i := range b.items {
		b.inverses = append(b.inverses, acc)
		if it := &b.items[i]; it.undivided {
			acc.mul(&acc, &it.s)
		}
	}
	acc.inv(&acc)
	for i := len(b.items) - 1; i >= 0; i-- {
		it := &b.items[i]
		if !it.undivided {
			continue
		}
		var w Scalar
		w.mul(&acc, &b.inverses[i])
		acc.mul(&acc, &it.s)
		it.g.mul(&it.g, &w)
		it.k.mul(&it.k, &w)
		it.undivided = false
	}
}

// verifySingly computes each R and needs no random factors.
func (b *Batch) verifySingly() bool {
	for i := range b.items {
		it := &b.items[i]
		p := b.keys[it.key].point
		if it.keyOdd {
			p.neg(&p)
		}
		sum := b.v.sum(&it.g, &p, &it.k)
		if sum.isInfinity() || !sum.hasX(&it.x) {
			return false
		}
		if point := sum.toAffine(); point.y.isOdd() != it.odd {
			return false
		}
	}
	return true
}

// addItems adds -a*R of every item to the sum, for its random a, gives the
// keys what they are multiplied by, and gives what the generator is. It
// reports whether every x is that of a point.
func (b *Batch) addItems() (total Scalar, ok bool) {
	for i := range b.items {
		it := &b.items[i]
		var r affine
		if !r.lift(&it.x, !it.odd) { // -R
			return total, false
		}
		a := half{
			lo: binary.LittleEndian.Uint64(b.random[16*i:]),
			hi: binary.LittleEndian.Uint64(b.random[16*i+8:]),
		}
		b.sums.add(&r, a)
		factor := Scalar{[4]uint64{a.lo, a.hi}}
		var t Scalar
		t.mul(&factor, &it.g)
		total.add(&total, &t)
		t.mul(&factor, &it.k)
		if it.keyOdd {
			t.neg(&t)
		}
		key := &b.keys[it.key]
		key.k.add(&key.k, &t)
	}
	return total, true
}
