package index

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// sum is a sum of amounts in 128 bits: what passes through an address over
// the years has no bound that 64 bits hold.
type sum struct{ hi, lo uint64 }

func (s sum) add(v int64) sum {
	lo, carry := bits.Add64(s.lo, uint64(v), 0)
	return sum{s.hi + carry, lo}
}

func (s sum) sub(v int64) sum {
	lo, borrow := bits.Sub64(s.lo, uint64(v), 0)
	return sum{s.hi - borrow, lo}
}

func (s sum) big() *big.Int {
	v := new(big.Int).SetUint64(s.hi)
	return v.Or(v.Lsh(v, 64), new(big.Int).SetUint64(s.lo))
}

// totals is what has happened to a script up to and with a block.
type totals struct {
	received sum
	balance  int64  // received minus spent
	txs      uint64 // transactions that pay to it or spend from it
}

// after and before add and take away what one transaction did.
func (t totals) after(c change) totals {
	return totals{t.received.add(c.received), t.balance + c.received - c.spent, t.txs + 1}
}

func (t totals) before(c change) totals {
	return totals{t.received.sub(c.received), t.balance - c.received + c.spent, t.txs - 1}
}

// encode: uvarints of txs, balance, received.lo and, unless it is 0,
// received.hi.
func (t totals) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, t.txs)
	b = binary.AppendUvarint(b, uint64(t.balance))
	b = binary.AppendUvarint(b, t.received.lo)
	if t.received.hi != 0 {
		b = binary.AppendUvarint(b, t.received.hi)
	}
	return b
}

func decodeTotals(b []byte) (t totals, ok bool) {
	var balance uint64
	if !uvarints(b, &t.txs, &balance, &t.received.lo) &&
		(!uvarints(b, &t.txs, &balance, &t.received.lo, &t.received.hi) || t.received.hi == 0) {
		return totals{}, false
	}
	t.balance = int64(balance)
	return t, t.balance >= 0 && t.txs > 0
}
