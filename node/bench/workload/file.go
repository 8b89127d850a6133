package workload

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/charterchain/charter/chain/params"
)

// Chain is a chain in files.
type Chain struct {
	Spec      Spec
	Params    *params.Params
	ChainFile string // to run a node on it
	Funding   string // framed blocks
	Blocks    string // framed blocks
}

// Progress is told how many of total blocks are made.
type Progress func(done, total int)

// Open returns the chain of a spec from dir, and makes it where it is
// missing. progress may be nil.
func Open(ctx context.Context, dir string, spec Spec, progress Progress) (*Chain, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	p, err := newParams()
	if err != nil {
		return nil, err
	}
	spec = spec.withDefaults()
	if progress == nil {
		progress = func(int, int) {}
	}
	base := filepath.Join(dir, spec.name())
	c := &Chain{Spec: spec, Params: p, ChainFile: base + ".toml", Funding: base + ".funding.dat", Blocks: base + ".blocks.dat"}
	if c.complete() {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	m := newMaker(p, spec)
	for _, part := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{c.ChainFile, func(w io.Writer) error { _, err := w.Write(params.Render(p)); return err }},
		{c.Funding, func(w io.Writer) error { return m.fund(ctx, w) }},
		{c.Blocks, func(w io.Writer) error { return m.allFull(ctx, w, progress) }},
	} {
		if err := writeWhole(part.name, part.write); err != nil {
			return nil, fmt.Errorf("make %s: %w", part.name, err)
		}
	}
	return c, nil
}

// complete reports whether all files are there: the last one is made last.
func (c *Chain) complete() bool {
	for _, name := range []string{c.ChainFile, c.Funding, c.Blocks} {
		if _, err := os.Stat(name); err != nil {
			return false
		}
	}
	return true
}

func (m *maker) allFull(ctx context.Context, w io.Writer, progress Progress) error {
	for i := range m.spec.Blocks {
		progress(i, m.spec.Blocks)
		if _, err := m.full(ctx, w); err != nil {
			return fmt.Errorf("block %d of %d: %w", i+1, m.spec.Blocks, err)
		}
	}
	progress(m.spec.Blocks, m.spec.Blocks)
	return nil
}

// writeWhole writes a file that is there as a whole or not at all.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".making-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(write(w), w.Flush(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// Read yields the raw blocks of a file of framed blocks.
func Read(name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, 1<<20)
		for {
			var head [8]byte
			_, err := io.ReadFull(r, head[:])
			if errors.Is(err, io.EOF) {
				return
			}
			raw := make([]byte, min(binary.LittleEndian.Uint32(head[4:]), 4*FullWeight))
			if err == nil {
				_, err = io.ReadFull(r, raw)
			}
			if err != nil {
				yield(nil, fmt.Errorf("read %s: %w", name, err))
				return
			}
			if !yield(raw, nil) {
				return
			}
		}
	}
}

// Ends returns where each frame of a file of framed blocks ends.
func Ends(name string) (ends []int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var head [8]byte
	for at := int64(0); ; {
		_, err := f.ReadAt(head[:], at)
		if errors.Is(err, io.EOF) {
			return ends, nil
		}
		if err != nil {
			return nil, err
		}
		at += int64(len(head)) + int64(binary.LittleEndian.Uint32(head[4:]))
		ends = append(ends, at)
	}
}
