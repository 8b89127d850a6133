package store

import (
	"bytes"

	"github.com/syndtr/goleveldb/leveldb/util"
)

// StateSize returns about how many bytes of tables the rows of the chain
// state take whose keys start with prefix.
func (s *Store) StateSize(prefix []byte) (int64, error) {
	if err := s.readable(); err != nil {
		return 0, err
	}
	sizes, err := s.chainstate.SizeOf([]util.Range{*util.BytesPrefix(prefix)})
	if err != nil {
		return 0, s.chainstate.wrap(err)
	}
	return sizes.Sum(), nil
}

// size returns about how many bytes of tables all rows take.
func (d *database) size() (int64, error) {
	last := bytes.Repeat([]byte{0xff}, 64) // no key is greater
	sizes, err := d.SizeOf([]util.Range{{Limit: last}})
	if err != nil {
		return 0, d.wrap(err)
	}
	return sizes.Sum(), nil
}
