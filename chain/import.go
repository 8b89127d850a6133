package chain

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Bounds of what an import remembers of blocks whose parent has not come yet.
const (
	maxWaiting     = 1 << 19  // blocks; about 100 bytes each
	maxWaitingData = 64 << 20 // bytes of blocks that cannot be read again, or four of the largest
)

// ImportProgress says how far an import has come.
type ImportProgress struct {
	BytesRead int64 // of the stream that is read now
	Blocks    int   // frames seen
	Accepted  int   // of them new and now on the best branch or stored beside it
	Known     int   // of them here before
	Refused   int   // of them breaking a rule
	Waiting   int   // of them without a known parent so far
	Height    int32 // of the best block
}

// ImportSource is a stream of framed blocks.
type ImportSource struct {
	Name string
	R    io.Reader

	// At reads the bytes of R again, until the import of all sources has
	// ended. nil: they cannot be read again.
	At io.ReaderAt
}

// Importer reads streams of blocks, one after the other. Blocks may come in
// any order: of those that come before their parents it remembers where they
// lie. Not safe for concurrent use.
type Importer struct {
	c        *Chain
	report   func(ImportProgress)
	progress ImportProgress
	waiting  map[chainhash.Hash][]waitingBlock // by parent
	data     int64                             // bytes in waitingBlock.raw
	coming   comingBlocks
}

// waitingBlock is a block whose parent has not come yet.
type waitingBlock struct {
	hash chainhash.Hash
	from *ImportSource
	at   int64
	size int64
	raw  []byte // where from cannot be read again
}

// NewImporter returns an importer. report, if not nil, is called after each
// frame.
func (c *Chain) NewImporter(report func(ImportProgress)) *Importer {
	if report == nil {
		report = func(ImportProgress) {}
	}
	return &Importer{c: c, report: report, waiting: make(map[chainhash.Hash][]waitingBlock), coming: newComingBlocks()}
}

// Import reads framed blocks from r, which can be read again where it is an
// io.ReaderAt too. See Importer.Read.
func (c *Chain) Import(ctx context.Context, r io.Reader, report func(ImportProgress)) (ImportProgress, error) {
	at, _ := r.(io.ReaderAt)
	im := c.NewImporter(report)
	err := im.Read(ctx, ImportSource{Name: "stream", R: r, At: at})
	return im.Progress(), err
}

// Progress returns what was done so far.
func (im *Importer) Progress() ImportProgress { return im.progress }

// Read accepts the blocks of one source. See frameReader for its format.
// Blocks that are here already are passed over by the hash of their header.
//
// A block that breaks a rule is counted and passed over. Damage in the
// stream, a stream of another chain and errors that allow no decision end
// the import; what was accepted stays.
//
// Blocks are read, decoded and looked at ahead (Chain.Ahead) while those before
// them are connected. A call returns once it reads src no more: where src keeps
// a reader waiting, only when that ends.
func (im *Importer) Read(ctx context.Context, src ImportSource) error {
	im.progress.BytesRead = 0
	in := newFrameReader(src.R, im.c.p.Network.Magic, im.c.p.Limits.BlockSerialized, im.c.log)
	line := newOrdered(context.WithoutCancel(ctx), im.c.lookahead.most(), func(o *ordered[*arrival]) {
		im.produce(o, in, src.At != nil)
	})
	defer line.end(im.forget)
	for number := 1; ; number++ {
		a, ok := line.next()
		if !ok {
			return nil // not reached: the last one has an error
		}
		if errors.Is(a.err, io.EOF) {
			im.progress.BytesRead = a.end
			return nil
		}
		err := a.err
		if a.framed {
			im.progress.Blocks++
		}
		if err == nil {
			err = im.take(ctx, &src, a)
		}
		im.progress.BytesRead = a.end
		im.progress.Height = im.c.Best().Height
		if err != nil {
			im.forget(a)
			return fmt.Errorf("block %d, before byte %d: %w", number, a.end, err)
		}
		im.report(im.progress)
	}
}

