package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// IndexRow is what the block index keeps of one block.
type IndexRow struct {
	Hash  [32]byte
	Value []byte
}

const indexDir = "index"

func indexCRC(hash, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(hash, castagnoli()), castagnoli(), value)
}

// WriteIndex adds or replaces rows. When it returns nil all of them are
// durable; after a crash during the call either all or none are there.
func (s *Store) WriteIndex(rows []IndexRow) error {
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	var batch leveldb.Batch
	for _, row := range rows {
		value := binary.LittleEndian.AppendUint32(row.Value[:len(row.Value):len(row.Value)], indexCRC(row.Hash[:], row.Value))
		batch.Put(row.Hash[:], value)
	}
	err := s.index.write(func() error { return s.index.Write(&batch, &opt.WriteOptions{Sync: true}) })
	if err != nil {
		return s.guard.fail(fmt.Errorf("write block index: %w", s.index.wrap(err)))
	}
	return nil
}

// EachIndex calls fn for every row, in no useful order. A row that does not
// fit its checksum ends it with a *DamageError.
func (s *Store) EachIndex(fn func(IndexRow) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	return s.index.each(s.index, nil, func(k, v []byte) error {
		n := len(v) - 4
		if len(k) != 32 || n < 0 || binary.LittleEndian.Uint32(v[n:]) != indexCRC(k, v[:n]) {
			return &DamageError{File: indexDir, Offset: -1, What: fmt.Sprintf("row %x does not fit its checksum", k)}
		}
		return fn(IndexRow{Hash: [32]byte(k), Value: append([]byte(nil), v[:n]...)})
	})
}
