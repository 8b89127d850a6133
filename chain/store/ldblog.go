package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// LevelDB writes manifests and journals in one format: blocks of 32 KiB, in
// them chunks, none across the end of a block (fewer than 7 bytes there are
// left empty):
//
//	field   type    size    meaning
//	crc     u32 le  4       masked CRC-32C of kind ‖ data
//	length  u16 le  2       bytes of data
//	kind    u8      1       1 whole record, 2 first, 3 middle, 4 last chunk of a record
//	data    bytes   length
//
// Source: leveldb/doc/log_format.md.
const (
	logBlock = 32 << 10
	logHead  = 7

	chunkFull, chunkFirst, chunkLast = 1, 2, 4
)

// checkLogs looks for damage in the manifest and the journals of the
// database in dir, before LevelDB skips it in silence.
func checkLogs(s *ldbStorage) error {
	fds, err := s.List(storage.TypeManifest | storage.TypeJournal)
	if err != nil {
		return err
	}
	meta, err := s.GetMeta()
	if notExist(err) {
		return dropUnborn(s)
	}
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if fd.Type == storage.TypeManifest && fd != meta {
			continue // a leftover that LevelDB removes
		}
		b, err := readFile(s.g.fs, s.path(fd))
		if err != nil {
			return err
		}
		if at, damaged := findLogDamage(b); damaged {
			return &DamageError{
				File:   filepath.Join(filepath.Base(s.dir), fd.String()),
				Offset: int64(at),
				What:   "a record does not fit its checksum and intact ones follow",
			}
		}
	}
	return nil
}

// dropUnborn removes what a crash left of a database that was being made:
// the manifest without CURRENT. Tables or journals without CURRENT are damage.
func dropUnborn(s *ldbStorage) error {
	fds, err := s.List(storage.TypeAll)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if fd.Type != storage.TypeManifest || fd.Num > 1 {
			return &DamageError{
				File:   filepath.Join(filepath.Base(s.dir), currentName),
				Offset: -1,
				What:   fmt.Sprintf("is missing, but there is %s", fd),
			}
		}
	}
	for _, fd := range fds {
		if err := s.g.remove(s.path(fd)); err != nil {
			return err
		}
	}
	return nil
}

// findLogDamage returns the position of the first chunk that is not intact
// while the start of a record behind it is. A damaged end alone is what a
// crash leaves of the last write, which nobody was told to be durable.
func findLogDamage(b []byte) (at int, damaged bool) {
	pos := 0
	for pos < len(b) {
		if left := logBlock - pos%logBlock; left < logHead {
			pos += left
			continue
		}
		_, next, ok := parseChunk(b, pos)
		if !ok {
			return pos, recordStartsBehind(b, pos)
		}
		pos = next
	}
	return 0, false
}

// recordStartsBehind looks at every byte of the rest of the block, since the
// length of the bad chunk proves nothing, and at the chunks of later blocks.
func recordStartsBehind(b []byte, pos int) bool {
	end := pos - pos%logBlock + logBlock
	for at := pos + 1; at < min(end, len(b)); at++ {
		if kind, _, ok := parseChunk(b, at); ok && kind <= chunkFirst {
			return true
		}
	}
	for ; end < len(b); end += logBlock {
		for at := end; at < min(end+logBlock, len(b)); {
			kind, next, ok := parseChunk(b, at)
			if !ok {
				break
			}
			if kind <= chunkFirst {
				return true
			}
			at = next
		}
	}
	return false
}

// parseChunk reads the chunk at pos. ok: it is intact and not empty.
func parseChunk(b []byte, pos int) (kind byte, next int, ok bool) {
	left := min(logBlock-pos%logBlock, len(b)-pos)
	if left < logHead {
		return 0, 0, false
	}
	length := int(binary.LittleEndian.Uint16(b[pos+4:]))
	kind = b[pos+6]
	next = pos + logHead + length
	if kind < chunkFull || kind > chunkLast || length > left-logHead {
		return 0, 0, false
	}
	crc := crc32.Checksum(b[pos+6:next], castagnoli())
	masked := (crc>>15 | crc<<17) + 0xa282ead8
	return kind, next, masked == binary.LittleEndian.Uint32(b[pos:])
}
