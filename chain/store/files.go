package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Location says where the payload of a record lies.
type Location struct {
	File   uint32 // number of the file
	Offset uint32 // of the payload, in bytes
	Size   uint32 // of the payload, in bytes
}

// blocksDir is the folder of block and undo files.
const blocksDir = "blocks"

// fileSet is the append-only files of one kind of record.
type fileSet struct {
	recordFormat
	g        *guard
	dir      string // of the files
	handles  *handles
	fileSize int64

	syncMu sync.Mutex // one sync at a time: when it returns, all before it is durable

	mu      sync.Mutex // guards what follows: where the next record goes
	num     uint32
	current *guardedFile
	size    int64
	dirty   bool // current has bytes that were not synced
	newName bool // current's name may not be durable
	buf     []byte
}

func (s *fileSet) base(num uint32) string {
	return fmt.Sprintf("%s%05d.dat", s.prefix, num)
}

func (s *fileSet) path(num uint32) string { return filepath.Join(s.dir, s.base(num)) }

func (s *fileSet) damage(num uint32, offset int64, format string, args ...any) error {
	return &DamageError{
		File:   filepath.Join(blocksDir, s.base(num)),
		Offset: offset,
		What:   fmt.Sprintf(format, args...),
	}
}

// numbers returns the numbers of the files that exist, in order.
func (s *fileSet) numbers() ([]uint32, error) {
	names, err := s.g.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	var nums []uint32
	for _, name := range names {
		digits, ok := strings.CutSuffix(strings.TrimPrefix(name, s.prefix), ".dat")
		n, err := strconv.ParseUint(digits, 10, 32)
		if ok && err == nil && name == s.base(uint32(n)) {
			nums = append(nums, uint32(n))
		}
	}
	slices.Sort(nums)
	return nums, nil
}

// open finds the end of the newest file, cuts its torn tail, if any, and
// gets ready to append.
func (s *fileSet) open(log *slog.Logger) error {
	nums, err := s.numbers()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(nums) == 0 {
		return s.startLocked(0)
	}
	s.num = nums[len(nums)-1]
	if s.current, err = s.g.openChange(s.g.fs.OpenWrite, s.path(s.num)); err != nil {
		return err
	}
	if s.size, err = s.current.Size(); err != nil {
		return err
	}
	end, sure, err := s.findEnd(s.current, s.num, s.size)
	switch {
	case err != nil:
		return err
	case !sure:
		log.Info("block file ends in damage, a new one is started", "file", s.base(s.num))
		return s.rollLocked()
	case end < s.size:
		log.Info("torn tail of block file cut", "file", s.base(s.num), "bytes", s.size-end)
		if err := s.current.Truncate(end); err != nil {
			return err
		}
		s.size = end
	}
	// What was not synced before a crash may be in memory only.
	s.dirty, s.newName = true, true
	return nil
}

// startLocked makes an empty file and appends to it from now on.
func (s *fileSet) startLocked(num uint32) error {
	f, err := s.g.openChange(s.g.fs.Create, s.path(num))
	if err != nil {
		return err
	}
	s.num, s.current, s.size = num, f, 0
	s.dirty, s.newName = true, true
	return nil
}

// rollLocked makes the current file durable and goes on in the next one.
func (s *fileSet) rollLocked() error {
	if err := s.current.Sync(); err != nil {
		return err
	}
	if err := s.current.Close(); err != nil {
		return s.g.fail(err)
	}
	if s.newName {
		if err := s.g.syncDir(s.dir); err != nil {
			return err
		}
	}
	return s.startLocked(s.num + 1)
}

// write appends one record.
func (s *fileSet) write(hash, parent [32]byte, payload []byte) (Location, error) {
	if err := s.checkSize(int64(len(payload))); err != nil {
		return Location{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.g.failed(); err != nil {
		return Location{}, err
	}
	s.buf = s.append(s.buf[:0], hash, parent, payload)
	if s.size > 0 && s.size+int64(len(s.buf)) > s.fileSize {
		if err := s.rollLocked(); err != nil {
			return Location{}, err
		}
	}
	if _, err := s.current.WriteAt(s.buf, s.size); err != nil {
		return Location{}, fmt.Errorf("append to %s: %w", s.base(s.num), err)
	}
	loc := Location{File: s.num, Offset: uint32(s.size + s.head()), Size: uint32(len(payload))}
	s.size += int64(len(s.buf))
	s.dirty = true
	if cap(s.buf) > keepBuffer {
		s.buf = nil
	}
	return loc, nil
}

// keepBuffer is the largest buffer kept between appends.
const keepBuffer = 8 << 20

// sync makes everything that was appended before it durable.
func (s *fileSet) sync() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	s.mu.Lock()
	f, num, dirty, newName := s.current, s.num, s.dirty, s.newName
	s.dirty, s.newName = false, false
	s.mu.Unlock()
	if err := s.g.failed(); err != nil {
		return err
	}
	if dirty {
		if err := s.syncFile(f, num); err != nil {
			return fmt.Errorf("sync %s: %w", s.base(num), err)
		}
	}
	if newName {
		return s.g.syncDir(s.dir)
	}
	return nil
}

// syncFile syncs f without keeping appends waiting. If it was rolled away
// meanwhile, it is closed, and was synced before that.
func (s *fileSet) syncFile(f *guardedFile, num uint32) error {
	return f.g.change(func() error {
		err := f.g.timed(f.File.Sync)
		if err == nil {
			return nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.num != num {
			return nil
		}
		return err
	})
}

// read returns the payload of the record at loc, checked.
func (s *fileSet) read(loc Location, hash, parent [32]byte) ([]byte, error) {
	start := int64(loc.Offset) - s.head()
	if start < 0 {
		return nil, s.damage(loc.File, int64(loc.Offset), "no record can lie here")
	}
	var b []byte
	err := s.handles.with(s.path(loc.File), func(f File) error {
		size, err := f.Size()
		if err != nil {
			return err
		}
		end := int64(loc.Offset) + int64(loc.Size)
		if end > size {
			return s.damage(loc.File, start, "record would end at byte %d, the file at %d", end, size)
		}
		b = make([]byte, end-start)
		_, err = f.ReadAt(b, start)
		if errors.Is(err, io.EOF) {
			return s.damage(loc.File, start, "file ended while it was read")
		}
		return err
	})
	if notExist(err) {
		return nil, s.damage(loc.File, -1, "file is missing")
	}
	if err != nil {
		return nil, err
	}
	return s.check(loc, start, b, hash, parent)
}

// check compares the whole record b with what it should be.
func (s *fileSet) check(loc Location, start int64, b []byte, hash, parent [32]byte) ([]byte, error) {
	rec, ok := s.parse(b)
	switch {
	case !ok:
		return nil, s.damage(loc.File, start, "no record starts here")
	case rec.length != loc.Size:
		return nil, s.damage(loc.File, start, "record of %d bytes where %d were expected", rec.length, loc.Size)
	case recordCRC(b) != rec.crc:
		return nil, s.damage(loc.File, start, "checksum does not fit")
	case rec.hash != hash || (s.parent && rec.parent != parent):
		return nil, s.damage(loc.File, start, "record of another block")
	}
	return b[s.head():], nil
}
