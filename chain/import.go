package chain

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params/scan"
)

// ImportProgress says how far an import has come.
type ImportProgress struct {
	BytesRead int64 // of the stream
	Blocks    int   // records seen
	Accepted  int   // of them new and now on the best branch or stored beside it
	Known     int   // of them here before
	Refused   int   // of them breaking a rule
	Height    int32 // of the best block
}

// Import reads framed blocks from r and accepts them in that order. A frame
// is the chain's magic (4 bytes), the length of the block (4 bytes,
// little-endian) and the block, as in Bitcoin's blk files and bootstrap.dat;
// zero bytes between frames are passed over. report, if not nil, is called
// after each block.
//
// A block that breaks a rule is counted and passed over. Damage in the
// stream, a stream of another chain and errors that allow no decision end
// the import; what was accepted stays.
func (c *Chain) Import(ctx context.Context, r io.Reader, report func(ImportProgress)) (ImportProgress, error) {
	var p ImportProgress
	in := &frameReader{r: bufio.NewReaderSize(r, 1<<20), magic: c.p.Network.Magic, limit: c.p.Limits.BlockSerialized}
	for {
		raw, err := in.next()
		p.BytesRead = in.offset
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		if err := c.importOne(ctx, raw, &p); err != nil {
			return p, fmt.Errorf("block %d of the stream, ending at byte %d: %w", p.Blocks, in.offset, err)
		}
		p.Height = c.Best().Height
		if report != nil {
			report(p)
		}
	}
}

func (c *Chain) importOne(ctx context.Context, raw []byte, p *ImportProgress) error {
	p.Blocks++
	msg, err := scan.DecodeBlock(raw, &c.p.Limits)
	if err != nil {
		return err
	}
	b := consensus.NewBlock(msg)
	result, err := c.AcceptBlock(ctx, b)
	switch {
	case consensus.AsRule(err) != nil:
		p.Refused++
		c.log.Info("imported block refused", "hash", b.Hash, "err", err)
	case err != nil:
		return err
	case result == ResultDuplicate:
		p.Known++
	default:
		p.Accepted++
	}
	return nil
}

// frameReader cuts a stream into blocks.
type frameReader struct {
	r      *bufio.Reader
	magic  [4]byte
	limit  int64
	offset int64 // bytes consumed
}

// next returns the next block, or io.EOF at the end of the stream.
func (f *frameReader) next() ([]byte, error) {
	var head [8]byte
	if err := f.skipZeros(); err != nil {
		return nil, err
	}
	at := f.offset
	if err := f.read(head[:]); err != nil {
		return nil, fmt.Errorf("frame at byte %d is cut off: %w", at, err)
	}
	if !bytes.Equal(head[:4], f.magic[:]) {
		return nil, fmt.Errorf("byte %d: found %x where a frame has to begin with this chain's magic %x; is the file of another chain?", at, head[:4], f.magic)
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	if size > f.limit {
		return nil, fmt.Errorf("frame at byte %d announces a block of %d bytes, the largest valid one takes %d", at, size, f.limit)
	}
	// The buffer grows with what arrives, not with what is announced.
	var raw bytes.Buffer
	n, err := io.CopyN(&raw, f.r, size)
	f.offset += n
	if err != nil {
		return nil, fmt.Errorf("frame at byte %d announces %d bytes, the stream ends after %d", at, size, n)
	}
	return raw.Bytes(), nil
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
