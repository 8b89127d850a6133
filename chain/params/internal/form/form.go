// Package form holds the walk over encoded transactions and blocks behind
// package scan, whose documentation applies. It stands below chain/params,
// which reads genesis.raw with it. Pure and safe for concurrent use.
package form

import (
	"encoding/binary"
	"fmt"
)

const (
	// HeaderSize is the number of bytes of an encoded block header.
	HeaderSize = 80

	// MaxTxSize is the most bytes that an encoded transaction can have on
	// any chain: a transaction weighs at most 4,000,000, and each byte
	// weighs at least one.
	MaxTxSize = 4_000_000

	// MaxBlockTxs is the most transactions that a block can have on any
	// chain; the wire package holds one more.
	MaxBlockTxs = 400_000
)

// The fewest bytes that each counted thing takes.
const (
	minInput   = 32 + 4 + 1 + 4
	minOutput  = 8 + 1
	minWitness = 1 // an item of no bytes
	minTx      = 4 + 1 + minInput + 1 + 4
)

// Error says what is wrong with encoded bytes, and where.
type Error struct {
	Offset int    // of the field at fault, in bytes from the start
	Field  string // such as "input count"
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at byte %d: %s", e.Field, e.Offset, e.Reason)
}

// VarInt reads the variable-length integer at the start of b and returns
// its value and length in bytes. It refuses one that could be shorter.
func VarInt(b []byte) (v uint64, n int, err error) {
	r := reader{b: b}
	v, err = r.varInt("integer")
	return v, r.pos, err
}

// Counts is how many of each thing there are in a block or transaction.
type Counts struct {
	Txs, Inputs, Outputs int

	// Items of all witnesses.
	Items int
}

// Tx checks that b is exactly one transaction and counts what it holds.
func Tx(b []byte) (Counts, error) {
	r := reader{b: b}
	if err := r.tx(); err != nil {
		return Counts{}, err
	}
	return r.seen, r.end()
}

// Block checks that b is exactly one block of at most limit bytes and counts
// what it holds.
func Block(b []byte, limit int64) (Counts, error) {
	if int64(len(b)) > limit {
		return Counts{}, &Error{Field: "block", Reason: fmt.Sprintf(
			"%d bytes, this chain allows %d", len(b), limit)}
	}
	r := reader{b: b}
	if _, err := r.take(HeaderSize, "header"); err != nil {
		return Counts{}, err
	}
	count, err := r.count("transaction count", minTx)
	if err != nil {
		return Counts{}, err
	}
	if count > MaxBlockTxs {
		return Counts{}, r.fail("transaction count", fmt.Sprintf(
			"%d, at most %d are allowed", count, MaxBlockTxs))
	}
	for range count {
		if err := r.tx(); err != nil {
			return Counts{}, err
		}
	}
	return r.seen, r.end()
}

// reader walks over bytes. After an error its position is the field's.
type reader struct {
	b    []byte
	pos  int
	seen Counts
}

func (r *reader) fail(field, reason string) error {
	return &Error{Offset: r.pos, Field: field, Reason: reason}
}

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) take(n int, field string) ([]byte, error) {
	if r.left() < n {
		return nil, r.fail(field, fmt.Sprintf("needs %d bytes, %d are left", n, r.left()))
	}
	b := r.b[r.pos : r.pos+n]
	r.pos += n
	return b, nil
}

func (r *reader) varInt(field string) (uint64, error) {
	if r.left() < 1 {
		return 0, r.fail(field, "needs 1 byte, 0 are left")
	}
	first := r.b[r.pos]
	if first < 0xfd {
		r.pos++
		return uint64(first), nil
	}
	size := 1 << (first - 0xfc) // 2, 4 or 8 bytes follow
	if r.left() < 1+size {
		return 0, r.fail(field, fmt.Sprintf("needs %d bytes, %d are left", 1+size, r.left()))
	}
	b := r.b[r.pos+1:]
	var v, least uint64
	switch first {
	case 0xfd:
		v, least = uint64(binary.LittleEndian.Uint16(b)), 0xfd
	case 0xfe:
		v, least = uint64(binary.LittleEndian.Uint32(b)), 1<<16
	default:
		v, least = binary.LittleEndian.Uint64(b), 1<<32
	}
	if v < least {
		return 0, r.fail(field, fmt.Sprintf("%d is written with more bytes than it needs", v))
	}
	r.pos += 1 + size
	return v, nil
}

// count reads a count of things that take at least size bytes each.
func (r *reader) count(field string, size int) (int, error) {
	start := r.pos
	v, err := r.varInt(field)
	if err != nil {
		return 0, err
	}
	if v > uint64(r.left()/size) {
		left := r.left()
		r.pos = start
		return 0, r.fail(field, fmt.Sprintf(
			"announces %d, the %d bytes left hold at most %d", v, left, left/size))
	}
	return int(v), nil
}

// bytes skips a length and as many bytes.
func (r *reader) bytes(field string) error {
	n, err := r.count(field, 1)
	if err != nil {
		return err
	}
	r.pos += n
	return nil
}

// tx walks over one transaction.
func (r *reader) tx() error {
	start := r.pos
	if _, err := r.take(4, "transaction version"); err != nil {
		return err
	}
	witness, err := r.marker()
	if err != nil {
		return err
	}
	inputs, err := r.inputs()
	if err != nil {
		return err
	}
	if err := r.outputs(); err != nil {
		return err
	}
	if witness {
		if err := r.witnesses(inputs); err != nil {
			return err
		}
	}
	if _, err := r.take(4, "lock time"); err != nil {
		return err
	}
	if size := r.pos - start; size > MaxTxSize {
		r.pos = start
		return r.fail("transaction", fmt.Sprintf("%d bytes, at most %d are allowed", size, MaxTxSize))
	}
	r.seen.Txs++
	return nil
}

// marker reads the two bytes that announce witnesses, if they are there.
func (r *reader) marker() (bool, error) {
	if r.left() < 1 || r.b[r.pos] != 0 {
		return false, nil
	}
	if r.left() < 2 || r.b[r.pos+1] != 1 {
		return false, r.fail("input count", "is 0 and no witness flag 1 follows")
	}
	r.pos += 2
	return true, nil
}

func (r *reader) inputs() (int, error) {
	start := r.pos
	n, err := r.count("input count", minInput)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		r.pos = start
		return 0, r.fail("input count", "is 0")
	}
	for range n {
		if _, err := r.take(32+4, "previous output"); err != nil {
			return 0, err
		}
		if err := r.bytes("input script"); err != nil {
			return 0, err
		}
		if _, err := r.take(4, "sequence"); err != nil {
			return 0, err
		}
	}
	r.seen.Inputs += n
	return n, nil
}

func (r *reader) outputs() error {
	n, err := r.count("output count", minOutput)
	if err != nil {
		return err
	}
	for range n {
		if _, err := r.take(8, "amount"); err != nil {
			return err
		}
		if err := r.bytes("output script"); err != nil {
			return err
		}
	}
	r.seen.Outputs += n
	return nil
}

func (r *reader) witnesses(inputs int) error {
	start, total := r.pos, 0
	for range inputs {
		items, err := r.count("witness item count", minWitness)
		if err != nil {
			return err
		}
		for range items {
			if err := r.bytes("witness item"); err != nil {
				return err
			}
		}
		total += items
	}
	if total == 0 {
		r.pos = start
		return r.fail("witnesses", "are announced but all empty")
	}
	r.seen.Items += total
	return nil
}

func (r *reader) end() error {
	if r.left() > 0 {
		return r.fail("end", fmt.Sprintf("%d bytes too many", r.left()))
	}
	return nil
}
