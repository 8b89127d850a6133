package store

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// scanned is what a scan met at one place of a file.
type scanned struct {
	record
	loc     Location
	payload []byte // valid until the next record; nil when damaged
	damage  error  // *DamageError
}

// errSearchSpent ends a scan whose search for an intact record would read
// the file too many times.
var errSearchSpent = errors.New("search for the next record given up")

// scanner walks the records of one file from pos to size.
type scanner struct {
	*fileSet
	f    File
	num  uint32
	pos  int64
	size int64
	buf  []byte

	// search is how many bytes may still be read to find intact records
	// behind damage. Payloads are foreign: one full of things that look
	// like heads of records must not keep a node busy for hours.
	search int64
}

func (s *fileSet) scan(f File, num uint32, pos, size int64) *scanner {
	return &scanner{fileSet: s, f: f, num: num, pos: pos, size: size, search: 4*(size-pos) + 64<<20}
}

// next returns the next record or stretch of damage. io.EOF: the end.
func (c *scanner) next() (scanned, error) {
	if c.pos >= c.size {
		return scanned{}, io.EOF
	}
	start := c.pos
	out, whole, err := c.load(start)
	if err != nil {
		return scanned{}, err
	}
	end := int64(out.loc.Offset) + int64(out.loc.Size)
	if whole {
		c.pos = end
		return out, nil
	}
	// The head may be sound and the payload not: then its end is the start
	// of a record, or of nothing.
	fits := out.loc.Size > 0 && end <= c.size
	if fits && end < c.size {
		_, fits, err = c.load(end)
		if err != nil {
			return scanned{}, err
		}
	}
	if fits {
		c.pos = end
		out.damage = c.fileSet.damage(c.num, start, "checksum does not fit")
		return out, nil
	}
	next, err := c.find(start + 1)
	if err != nil {
		return scanned{}, err
	}
	c.pos = next
	out = scanned{loc: Location{File: c.num, Offset: uint32(start)}}
	out.damage = c.fileSet.damage(c.num, start, "no record in %d bytes", c.pos-start)
	return out, nil
}

// load reads the record at pos. whole says that it is intact; the size in
// its location is 0 when there is not even a head.
func (c *scanner) load(pos int64) (out scanned, whole bool, err error) {
	head := c.head()
	out.loc = Location{File: c.num, Offset: uint32(pos + head)}
	if pos+head > c.size {
		return out, false, nil
	}
	if err := c.readAt(pos, head); err != nil {
		return out, false, err
	}
	rec, ok := c.parse(c.buf)
	if !ok {
		return out, false, nil
	}
	out.record, out.loc.Size = rec, rec.length
	if pos+head+int64(rec.length) > c.size {
		return out, false, nil
	}
	if err := c.readAt(pos, head+int64(rec.length)); err != nil {
		return out, false, err
	}
	if recordCRC(c.buf) != rec.crc {
		return out, false, nil
	}
	out.payload = c.buf[head:]
	return out, true, nil
}

func (c *scanner) readAt(pos, n int64) error {
	c.buf = slices.Grow(c.buf[:0], int(n))[:n]
	if _, err := c.f.ReadAt(c.buf, pos); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else if err != nil {
		return c.fileSet.damage(c.num, pos, "file ended while it was read")
	}
	return nil
}

// find returns the position of the first intact record at or behind pos, or
// the end.
func (c *scanner) find(pos int64) (int64, error) {
	const window = 64 << 10
	b := make([]byte, window)
	for pos < c.size {
		n := min(window, c.size-pos)
		if _, err := c.f.ReadAt(b[:n], pos); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		i := bytes.Index(b[:n], c.magic[:])
		if i < 0 {
			if n < window {
				return c.size, nil
			}
			pos += n - int64(len(c.magic)) + 1
			continue
		}
		pos += int64(i)
		out, whole, err := c.load(pos)
		if err != nil {
			return 0, err
		}
		if whole {
			return pos, nil
		}
		if c.search -= c.head() + int64(out.loc.Size) + n; c.search < 0 {
			return 0, errSearchSpent
		}
		pos++
	}
	return c.size, nil
}

// findEnd returns where the last intact record of a file ends. sure is false
// when damage was met behind which nothing could be found in reasonable time.
func (s *fileSet) findEnd(f File, num uint32, size int64) (end int64, sure bool, err error) {
	c := s.scan(f, num, 0, size)
	for {
		out, err := c.next()
		switch {
		case errors.Is(err, io.EOF):
			return end, true, nil
		case errors.Is(err, errSearchSpent):
			return 0, false, nil
		case err != nil:
			return 0, false, err
		case out.damage == nil:
			end = c.pos
		}
	}
}

// each calls fn for every record behind after (nil: from the start), in the
// order of the files. See Store.EachBlockRecord.
func (s *fileSet) each(after *Location, fn func(scanned) error) error {
	nums, err := s.numbers()
	if err != nil {
		return err
	}
	for _, num := range nums {
		pos := int64(0)
		if after != nil {
			if num < after.File {
				continue
			}
			if num == after.File {
				pos = int64(after.Offset) + int64(after.Size)
			}
		}
		err := s.handles.with(s.path(num), func(f File) error { return s.eachOf(f, num, pos, fn) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *fileSet) eachOf(f File, num uint32, pos int64, fn func(scanned) error) error {
	size, err := s.sizeOf(f, num)
	if err != nil {
		return err
	}
	c := s.scan(f, num, pos, size)
	for {
		out, err := c.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errSearchSpent):
			out = scanned{loc: Location{File: num, Offset: uint32(c.pos)}}
			out.damage = s.damage(num, c.pos, "rest of the file not readable as records")
			return fn(out)
		case err != nil:
			return err
		}
		if err := fn(out); err != nil {
			return err
		}
	}
}

// sizeOf returns how far a file holds whole records: the one that grows may
// be ahead by half a write.
func (s *fileSet) sizeOf(f File, num uint32) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if num == s.num {
		return s.size, nil
	}
	return f.Size()
}