// take decides by its header what to do with a block.
func (im *Importer) take(ctx context.Context, src *ImportSource, a *arrival) error {
	defer im.coming.remove(a.hash)
	if err := ctx.Err(); err != nil {
		return err
	}
	prev := a.header.PrevBlock
	im.c.mu.RLock()
	known, parent := im.c.index[a.hash], im.c.index[prev]
	have := known != nil && known.status&statusData != 0
	im.c.mu.RUnlock()
	switch {
	case have:
		im.forget(a)
		im.progress.Known++
		return nil
	case known == nil && parent == nil && !im.c.canBuildOn(prev):
		im.forget(a)
		if err := consensus.CheckHeader(&a.header, im.c.p); err != nil {
			im.refused(a.hash, err)
			return nil
		}
		return im.wait(src, a)
	case a.raw == nil && src.At == nil: // lost since it was passed over
		im.progress.Known++
		return nil
	case a.raw == nil: // the same, or nothing was there then that it could stand on
		return im.accept(ctx, im.load(waitingBlock{hash: a.hash, from: src, at: a.at, size: a.size}))
	}
	return im.accept(ctx, a.body)
}

// wait remembers a block until its parent has come.
func (im *Importer) wait(src *ImportSource, a *arrival) error {
	parent := a.header.PrevBlock
	for _, w := range im.waiting[parent] {
		if w.hash == a.hash {
			im.progress.Known++
			return nil
		}
	}
	w := waitingBlock{hash: a.hash, from: src, at: a.at, size: a.size}
	if im.progress.Waiting >= maxWaiting {
		return fmt.Errorf("more than %d blocks come before their parents; import the files that hold the parents first", maxWaiting)
	}
	if src.At == nil {
		if im.data += a.size; im.data > max(maxWaitingData, 4*im.c.p.Limits.BlockSerialized) {
			return fmt.Errorf("more than %d bytes of blocks come before their parents, and %s cannot be read twice; unpack it into a file", im.data-a.size, src.Name)
		}
		w.raw = a.raw
	}
	im.waiting[parent] = append(im.waiting[parent], w)
	im.progress.Waiting++
	return nil
}

// accept offers a block to the chain, and then those that waited for it.
func (im *Importer) accept(ctx context.Context, b body) error {
	if err := im.offer(ctx, b); err != nil {
		return err
	}
	for done := []chainhash.Hash{b.hash}; len(done) > 0; done = done[1:] {
		children := im.waiting[done[0]]
		if len(children) == 0 {
			continue
		}
		if !im.c.canBuildOn(done[0]) {
			continue // not even its header is good
		}
		delete(im.waiting, done[0])
		im.progress.Waiting -= len(children)
		for _, w := range children {
			if err := im.offer(ctx, im.load(w)); err != nil {
				return err
			}
			im.report(im.progress)
			done = append(done, w.hash)
		}
	}
	return nil
}

// load reads a block that waited.
func (im *Importer) load(w waitingBlock) body {
	if w.raw != nil {
		im.data -= w.size
		return im.c.decodeBody(w.hash, w.raw)
	}
	raw := make([]byte, w.size)
	if _, err := w.from.At.ReadAt(raw, w.at); err != nil && !errors.Is(err, io.EOF) {
		return body{hash: w.hash, err: fmt.Errorf("read block %v of %s again: %w", w.hash, w.from.Name, err)}
	}
	return im.c.decodeBody(w.hash, raw)
}

// offer gives one block to the chain.
func (im *Importer) offer(ctx context.Context, b body) error {
	if b.err != nil {
		return b.err
	}
	result, err := im.c.AcceptBlock(ctx, b.block)
	switch {
	case consensus.AsRule(err) != nil:
		im.refused(b.hash, err)
	case errors.Is(err, ErrVariant):
		im.progress.Known++
	case err != nil:
		return fmt.Errorf("block %v: %w", b.hash, err)
	case result == ResultDuplicate:
		im.progress.Known++
	default:
		im.progress.Accepted++
	}
	im.progress.Height = im.c.Best().Height
	return nil
}

func (im *Importer) refused(hash chainhash.Hash, err error) {
	im.progress.Refused++
	im.c.log.Info("imported block refused", "hash", hash, "err", err)
}
