package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// recordFormat is what distinguishes block from undo records. doc.go has the
// field table.
type recordFormat struct {
	prefix string // of the file name
	magic  [4]byte
	parent bool // the record names the block's parent
	max    int64
}

const recordFixed = 4 + 4 + 4 + 32

// head is the number of bytes before the payload.
func (r *recordFormat) head() int64 {
	if r.parent {
		return recordFixed + 32
	}
	return recordFixed
}

// checkSize refuses a payload that a record must not have.
func (r *recordFormat) checkSize(n int64) error {
	if n > min(r.max, math.MaxUint32-r.head()) {
		return fmt.Errorf("%s record: payload of %d bytes, at most %d allowed", r.prefix, n, r.max)
	}
	return nil
}

// append adds a whole record to dst.
func (r *recordFormat) append(dst []byte, hash, parent [32]byte, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, r.magic[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, hash[:]...)
	if r.parent {
		dst = append(dst, parent[:]...)
	}
	dst = append(dst, payload...)
	binary.LittleEndian.PutUint32(dst[start+8:], recordCRC(dst[start:]))
	return dst
}

// recordCRC is the checksum of a whole record: all but magic and checksum.
func recordCRC(rec []byte) uint32 {
	crc := crc32.Update(0, castagnoli(), rec[4:8])
	return crc32.Update(crc, castagnoli(), rec[12:])
}

// castagnoli returns the table that the standard library keeps for CRC-32C.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// record is a parsed head.
type record struct {
	length       uint32
	crc          uint32
	hash, parent [32]byte
}

// parse reads the head of a record from b, which must be long enough. ok
// says that the magic fits and the length is allowed.
func (r *recordFormat) parse(b []byte) (rec record, ok bool) {
	rec.length = binary.LittleEndian.Uint32(b[4:])
	rec.crc = binary.LittleEndian.Uint32(b[8:])
	copy(rec.hash[:], b[12:])
	if r.parent {
		copy(rec.parent[:], b[recordFixed:])
	}
	return rec, [4]byte(b[:4]) == r.magic && r.checkSize(int64(rec.length)) == nil
}
