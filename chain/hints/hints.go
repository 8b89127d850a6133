package hints

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
)

const (
	version = 1

	rowHead = 1 + 4

	frameHead = 4 + 4
	frameFix  = 1 + chainhash.HashSize + 4 + 4 // payload without bits

	// minInput is the least bytes of an input: outpoint, script length,
	// sequence.
	minInput = 36 + 1 + 4
)

// Inputs returns the number of inputs of a block that hints speak of: all
// but the coinbase's.
func Inputs(b *consensus.Block) int {
	n := 0
	for _, tx := range b.Txs[min(1, len(b.Txs)):] {
		n += len(tx.Msg.TxIn)
	}
	return n
}

// Size returns how many bytes the hints of that many inputs take.
func Size(inputs int) int { return (inputs + 7) / 8 }

// Fit reports whether h has one bit for each of that many inputs, and no
// other bit set.
func Fit(h sigcheck.Hints, inputs int) bool {
	rest := inputs % 8
	return len(h) == Size(inputs) && (rest == 0 || h[len(h)-1]>>rest == 0)
}

// Say reports whether h tells more than no hints at all: most blocks of
// Schnorr signatures alone have nothing but zeros.
func Say(h sigcheck.Hints) bool { return len(trimmed(h)) > 0 }

func trimmed(h sigcheck.Hints) []byte { return bytes.TrimRight(h, "\x00") }

// AppendRow appends the row with the hints of that many inputs, which must
// fit.
func AppendRow(b []byte, h sigcheck.Hints, inputs int) []byte {
	mustFit(h, inputs)
	b = binary.LittleEndian.AppendUint32(append(b, version), uint32(inputs))
	return append(b, trimmed(h)...)
}

func mustFit(h sigcheck.Hints, inputs int) {
	if !Fit(h, inputs) {
		panic(fmt.Sprintf("hints: %d bytes for %d inputs", len(h), inputs))
	}
}

// ParseRow returns the hints in a row of a block of at most maxBlock bytes.
func ParseRow(row []byte, maxBlock int64) (h sigcheck.Hints, inputs int, err error) {
	if len(row) < rowHead || row[0] != version {
		return nil, 0, errors.New("hints: no row of version 1")
	}
	inputs, err = checkInputs(binary.LittleEndian.Uint32(row[1:]), maxBlock)
	if err != nil {
		return nil, 0, err
	}
	bits := row[rowHead:]
	if len(bits) > Size(inputs) || len(bits) > 0 && bits[len(bits)-1] == 0 {
		return nil, 0, fmt.Errorf("hints: row with %d bytes for %d inputs, or zeros at its end", len(bits), inputs)
	}
	h = make(sigcheck.Hints, Size(inputs))
	copy(h, bits)
	if !Fit(h, inputs) {
		return nil, 0, fmt.Errorf("hints: bits behind the last of %d inputs", inputs)
	}
	return h, inputs, nil
}

func checkInputs(n uint32, maxBlock int64) (int, error) {
	if int64(n) > maxBlock/minInput {
		return 0, fmt.Errorf("hints: %d inputs, a block of %d bytes has at most %d", n, maxBlock, maxBlock/minInput)
	}
	return int(n), nil
}

// Magic returns the bytes with which frames of a chain begin: the first four
// of SHA-256("charter/hints" ‖ the chain's magic), the highest bit set, so
// that the first is not zero, as padding between frames is.
func Magic(network [4]byte) [4]byte {
	sum := sha256.Sum256(append([]byte("charter/hints"), network[:]...))
	sum[0] |= 0x80
	return [4]byte(sum[:4])
}

// Frame is what an export says of one block.
type Frame struct {
	Block  chainhash.Hash
	Inputs int
	Hints  sigcheck.Hints
}

// MaxFrame returns the largest frame, its magic included, of a chain whose
// blocks have at most maxBlock bytes.
func MaxFrame(maxBlock int64) int { return frameHead + frameFix + Size(int(maxBlock/minInput)) }

// Append appends f, which must hold hints that fit.
func (f *Frame) Append(b []byte, magic [4]byte) []byte {
	mustFit(f.Hints, f.Inputs)
	b = append(b, magic[:]...)
	covered := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(frameFix+len(f.Hints)))
	b = append(append(b, version), f.Block[:]...)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(f.Inputs)), f.Hints...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[covered:], castagnoli()))
}

// FrameSize returns the size of the frame that begins with head, the eight
// bytes of magic and length.
func FrameSize(head [8]byte, maxBlock int64) (int, error) {
	size := frameHead + int64(binary.LittleEndian.Uint32(head[4:]))
	if least, most := int64(frameHead+frameFix), int64(MaxFrame(maxBlock)); size < least || size > most {
		return 0, fmt.Errorf("hints: frame of %d bytes, it takes %d to %d", size, least, most)
	}
	return int(size), nil
}

// ParseFrame returns what a frame holds. b is the whole of it, as FrameSize
// says; the magic is not looked at. The result shares no memory with b.
func ParseFrame(b []byte, maxBlock int64) (Frame, error) {
	if len(b) < frameHead {
		return Frame{}, fmt.Errorf("hints: frame of %d bytes", len(b))
	}
	size, err := FrameSize([8]byte(b), maxBlock)
	switch {
	case err != nil:
		return Frame{}, err
	case size != len(b):
		return Frame{}, fmt.Errorf("hints: frame of %d bytes in %d", size, len(b))
	case binary.LittleEndian.Uint32(b[size-4:]) != crc32.Checksum(b[4:size-4], castagnoli()):
		return Frame{}, errors.New("hints: frame does not fit its checksum")
	case b[frameHead] != version:
		return Frame{}, fmt.Errorf("hints: frame of version %d", b[frameHead])
	}
	f := Frame{Block: chainhash.Hash(b[frameHead+1:])}
	rest := b[frameHead+1+chainhash.HashSize : size-4]
	if f.Inputs, err = checkInputs(binary.LittleEndian.Uint32(rest), maxBlock); err != nil {
		return Frame{}, err
	}
	f.Hints = bytes.Clone(rest[4:])
	if !Fit(f.Hints, f.Inputs) {
		return Frame{}, fmt.Errorf("hints: frame with %d bytes for %d inputs", len(f.Hints), f.Inputs)
	}
	return f, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
