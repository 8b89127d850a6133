package snapshot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

// Writer writes a snapshot: Base, every Header, every Coin, further sections,
// Finish. After an error every call returns that error.
type Writer struct {
	w     io.Writer
	err   error
	bytes int64
	last  SectionType // of the section written last
	end   End

	open  SectionType // headers or coins that wait in chunk; 0: none
	chunk []byte
	count uint32 // in chunk
}

// NewWriter writes the head. Writes to w are of one section each.
func NewWriter(w io.Writer, id Identity) *Writer {
	s := &Writer{w: w}
	b := append(make([]byte, 0, headSize), magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = append(b, id.Genesis[:]...)
	b = append(b, id.Rules[:]...)
	s.write(binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)))
	return s
}

func (s *Writer) write(b []byte) {
	if s.err != nil {
		return
	}
	n, err := s.w.Write(b)
	s.bytes += int64(n)
	s.err = err
}

// section writes a whole section.
func (s *Writer) section(t SectionType, data []byte) {
	k, known := kinds[t]
	switch {
	case s.err != nil:
		return
	case !known || t < s.last || t == s.last && k.single:
		s.err = fmt.Errorf("snapshot: section %d cannot follow section %d", t, s.last)
		return
	case uint64(len(data)) > k.limit:
		s.err = fmt.Errorf("snapshot: %s section of %d bytes, at most %d", k.name, len(data), k.limit)
		return
	}
	s.last = t
	b := append(make([]byte, 0, sectionStart+len(data)+crcSize), byte(t))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = append(b, data...)
	s.write(binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)))
}

// Base writes the block that the snapshot is as of.
func (s *Writer) Base(base Base) error {
	b := append(make([]byte, 0, baseSize), base.Hash[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(base.Height))
	s.section(TypeBase, binary.LittleEndian.AppendUint64(b, uint64(base.ChainTxs)))
	return s.err
}

// begin makes t the type of the section that grows.
func (s *Writer) begin(t SectionType) {
	if s.open == t && len(s.chunk) < chunkSize {
		return
	}
	s.flush()
	s.open = t
	s.chunk = s.chunk[:0]
	if t == TypeCoins {
		s.chunk = append(s.chunk, 0, 0, 0, 0) // the count
	}
}

// flush writes the section that grew.
func (s *Writer) flush() {
	if s.open == 0 {
		return
	}
	if s.open == TypeCoins {
		binary.LittleEndian.PutUint32(s.chunk, s.count)
	}
	s.section(s.open, s.chunk)
	s.open, s.count = 0, 0
}

// Header adds the next header; the first one is of height 1.
func (s *Writer) Header(h *wire.BlockHeader) error {
	s.begin(TypeHeaders)
	w := sliceWriter{s.chunk}
	h.Serialize(&w) // memory does not fail
	s.chunk = w.b
	s.count++
	s.end.Headers++
	return s.err
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

// Coin adds the next coin, in the order that doc.go asks for.
func (s *Writer) Coin(op *wire.OutPoint, coin *consensus.Coin) error {
	s.begin(TypeCoins)
	s.chunk = utxo.AppendEntry(s.chunk, op, coin)
	s.count++
	s.end.Coins++
	return s.err
}

// Section adds the permission state or the sealers.
func (s *Writer) Section(section Section) error {
	s.flush()
	s.section(section.Type, section.Data)
	return s.err
}

// Finish writes the end, and returns how many bytes the whole has.
func (s *Writer) Finish(digest [32]byte) (bytes int64, err error) {
	s.flush()
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, endSize), uint64(s.end.Headers))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.end.Coins))
	s.section(TypeEnd, append(b, digest[:]...))
	return s.bytes, s.err
}
