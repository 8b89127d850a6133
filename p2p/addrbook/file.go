package addrbook

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/netip"
	"path/filepath"
	"time"
)

// Files is the part of a file system that a book needs.
type Files interface {
	ReadFile(name string) ([]byte, error)
	// WriteFile creates or replaces a file and syncs its content to disk.
	WriteFile(name string, data []byte) error
	Rename(from, to string) error
	// SyncDir makes renames inside a folder durable.
	SyncDir(name string) error
}

const (
	fileMagic      = "CHAB"
	fileVersion    = 1
	headerSize     = 12
	entrySize      = 110
	checksumSize   = 4
	maxFileEntries = 65536
	maxFileSize    = headerSize + entrySize*maxFileEntries + checksumSize
	temporaryExt   = ".new"
	setAsideExt    = ".damaged"
)

// ErrDamaged reports a file that is not a whole address book.
var ErrDamaged = errors.New("damaged address book")

// Load replaces the book's content by the file's. No file: the book is
// empty. A damaged file is moved aside, and the error, which wraps
// ErrDamaged, says where to; the book is empty then and may be used.
func (b *Book) Load() error {
	if b.cfg.Path == "" {
		return nil
	}
	data, err := b.cfg.Files.ReadFile(b.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("address book: %w", err)
	}
	entries, err := decode(data)
	if err != nil {
		aside := b.cfg.Path + setAsideExt
		if moved := b.cfg.Files.Rename(b.cfg.Path, aside); moved != nil {
			return fmt.Errorf("%s: %w; moving it aside: %w", b.cfg.Path, err, moved)
		}
		return fmt.Errorf("%s: %w; moved to %s, starting without known addresses", b.cfg.Path, err, aside)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clearLocked()
	now := b.cfg.Now()
	for _, e := range entries {
		if e.tried.After(now) { // the clock was set back
			e.tried = now
		}
		if len(b.order) < b.cfg.MaxEntries {
			b.insertLocked(e)
		}
	}
	b.changed = false
	return nil
}

// Save replaces the file, if anything changed since it was last written.
func (b *Book) Save() error {
	if b.cfg.Path == "" {
		return nil
	}
	b.saving.Lock()
	defer b.saving.Unlock()

	b.mu.Lock()
	if !b.changed {
		b.mu.Unlock()
		return nil
	}
	data := encode(b.order)
	b.changed = false
	b.mu.Unlock()

	if err := b.replace(data); err != nil {
		b.mu.Lock()
		b.changed = true
		b.mu.Unlock()
		return fmt.Errorf("address book: %w", err)
	}
	return nil
}

func (b *Book) replace(data []byte) error {
	files, path := b.cfg.Files, b.cfg.Path
	if err := files.WriteFile(path+temporaryExt, data); err != nil {
		return err
	}
	if err := files.Rename(path+temporaryExt, path); err != nil {
		return err
	}
	return files.SyncDir(filepath.Dir(path))
}

func encode(entries []*entry) []byte {
	out := make([]byte, 0, headerSize+entrySize*len(entries)+checksumSize)
	out = append(out, fileMagic...)
	out = binary.LittleEndian.AppendUint32(out, fileVersion)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(entries)))
	for _, e := range entries {
		ip := e.addr.AddrPort.Addr().As16()
		out = append(out, ip[:]...)
		out = binary.LittleEndian.AppendUint16(out, e.addr.AddrPort.Port())
		out = append(out, e.addr.Key[:]...)
		out = append(out, e.source[:]...)
		for _, t := range []time.Time{e.seen, e.tried, e.good} {
			out = binary.LittleEndian.AppendUint64(out, uint64(unix(t)))
		}
		out = binary.LittleEndian.AppendUint32(out, e.fails)
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, crc32.MakeTable(crc32.Castagnoli)))
}

func decode(data []byte) ([]*entry, error) {
	if len(data) < headerSize+checksumSize || len(data) > maxFileSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrDamaged, len(data))
	}
	if string(data[:4]) != fileMagic {
		return nil, fmt.Errorf("%w: does not start with %q", ErrDamaged, fileMagic)
	}
	if v := binary.LittleEndian.Uint32(data[4:]); v != fileVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrDamaged, v, fileVersion)
	}
	n := int64(binary.LittleEndian.Uint32(data[8:]))
	body := data[headerSize : len(data)-checksumSize]
	if n*entrySize != int64(len(body)) {
		return nil, fmt.Errorf("%w: %d entries announced, %d bytes for them", ErrDamaged, n, len(body))
	}
	sum := binary.LittleEndian.Uint32(data[len(data)-checksumSize:])
	if got := crc32.Checksum(data[:len(data)-checksumSize], crc32.MakeTable(crc32.Castagnoli)); got != sum {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x", ErrDamaged, got, sum)
	}
	entries := make([]*entry, 0, n)
	known := make(map[netip.AddrPort]bool, n)
	for i := range int(n) {
		e, err := decodeEntry(body[i*entrySize : (i+1)*entrySize])
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if known[e.addr.AddrPort] {
			return nil, fmt.Errorf("%w: entry %d: %s is there twice", ErrDamaged, i, e.addr.AddrPort)
		}
		known[e.addr.AddrPort] = true
		entries = append(entries, e)
	}
	return entries, nil
}

func decodeEntry(b []byte) (*entry, error) {
	e := new(entry)
	ip := netip.AddrFrom16([16]byte(b[:16])).Unmap()
	e.addr.AddrPort = netip.AddrPortFrom(ip, binary.LittleEndian.Uint16(b[16:]))
	if !Dialable(e.addr.AddrPort) {
		return nil, fmt.Errorf("%w: %s is no address of a node", ErrDamaged, e.addr.AddrPort)
	}
	copy(e.addr.Key[:], b[18:])
	copy(e.source[:], b[50:])
	for i, t := range []*time.Time{&e.seen, &e.tried, &e.good} {
		sec := int64(binary.LittleEndian.Uint64(b[82+8*i:]))
		if sec < 0 || sec > maxUnix {
			return nil, fmt.Errorf("%w: time %d", ErrDamaged, sec)
		}
		if sec != 0 {
			*t = time.Unix(sec, 0)
		}
	}
	e.fails = binary.LittleEndian.Uint32(b[106:])
	return e, nil
}

// maxUnix is the end of the year 9999, far inside what time.Time can hold.
const maxUnix = 253402300799

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(t.Unix(), 0), maxUnix)
}
