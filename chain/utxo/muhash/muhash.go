package muhash

import (
	"crypto/sha256"

	"golang.org/x/crypto/chacha20"
)

// Hash is the hash of a multiset that grows and shrinks. Make it with New.
// Not safe for concurrent use.
type Hash struct {
	inserted num
	removed  num
	element  num // the one at work
	scratch  scratch
}

// New returns the hash of the empty set.
func New() *Hash { return &Hash{inserted: num{1}, removed: num{1}} }

// Insert adds an element, which may be of any length.
func (h *Hash) Insert(element []byte) {
	h.element.expand(element)
	h.scratch.mul(&h.inserted, &h.element)
}

// Remove takes an element away. That it is in the set is for the caller to
// know: one that is not is made up for by a later Insert.
func (h *Hash) Remove(element []byte) {
	h.element.expand(element)
	h.scratch.mul(&h.removed, &h.element)
}

// Combine adds everything that was done to other.
func (h *Hash) Combine(other *Hash) {
	h.scratch.mul(&h.inserted, &other.inserted)
	h.scratch.mul(&h.removed, &other.removed)
}

// Sum returns the hash of the set as it is now; the set may go on changing.
// Bitcoin Core prints the bytes in reverse order.
func (h *Hash) Sum() [sha256.Size]byte {
	quotient := h.inserted
	h.scratch.divide(&quotient, &h.removed)
	b := quotient.bytes()
	return sha256.Sum256(b[:])
}

// expand sets n to the number of an element: the first bytes of the key
// stream of ChaCha20 (RFC 8439) under the element's SHA-256.
func (n *num) expand(element []byte) {
	key := sha256.Sum256(element)
	var nonce [chacha20.NonceSize]byte
	stream, err := chacha20.NewUnauthenticatedCipher(key[:], nonce[:])
	if err != nil {
		panic(err) // the sizes are right
	}
	var b [numBytes]byte
	stream.XORKeyStream(b[:], b[:])
	n.setBytes(&b)
}
