package message

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// reader reads a payload from the front. After the first fault it returns
// zero values and keeps the fault, so decoders check err only where they
// would loop or allocate.
type reader struct {
	t   Type
	b   []byte // not yet read
	l   *Limits
	err error

	// room, if not nil, is asked before memory is taken for decoded
	// transactions. Its error ends decoding and is no *DecodeError.
	room func(bytes int64) error
}

// reserve asks for memory and reports whether decoding may go on.
func (r *reader) reserve(bytes int64) bool {
	if r.err == nil && r.room != nil {
		if r.err = r.room(bytes); r.err != nil {
			r.b = nil
		}
	}
	return r.err == nil
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = &DecodeError{Type: r.t, Field: field, Detail: fmt.Sprintf(format, args...)}
		r.b = nil
	}
}

// take returns the next n bytes without copying, or nil after a fault.
func (r *reader) take(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.b) {
		r.fail(field, "needs %d bytes, %d left", n, len(r.b))
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8(field string) byte {
	if p := r.take(field, 1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u16(field string) uint16 {
	if p := r.take(field, 2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (r *reader) u32(field string) uint32 {
	if p := r.take(field, 4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u64(field string) uint64 {
	if p := r.take(field, 8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (r *reader) hash(field string) (h chainhash.Hash) {
	copy(h[:], r.take(field, len(h)))
	return h
}

// flag reads a byte that is 0 or 1.
func (r *reader) flag(field string) bool {
	v := r.u8(field)
	if v > 1 {
		r.fail(field, "%d, must be 0 or 1", v)
	}
	return v == 1
}

// varint reads a CompactSize in its shortest form.
func (r *reader) varint(field string) uint64 {
	if r.err != nil {
		return 0
	}
	v, n, err := scan.VarInt(r.b)
	if err != nil {
		r.fail(field, "%v", err)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a varint that says how many elements of at least size bytes
// follow. It is safe to allocate that many.
func (r *reader) count(field string, most, size int) int {
	v := r.varint(field)
	if v > uint64(most) {
		r.fail(field, "%d, at most %d", v, most)
		return 0
	}
	if v*uint64(size) > uint64(len(r.b)) {
		r.fail(field, "%d elements of at least %d bytes, %d bytes left", v, size, len(r.b))
		return 0
	}
	return int(v)
}

// blob reads a varint length and that many bytes, without copying. Empty
// is nil.
func (r *reader) blob(field string, most int) []byte {
	n := r.count(field, most, 1)
	if n == 0 {
		return nil
	}
	return r.take(field, n)
}

// text reads a blob of printable ASCII.
func (r *reader) text(field string, most int) string {
	s := string(r.blob(field, most))
	if !printable(s) {
		r.fail(field, "holds bytes that are not printable ASCII")
		return ""
	}
	return s
}

func (r *reader) hashes(field string, most int) []chainhash.Hash {
	n := r.count(field, most, chainhash.HashSize)
	if n == 0 {
		return nil
	}
	hs := make([]chainhash.Hash, n)
	for i := range hs {
		hs[i] = r.hash(field)
	}
	return hs
}

// rest takes all bytes that are left.
func (r *reader) rest() []byte {
	p := r.b
	r.b = nil
	return p
}

func (r *reader) done() {
	if r.err == nil && len(r.b) > 0 {
		r.fail("end", "%d bytes too many", len(r.b))
	}
}

// writer appends to a payload and keeps the first fault.
type writer struct {
	t   Type
	b   []byte
	err error
}

func (w *writer) fail(field, format string, args ...any) {
	if w.err == nil {
		w.err = &EncodeError{Type: w.t, Field: field, Detail: fmt.Sprintf(format, args...)}
	}
}

func (w *writer) u8(v byte)       { w.b = append(w.b, v) }
func (w *writer) u16(v uint16)    { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32)    { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)    { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *writer) bytes(p []byte)  { w.b = append(w.b, p...) }
func (w *writer) hash(h [32]byte) { w.b = append(w.b, h[:]...) }
func (w *writer) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *writer) varint(v uint64) {
	switch {
	case v < 0xfd:
		w.u8(byte(v))
	case v <= 0xffff:
		w.u8(0xfd)
		w.u16(uint16(v))
	case v <= 0xffff_ffff:
		w.u8(0xfe)
		w.u32(uint32(v))
	default:
		w.u8(0xff)
		w.u64(v)
	}
}

// count writes a number of elements that must not exceed most.
func (w *writer) count(field string, n, most int) {
	if n > most {
		w.fail(field, "%d, at most %d", n, most)
	}
	w.varint(uint64(n))
}

func (w *writer) blob(field string, p []byte, most int) {
	w.count(field, len(p), most)
	w.bytes(p)
}

func (w *writer) text(field, s string, most int) {
	if !printable(s) {
		w.fail(field, "holds bytes that are not printable ASCII")
	}
	w.count(field, len(s), most)
	w.b = append(w.b, s...)
}

func (w *writer) hashes(field string, hs []chainhash.Hash, most int) {
	w.count(field, len(hs), most)
	for i := range hs {
		w.hash(hs[i])
	}
}

// printable reports whether s is ASCII 0x20 to 0x7e only.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
