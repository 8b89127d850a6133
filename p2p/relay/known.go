package relay

import "github.com/btcsuite/btcd/chainhash/v2"

// Known is a set that remembers at least the last n and at most the last 2n
// hashes added to it. It forgets the oldest half when it is full.
type Known struct {
	n            int
	young, older map[chainhash.Hash]struct{}
}

// NewKnown returns an empty set for n hashes.
func NewKnown(n int) *Known {
	return &Known{n: n, young: make(map[chainhash.Hash]struct{})}
}

// Add takes a hash up and reports whether it was not there.
func (k *Known) Add(h chainhash.Hash) bool {
	if k.Has(h) {
		return false
	}
	if len(k.young) >= k.n {
		k.older, k.young = k.young, make(map[chainhash.Hash]struct{}, k.n)
	}
	k.young[h] = struct{}{}
	return true
}

// Has reports whether h is remembered.
func (k *Known) Has(h chainhash.Hash) bool {
	if _, ok := k.young[h]; ok {
		return true
	}
	_, ok := k.older[h]
	return ok
}

// Clear forgets everything.
func (k *Known) Clear() {
	k.young, k.older = make(map[chainhash.Hash]struct{}), nil
}

// Len returns how many hashes are remembered.
func (k *Known) Len() int { return len(k.young) + len(k.older) }
