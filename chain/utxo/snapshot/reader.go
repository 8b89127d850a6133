package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params/scan"
	"github.com/charterchain/charter/chain/utxo"
)

// Handler takes what Read finds, in the order of the file. Each function may
// be nil; an error of one ends the reading and is returned as it is.
type Handler struct {
	Base    func(Base) error
	Header  func(height int32, h *wire.BlockHeader) error
	Coin    func(op wire.OutPoint, coin consensus.Coin) error
	Section func(Section) error // the permission state or the sealers; Data is valid during the call
}

// Read reads a whole snapshot of the chain id and checks everything but the
// digest and the rules for headers. What it hands out before it returns nil is
// not to be relied on: the file may turn out to be damaged further on.
//
// Errors: *FormatError, those of h, and those of r.
func Read(r io.Reader, id Identity, h Handler) (End, error) {
	s := reader{r: r, h: h, tip: id.Genesis}
	if err := s.head(id); err != nil {
		return End{}, err
	}
	for {
		t, data, err := s.section()
		if err != nil {
			return End{}, err
		}
		if err := s.take(t, data); err != nil {
			return End{}, err
		}
		if t == TypeEnd {
			return s.end, s.finish()
		}
	}
}

// reader is one run of Read.
type reader struct {
	r      io.Reader
	h      Handler
	offset int64 // bytes read
	start  int64 // of the section
	buf    bytes.Buffer
	last   SectionType // of the section read last

	base    Base
	headers int64
	coins   int64
	tip     chainhash.Hash // of the last header; at first the genesis block
	point   wire.OutPoint  // of the last coin
	total   int64          // of amounts
	end     End
}

func (s *reader) fail(at int64, format string, args ...any) error {
	return &FormatError{at, fmt.Sprintf(format, args...)}
}

// fill reads n bytes into buf, which grows as they arrive.
func (s *reader) fill(n uint64, what string) ([]byte, error) {
	from := s.buf.Len()
	read, err := io.CopyN(&s.buf, s.r, int64(n))
	s.offset += read
	if errors.Is(err, io.EOF) {
		return nil, s.fail(s.start, "the file ends at byte %d, within %s: it is cut off", s.offset, what)
	}
	if err != nil {
		return nil, err
	}
	return s.buf.Bytes()[from:], nil
}

func (s *reader) head(id Identity) error {
	b, err := s.fill(uint64(headSize), "the head")
	if err != nil {
		return err
	}
	rest := b[len(magic):]
	le := binary.LittleEndian
	switch {
	case string(b[:len(magic)]) != magic:
		return s.fail(0, "this is no UTXO snapshot of Charter")
	case crc32.Checksum(b[:headSize-crcSize], castagnoli) != le.Uint32(b[headSize-crcSize:]):
		return s.fail(0, "the head is damaged: its checksum does not fit")
	case le.Uint32(rest) != version:
		return s.fail(int64(len(magic)), "format %d, this program knows %d", le.Uint32(rest), version)
	case [32]byte(rest[4:]) != id.Genesis:
		return s.fail(int64(len(magic)+4), "the snapshot belongs to another chain, with genesis block %v", chainhash.Hash(rest[4:36]))
	case [32]byte(rest[36:]) != id.Rules:
		return s.fail(int64(len(magic)+36), "the snapshot was made under other rules: the consensus part of the chain file differs")
	}
	return nil
}

// section reads one section and checks that it may stand here.
func (s *reader) section() (SectionType, []byte, error) {
	s.start = s.offset
	s.buf.Reset()
	b, err := s.fill(sectionStart, "the start of a section")
	if err != nil {
		return 0, nil, err
	}
	t, length := SectionType(b[0]), binary.LittleEndian.Uint64(b[1:])
	k, known := kinds[t]
	switch {
	case !known:
		return 0, nil, s.fail(s.start, "section of type %d, which this program does not know: the file is damaged or was written by a newer version", t)
	case s.last == 0 && t != TypeBase:
		return 0, nil, s.fail(s.start, "the first section is of type %d, not the base", t)
	case t < s.last || t == s.last && k.single:
		return 0, nil, s.fail(s.start, "%s section behind a section of type %d", k.name, s.last)
	case length > k.limit:
		return 0, nil, s.fail(s.start, "%s section of %d bytes, at most %d", k.name, length, k.limit)
	}
	if _, err := s.fill(length+crcSize, "a "+k.name+" section"); err != nil {
		return 0, nil, err
	}
	b = s.buf.Bytes()
	body := b[:len(b)-crcSize]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return 0, nil, s.fail(s.start, "the %s section is damaged: its checksum does not fit", k.name)
	}
	if err := s.leave(t); err != nil {
		return 0, nil, err
	}
	s.last = t
	return t, body[sectionStart:], nil
}

// leave checks what is complete once a section of another type comes.
func (s *reader) leave(next SectionType) error {
	if s.last > TypeHeaders || next <= TypeHeaders {
		return nil
	}
	if s.headers != int64(s.base.Height) || s.tip != s.base.Hash {
		return s.fail(s.start, "%d headers, which lead to block %v; the base is block %v at height %d", s.headers, s.tip, s.base.Hash, s.base.Height)
	}
	return nil
}

