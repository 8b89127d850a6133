package chain

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
)

// frame is a block in a stream, of which the header was read.
type frame struct {
	at     int64 // of the block in the stream
	size   int64 // of the block
	header [headerSize]byte
	hints  sigcheck.Hints // from the frame before; nil: none
}

const headerSize = 80

// frameReader cuts a stream into blocks. A frame is the chain's magic (4
// bytes), the length of the block (4 bytes, little-endian) and the block, as
// in Bitcoin's blk files and bootstrap.dat; zero bytes between frames are
// passed over, and so are hints (package hints) that are damaged or do not
// belong to the block behind them. After next, body or skip must be called once.
type frameReader struct {
	r      *bufio.Reader
	seek   io.ReadSeeker // below r; nil: everything is read
	end    int64         // of what seek moves in
	magic  [4]byte
	hinted [4]byte // begins a frame of hints
	hint   hints.Frame
	log    *slog.Logger
	limit  int64 // largest block
	offset int64 // bytes consumed
}

// newFrameReader reads frames from r, which must be at its start.
func newFrameReader(r io.Reader, magic [4]byte, limit int64, log *slog.Logger) *frameReader {
	f := &frameReader{r: bufio.NewReaderSize(r, max(1<<20, hints.MaxFrame(limit))), magic: magic, hinted: hints.Magic(magic), limit: limit, log: log}
	if s, ok := r.(io.ReadSeeker); ok {
		end, err := s.Seek(0, io.SeekEnd)
		if err == nil {
			_, err = s.Seek(0, io.SeekStart)
		}
		if err == nil { // pipes have the method only
			f.seek, f.end = s, end
		}
	}
	return f
}

// next returns the next frame, or io.EOF at the end of the stream.
func (f *frameReader) next() (frame, error) {
	f.hint = hints.Frame{}
	for again := true; again; {
		if err := f.skipZeros(); err != nil {
			return frame{}, err
		}
		var err error
		if again, err = f.readHints(); err != nil {
			return frame{}, err
		}
	}
	start := f.offset
	var head [8]byte
	if err := f.read(head[:]); err != nil {
		return frame{}, fmt.Errorf("frame at byte %d is cut off: %w", start, err)
	}
	if !bytes.Equal(head[:4], f.magic[:]) {
		return frame{}, fmt.Errorf("byte %d: found %x where a frame has to begin with this chain's magic %x; is the file of another chain?", start, head[:4], f.magic)
	}
	fr := frame{at: f.offset, size: int64(binary.LittleEndian.Uint32(head[4:]))}
	if fr.size > f.limit || fr.size < headerSize {
		return frame{}, fmt.Errorf("frame at byte %d announces a block of %d bytes; a block takes %d to %d", start, fr.size, headerSize, f.limit)
	}
	if f.seek != nil && fr.at+fr.size > f.end {
		return frame{}, f.cutOff(fr, f.end)
	}
	if err := f.read(fr.header[:]); err != nil {
		return frame{}, f.cutOff(fr, f.offset)
	}
	if f.hint.Hints != nil && f.hint.Block == chainhash.DoubleHashH(fr.header[:]) {
		fr.hints = f.hint.Hints
	}
	return fr, nil
}

// body returns the whole block of fr.
func (f *frameReader) body(fr frame) ([]byte, error) {
	if f.seek != nil { // the file is known to be that long
		raw := make([]byte, fr.size)
		n, err := io.ReadFull(f.r, raw[copy(raw, fr.header[:]):])
		f.offset += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, f.cutOff(fr, f.offset)
		}
		return raw, err
	}
	// The buffer grows with what arrives, not with what is announced.
	raw := bytes.NewBuffer(append([]byte(nil), fr.header[:]...))
	n, err := io.CopyN(raw, f.r, fr.size-headerSize)
	f.offset += n
	if errors.Is(err, io.EOF) {
		return nil, f.cutOff(fr, f.offset)
	}
	return bytes.Clone(raw.Bytes()), err // it is kept, without what grew beside it
}

// skip passes over the block of fr.
func (f *frameReader) skip(fr frame) error {
	rest := fr.size - headerSize
	if far := rest - int64(f.r.Buffered()); f.seek != nil && far > 0 {
		if _, err := f.seek.Seek(far, io.SeekCurrent); err != nil {
			return err
		}
		f.r.Reset(f.seek)
		f.offset += rest
		return nil
	}
	n, err := f.r.Discard(int(rest))
	f.offset += int64(n)
	if errors.Is(err, io.EOF) {
		return f.cutOff(fr, f.offset)
	}
	return err
}

func (f *frameReader) cutOff(fr frame, end int64) error {
	return fmt.Errorf("frame at byte %d announces %d bytes, the stream ends after %d", fr.at-8, fr.size, end-fr.at)
}

// skipZeros passes over padding. io.EOF at the end of the stream.
func (f *frameReader) skipZeros() error {
	for {
		b, err := f.r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 || f.magic[0] == 0 {
			return f.r.UnreadByte()
		}
		f.offset++
	}
}

func (f *frameReader) read(b []byte) error {
	n, err := io.ReadFull(f.r, b)
	f.offset += int64(n)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
