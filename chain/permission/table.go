package permission

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

// table is a persistent map, a hash array mapped trie: set and without return
// another table that shares almost everything with this one, which stays as
// it was. So every block can have its own state. The zero table has no seed
// and is not usable; see newTable.
//
// The seed is random, so that nobody can prepare keys that collide. It
// decides where entries lie in memory and in which order all yields them,
// and nothing else: whatever leaves the package is sorted.
type table[K tableKey, V any] struct {
	seed maphash.Seed
	root *branch[K, V]
	n    int
}

// tableKey is an array or integer, compared as a whole.
type tableKey interface {
	comparable
	hash(seed maphash.Seed) uint64
}

const (
	levelBits = 5
	hashBits  = 64
)

// branch is a node of the trie; slots holds those children whose bit is set,
// in the order of bits.
type branch[K tableKey, V any] struct {
	used  uint32
	slots []slot[K, V]
}

// slot is either a branch or a leaf.
type slot[K tableKey, V any] struct {
	sub  *branch[K, V]
	leaf *leaf[K, V]
}

// leaf is an entry, chained with those whose keys have the same hash.
type leaf[K tableKey, V any] struct {
	hash uint64
	key  K
	val  V
	next *leaf[K, V]
}

func newTable[K tableKey, V any](seed maphash.Seed) table[K, V] {
	return table[K, V]{seed: seed, root: &branch[K, V]{}}
}

// len is the number of entries.
func (t *table[K, V]) len() int { return t.n }

func (t *table[K, V]) get(key K) (val V, ok bool) {
	hash := key.hash(t.seed)
	for b, shift := t.root, 0; ; shift += levelBits {
		bit, at := b.place(hash, shift)
		if b.used&bit == 0 {
			return val, false
		}
		if s := &b.slots[at]; s.sub != nil {
			b = s.sub
		} else {
			for l := s.leaf; l != nil; l = l.next {
				if l.key == key {
					return l.val, true
				}
			}
			return val, false
		}
	}
}

// place returns the bit of a hash at a level, and where its slot is or
// would be.
func (b *branch[K, V]) place(hash uint64, shift int) (bit uint32, at int) {
	bit = 1 << (hash >> shift & (1<<levelBits - 1))
	return bit, bits.OnesCount32(b.used & (bit - 1))
}

// set returns the table with key at val.
func (t table[K, V]) set(key K, val V) table[K, V] {
	l := &leaf[K, V]{hash: key.hash(t.seed), key: key, val: val}
	root, added := t.root.with(l, 0)
	t.root = root
	if added {
		t.n++
	}
	return t
}

func (b *branch[K, V]) with(l *leaf[K, V], shift int) (_ *branch[K, V], added bool) {
	bit, at := b.place(l.hash, shift)
	if b.used&bit == 0 {
		slots := make([]slot[K, V], len(b.slots)+1)
		copy(slots, b.slots[:at])
		slots[at].leaf = l
		copy(slots[at+1:], b.slots[at:])
		return &branch[K, V]{b.used | bit, slots}, true
	}
	var s slot[K, V]
	switch old := b.slots[at]; {
	case old.sub != nil:
		s.sub, added = old.sub.with(l, shift+levelBits)
	case old.leaf.hash != l.hash:
		s.sub, added = split(old.leaf, l, shift+levelBits), true
	default:
		rest, found := old.leaf.drop(l.key)
		s.leaf, added = &leaf[K, V]{l.hash, l.key, l.val, rest}, !found
	}
	return b.replace(at, s), added
}

// split makes the branch that holds two leaves of different hash.
func split[K tableKey, V any](x, y *leaf[K, V], shift int) *branch[K, V] {
	b := &branch[K, V]{}
	xBit, _ := b.place(x.hash, shift)
	yBit, _ := b.place(y.hash, shift)
	b.used = xBit | yBit
	switch {
	case xBit == yBit:
		b.slots = []slot[K, V]{{sub: split(x, y, shift+levelBits)}}
	case xBit < yBit:
		b.slots = []slot[K, V]{{leaf: x}, {leaf: y}}
	default:
		b.slots = []slot[K, V]{{leaf: y}, {leaf: x}}
	}
	return b
}

func (b *branch[K, V]) replace(at int, s slot[K, V]) *branch[K, V] {
	slots := make([]slot[K, V], len(b.slots))
	copy(slots, b.slots)
	slots[at] = s
	return &branch[K, V]{b.used, slots}
}

// drop returns the chain without a key.
func (l *leaf[K, V]) drop(key K) (rest *leaf[K, V], found bool) {
	if l == nil {
		return nil, false
	}
	if l.key == key {
		return l.next, true
	}
	next, found := l.next.drop(key)
	if !found {
		return l, false
	}
	return &leaf[K, V]{l.hash, l.key, l.val, next}, true
}

// without returns the table without a key.
func (t table[K, V]) without(key K) table[K, V] {
	if root, found := t.root.without(key, key.hash(t.seed), 0); found {
		t.root = root
		t.n--
	}
	return t
}

func (b *branch[K, V]) without(key K, hash uint64, shift int) (_ *branch[K, V], found bool) {
	bit, at := b.place(hash, shift)
	if b.used&bit == 0 {
		return b, false
	}
	s := b.slots[at]
	if s.sub != nil {
		s.sub, found = s.sub.without(key, hash, shift+levelBits)
		if found && len(s.sub.slots) == 1 && s.sub.slots[0].leaf != nil {
			s = s.sub.slots[0]
		}
	} else {
		s.leaf, found = s.leaf.drop(key)
	}
	switch {
	case !found:
		return b, false
	case s.leaf != nil || s.sub != nil:
		return b.replace(at, s), true
	}
	slots := make([]slot[K, V], 0, len(b.slots)-1)
	slots = append(append(slots, b.slots[:at]...), b.slots[at+1:]...)
	return &branch[K, V]{b.used &^ bit, slots}, true
}

// all yields the entries in no order that means anything.
func (t table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { t.root.each(yield) }
}

func (b *branch[K, V]) each(yield func(K, V) bool) bool {
	for i := range b.slots {
		s := &b.slots[i]
		if s.sub != nil && !s.sub.each(yield) {
			return false
		}
		for l := s.leaf; l != nil; l = l.next {
			if !yield(l.key, l.val) {
				return false
			}
		}
	}
	return true
}