func (s *reader) take(t SectionType, data []byte) error {
	switch t {
	case TypeBase:
		return s.takeBase(data)
	case TypeHeaders:
		return s.takeHeaders(data)
	case TypeCoins:
		return s.takeCoins(data)
	case TypeEnd:
		return s.takeEnd(data)
	case TypeSealers:
		if len(data)%sealerSize != 0 {
			return s.fail(s.start, "sealers section of %d bytes, want a multiple of %d", len(data), sealerSize)
		}
	}
	if s.h.Section == nil {
		return nil
	}
	return s.h.Section(Section{t, data})
}

func (s *reader) takeBase(data []byte) error {
	if len(data) != baseSize {
		return s.fail(s.start, "base section of %d bytes, want %d", len(data), baseSize)
	}
	height, txs := binary.LittleEndian.Uint32(data[32:]), binary.LittleEndian.Uint64(data[36:])
	if height == 0 || height > math.MaxInt32 || txs <= uint64(height) || txs > math.MaxInt64 {
		return s.fail(s.start, "base at height %d with %d transactions up to it: a height is at least 1, and each block has a transaction", height, txs)
	}
	s.base = Base{chainhash.Hash(data[:32]), int32(height), int64(txs)}
	if s.h.Base == nil {
		return nil
	}
	return s.h.Base(s.base)
}

func (s *reader) takeHeaders(data []byte) error {
	if len(data) == 0 || len(data)%headerSize != 0 {
		return s.fail(s.start, "headers section of %d bytes, want a multiple of %d", len(data), headerSize)
	}
	for b := data; len(b) > 0; b = b[headerSize:] {
		at := s.start + sectionStart + int64(len(data)-len(b))
		h, err := scan.DecodeHeader(b[:headerSize])
		if err != nil {
			return s.fail(at, "header: %v", err)
		}
		if h.PrevBlock != s.tip {
			return s.fail(at, "the header at height %d does not follow the one before", s.headers+1)
		}
		if s.headers == int64(s.base.Height) {
			return s.fail(at, "headers above the base at height %d", s.base.Height)
		}
		s.headers++
		s.tip = h.BlockHash()
		if s.h.Header == nil {
			continue
		}
		if err := s.h.Header(int32(s.headers), &h); err != nil {
			return err
		}
	}
	return nil
}

func (s *reader) takeCoins(data []byte) error {
	if len(data) < 4 {
		return s.fail(s.start, "coins section of %d bytes", len(data))
	}
	count, b := binary.LittleEndian.Uint32(data), data[4:]
	if count == 0 || uint64(count)*utxo.MinEntry > uint64(len(b)) {
		return s.fail(s.start, "coins section with %d coins in %d bytes", count, len(b))
	}
	for range count {
		at := s.start + sectionStart + int64(len(data)-len(b))
		op, coin, rest, err := utxo.ReadEntry(b)
		if err != nil {
			return s.fail(at, "coin %d: %v", s.coins, err)
		}
		if err := s.checkCoin(at, &op, &coin); err != nil {
			return err
		}
		b = rest
		s.point = op
		s.coins++
		if s.h.Coin == nil {
			continue
		}
		if err := s.h.Coin(op, coin); err != nil {
			return err
		}
	}
	if len(b) > 0 {
		return s.fail(s.start, "%d bytes behind the last coin of a section", len(b))
	}
	return nil
}

func (s *reader) checkCoin(at int64, op *wire.OutPoint, coin *consensus.Coin) error {
	switch {
	case s.coins > 0 && utxo.ComparePoints(&s.point, op) >= 0:
		return s.fail(at, "coin %v does not follow coin %v: the order is wrong", op, s.point)
	case coin.Height > s.base.Height:
		return s.fail(at, "coin %v was made at height %d, above the base at height %d", op, coin.Height, s.base.Height)
	case utxo.Unspendable(coin.Script):
		return s.fail(at, "coin %v can never be spent", op)
	case coin.Amount > math.MaxInt64-s.total:
		return s.fail(at, "the sum of all amounts up to coin %v is more than 2^63-1", op)
	}
	s.total += coin.Amount
	return nil
}

func (s *reader) takeEnd(data []byte) error {
	if len(data) != endSize {
		return s.fail(s.start, "end section of %d bytes, want %d", len(data), endSize)
	}
	headers, coins := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
	if headers != uint64(s.headers) || coins != uint64(s.coins) {
		return s.fail(s.start, "the end counts %d headers and %d coins, the file has %d and %d", headers, coins, s.headers, s.coins)
	}
	s.end = End{s.headers, s.coins, [32]byte(data[16:])}
	return nil
}

// finish makes sure that nothing follows the end.
func (s *reader) finish() error {
	var one [1]byte
	switch _, err := io.ReadFull(s.r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return s.fail(s.offset, "bytes behind the end")
}
