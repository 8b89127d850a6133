package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// IndexRow is what the block index keeps of one block.
type IndexRow struct {
	Hash  [32]byte
	Value []byte
}

const indexDir = "index"

// proofPrefix begins the keys of proof rows. They come after those of all
// block rows: no hash has all its bits set.
var proofPrefix = bytes.Repeat([]byte{0xff}, 32)

func proofKey(hash [32]byte) []byte { return append(slices.Clone(proofPrefix), hash[:]...) }

// hintKey comes after all others: it is longer than that of a proof.
func hintKey(hash [32]byte) []byte {
	return append(append(slices.Clone(proofPrefix), 0xff), hash[:]...)
}

// IndexRows is a change of the block index.
type IndexRows struct {
	Blocks []IndexRow // to be added or replaced
	Proofs []IndexRow // rows of their own that say of a block what has to outlive its body, see Proof
	Hints  []IndexRow // rows of their own with what can be found out of a block again, see Hints

	DropHints [][32]byte // blocks whose Hints are to be removed, if there are any
}

func indexCRC(hash, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(hash, castagnoli()), castagnoli(), value)
}

// WriteIndex is ChangeIndex for rows and proofs.
func (s *Store) WriteIndex(rows []IndexRow, proofs ...IndexRow) error {
	return s.ChangeIndex(IndexRows{Blocks: rows, Proofs: proofs})
}

// ChangeIndex makes a change in one step. When it returns nil all of it is
// durable; after a crash during the call either all or nothing is there.
func (s *Store) ChangeIndex(rows IndexRows) error {
	s.indexMu.Lock()
	defer s.indexMu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	var batch leveldb.Batch
	put := func(key, value []byte) {
		batch.Put(key, binary.LittleEndian.AppendUint32(value[:len(value):len(value)], indexCRC(key, value)))
	}
	for _, row := range rows.Blocks {
		put(row.Hash[:], row.Value)
	}
	for _, row := range rows.Proofs {
		put(proofKey(row.Hash), row.Value)
	}
	for _, hash := range rows.DropHints {
		batch.Delete(hintKey(hash))
	}
	for _, row := range rows.Hints {
		put(hintKey(row.Hash), row.Value)
	}
	err := s.index.write(func() error { return s.index.Write(&batch, &opt.WriteOptions{Sync: true}) })
	if err != nil {
		return s.guard.fail(fmt.Errorf("write block index: %w", s.index.wrap(err)))
	}
	return nil
}

// Proof returns the proof row of a block, if there is one: what WriteIndex was
// given. A row that does not fit its checksum is a *DamageError.
func (s *Store) Proof(hash [32]byte) ([]byte, bool, error) { return s.besideRow(proofKey(hash)) }

// Hints is Proof for the row with the hints of a block.
func (s *Store) Hints(hash [32]byte) ([]byte, bool, error) { return s.besideRow(hintKey(hash)) }

func (s *Store) besideRow(key []byte) ([]byte, bool, error) {
	if err := s.readable(); err != nil {
		return nil, false, err
	}
	v, ok, err := s.index.get(s.index, key)
	if err != nil || !ok {
		return nil, false, err
	}
	value, err := checkedRow(key, v)
	return value, err == nil, err
}

// EachIndex calls fn for every row of a block, and not those beside them, in no useful order. A row that
// does not fit its checksum ends it with a *DamageError.
func (s *Store) EachIndex(fn func(IndexRow) error) error {
	if err := s.readable(); err != nil {
		return err
	}
	return s.index.within(s.index, &util.Range{Limit: proofPrefix}, func(k, v []byte) error {
		value, err := checkedRow(k, v)
		if err == nil && len(k) != 32 {
			err = &DamageError{File: indexDir, Offset: -1, What: fmt.Sprintf("row %x has a key of %d bytes", k, len(k))}
		}
		if err != nil {
			return err
		}
		return fn(IndexRow{Hash: [32]byte(k), Value: bytes.Clone(value)})
	})
}

// checkedRow returns v, what is stored under k, without its checksum.
func checkedRow(k, v []byte) ([]byte, error) {
	n := len(v) - 4
	if n < 0 || binary.LittleEndian.Uint32(v[n:]) != indexCRC(k, v[:n]) {
		return nil, &DamageError{File: indexDir, Offset: -1, What: fmt.Sprintf("row %x does not fit its checksum", k)}
	}
	return v[:n], nil
}
