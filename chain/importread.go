package chain

import (
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params/scan"
)

// arrival is a frame of a stream on its way to the chain.
type arrival struct {
	frame
	end    int64 // bytes of the stream up to and with it
	framed bool  // the frame began well
	err    error // of the stream; nothing comes after it

	header wire.BlockHeader
	hash   chainhash.Hash
	raw    []byte // nil: the block was passed over
	body   body   // of raw, once decoded
}

// body is a decoded block, or why it is none.
type body struct {
	hash  chainhash.Hash
	block *consensus.Block
	err   error
}

// decodeBody decodes the block that is to have this hash.
func (c *Chain) decodeBody(hash chainhash.Hash, raw []byte) body {
	b, err := consensus.DecodeBlock(raw, &c.p.Limits)
	switch {
	case err != nil:
		return body{hash: hash, err: fmt.Errorf("block %v: %w", hash, err)}
	case b.Hash != hash:
		return body{hash: hash, err: fmt.Errorf("block %v is %v when it is read again: the file changed", hash, b.Hash)}
	}
	return body{hash: hash, block: b}
}

// comingBlocks are those that were read and not taken yet. Safe for concurrent
// use.
type comingBlocks struct {
	mu     sync.Mutex
	hashes map[chainhash.Hash]int // how often
}

func newComingBlocks() comingBlocks { return comingBlocks{hashes: make(map[chainhash.Hash]int)} }

func (s *comingBlocks) add(hash chainhash.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashes[hash]++
}

func (s *comingBlocks) remove(hash chainhash.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashes[hash]--; s.hashes[hash] <= 0 {
		delete(s.hashes, hash)
	}
}

func (s *comingBlocks) has(hash chainhash.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hashes[hash] > 0
}

// decodedSize is about how many bytes a block takes in memory for each byte of
// its encoding, before it is connected.
const decodedSize = 5

// produce reads frames for Read, until the stream ends or is damaged. Whether a
// block is of use is foreseen only: Read decides, in the order of the stream.
// again: what is passed over can be read later.
func (im *Importer) produce(o *ordered[*arrival], in *frameReader, again bool) {
	for {
		a := new(arrival)
		a.frame, a.err = in.next()
		a.framed = a.err == nil
		size, ok := o.reserve(decodedSize * a.size)
		if !ok {
			return
		}
		var work func(*arrival)
		if a.err == nil {
			if a.err = im.readFrame(a, in, again); a.err == nil && a.raw != nil {
				im.coming.add(a.hash)
				work = im.prepare
			}
		}
		a.end = in.offset
		if !o.add(a, size, work) || a.err != nil {
			return
		}
	}
}

// readFrame reads the block of a frame, unless the chain has it, or has nothing
// that it could stand on and it can be read again.
func (im *Importer) readFrame(a *arrival, in *frameReader, again bool) (err error) {
	if a.header, err = scan.DecodeHeader(a.frame.header[:]); err != nil {
		return err
	}
	a.hash = a.header.BlockHash()
	prev := a.header.PrevBlock
	c := im.c
	c.mu.RLock()
	known := c.index[a.hash]
	have := known != nil && known.status&statusData != 0
	c.mu.RUnlock()
	if have || again && known == nil && !c.canBuildOn(prev) && !im.coming.has(prev) {
		return in.skip(a.frame)
	}
	c.OfferHints(a.hash, a.frame.hints)
	a.raw, err = in.body(a.frame)
	return err
}

// prepare does what can be done for a block before its turn.
func (im *Importer) prepare(a *arrival) {
	if a.body = im.c.decodeBody(a.hash, a.raw); a.body.err == nil {
		im.c.Ahead(a.body.block, nil)
	}
}

// forget gives up what was done ahead for a block.
func (im *Importer) forget(a *arrival) { im.c.lookahead.drop(a.hash) }
