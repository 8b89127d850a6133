package sigcheck

import "sync/atomic"

// Hints are the parities of R's y of the ECDSA signatures of a block's
// inputs: bit i, the least significant of a byte first, belongs to input i,
// all inputs of all transactions after the coinbase counted in order. It is 0
// for an input that has not exactly one ECDSA signature, and in what the last
// byte has left over. nil: not known.
//
// With them ECDSA signatures can be checked in batches. Wrong ones cost time
// and change no outcome.
type Hints []byte

// HintsLen is how many bytes the hints of so many inputs have.
func HintsLen(inputs int) int { return (inputs + 7) / 8 }

func (h Hints) odd(input int) bool { return h[input/8]>>(input%8)&1 != 0 }

// parities are such bits while several workers find them.
type parities []uint32

func makeParities(inputs int) parities { return make(parities, (inputs+31)/32) }

// set is safe for concurrent use.
func (p parities) set(input int) { atomic.OrUint32(&p[input/32], 1<<(input%32)) }

// copyFrom sets the bits from input `at` on to those of one transaction.
func (p parities) copyFrom(of parities, at, inputs int) {
	for i := range inputs {
		if of.get(i) {
			p.set(at + i)
		}
	}
}

func (p parities) get(input int) bool { return p[input/32]>>(input%32)&1 != 0 }

func (p parities) hints(inputs int) Hints {
	h := make(Hints, HintsLen(inputs))
	for i := range h {
		h[i] = byte(p[i/4] >> (i % 4 * 8))
	}
	return h
}
