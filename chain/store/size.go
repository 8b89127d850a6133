package store

import (
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
