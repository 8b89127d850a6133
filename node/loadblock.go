package node

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/charterchain/charter/chain"
)

// loadBlocks imports the files that --loadblock names, in that order. Blocks
// may come before their parents, within a file and across them.
func (n *Node) loadBlocks(ctx context.Context) error {
	files := n.opts.Config.LoadBlock
	if len(files) == 0 {
		return nil
	}
	watch := &importWatch{n: n, began: n.opts.Now(), last: n.opts.Now()}
	im := n.chain.NewImporter(watch.report)
	for _, name := range files {
		if err := n.loadBlock(ctx, im, watch, name); err != nil {
			if ctx.Err() != nil {
				return nil // stopped; the next start passes over what is here
			}
			return fmt.Errorf("loadblock %s: %w", name, err)
		}
	}
	if p := im.Progress(); p.Waiting > 0 {
		n.log.Warn("imported files hold blocks whose parents are missing; they were left out", "blocks", p.Waiting)
	}
	if p := im.Progress(); p.Refused > 0 {
		n.log.Warn("imported files hold blocks that break a rule, see above; they were left out", "blocks", p.Refused)
	}
	return nil
}

func (n *Node) loadBlock(ctx context.Context, im *chain.Importer, watch *importWatch, name string) error {
	f, err := openUntil(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	// Who stops does not wait for what writes into a pipe.
	defer context.AfterFunc(ctx, func() { f.Close() })()
	src, total, err := blockSource(f)
	if err != nil {
		return err
	}
	watch.name, watch.total = name, total
	before := im.Progress()
	n.log.Info("import begins", "file", name, "bytes", total)
	err = im.Read(ctx, src)
	p := im.Progress()
	n.log.Info("import ends", "file", name, "blocks", p.Blocks-before.Blocks, "accepted", p.Accepted-before.Accepted,
		"known", p.Known-before.Known, "refused", p.Refused-before.Refused, "waiting", p.Waiting,
		"height", n.chain.Best().Height, "err", err)
	return err
}

// openUntil opens a file, or gives up when ctx is done: a pipe with a name
// opens only once somebody writes to it.
func openUntil(ctx context.Context, name string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened)
	go func() {
		f, err := os.Open(name)
		select {
		case done <- opened{f, err}:
		case <-ctx.Done():
			f.Close() // nil: does nothing
		}
	}()
	select {
	case o := <-done:
		return o.f, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// importWatch logs now and then how far an import is.
type importWatch struct {
	n      *Node
	name   string
	total  int64 // bytes; 0: not known
	began  time.Time
	last   time.Time
	blocks int // when last was set
}

func (w *importWatch) report(p chain.ImportProgress) {
	now := w.n.opts.Now()
	took := now.Sub(w.last)
	if took < progressEvery {
		return
	}
	args := []any{"file", w.name, "blocks", p.Blocks, "height", p.Height,
		"blocksPerSecond", int64(float64(p.Blocks-w.blocks) / took.Seconds()), "bytes", p.BytesRead}
	if w.total > 0 {
		args = append(args, "of", w.total, "percent", 100*p.BytesRead/w.total)
	}
	w.n.log.Info("import goes on", args...)
	w.last, w.blocks = now, p.Blocks
}

// blockSource looks at how f begins and unpacks bzip2 and gzip, and takes
// away the mask that Bitcoin Core puts on its block files. total is 0 where
// the length of the stream is not known.
func blockSource(f *os.File) (src chain.ImportSource, total int64, err error) {
	src = chain.ImportSource{Name: f.Name()}
	info, err := f.Stat()
	if err != nil {
		return src, 0, err
	}
	if !info.Mode().IsRegular() {
		src.R = bufio.NewReader(f)
		return src, 0, nil
	}
	head := make([]byte, 3)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return src, 0, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("BZh")):
		src.R = bzip2.NewReader(bufio.NewReader(f))
		return src, 0, nil
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		src.R, err = gzip.NewReader(bufio.NewReader(f))
		return src, 0, err
	}
	mask, err := blockMask(f.Name())
	if err != nil {
		return src, 0, err
	}
	file := fileAt{name: f.Name(), mask: mask}
	src.R, src.At = io.NewSectionReader(maskedAt{f, mask}, 0, info.Size()), file
	return src, info.Size(), nil
}

// maskName is the file with the 8 bytes with which Bitcoin Core masks the
// blk files beside it, by exclusive or.
const maskName = "xor.dat"

// blockMask returns the mask of a block file; zeros change nothing.
func blockMask(path string) (mask [8]byte, err error) {
	if ok, _ := filepath.Match("blk*.dat", filepath.Base(path)); !ok {
		return mask, nil
	}
	b, err := os.ReadFile(filepath.Join(filepath.Dir(path), maskName))
	if errors.Is(err, os.ErrNotExist) {
		return mask, nil
	}
	if err == nil && copy(mask[:], b) != len(b) {
		err = fmt.Errorf("%s beside the file has %d bytes, not %d", maskName, len(b), len(mask))
	}
	return mask, err
}

// maskedAt takes the mask away.
type maskedAt struct {
	io.ReaderAt
	mask [8]byte
}

func (m maskedAt) ReadAt(b []byte, at int64) (int, error) {
	n, err := m.ReaderAt.ReadAt(b, at)
	if m.mask != [8]byte{} {
		for i := range b[:n] {
			b[i] ^= m.mask[(at+int64(i))%8]
		}
	}
	return n, err
}

// fileAt opens its file for each read: of the thousands of files that an
// import may name, few are read again.
type fileAt struct {
	name string
	mask [8]byte
}

func (a fileAt) ReadAt(b []byte, at int64) (int, error) {
	f, err := os.Open(a.name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return maskedAt{f, a.mask}.ReadAt(b, at)
}
