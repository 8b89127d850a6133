package chain

import (
	"bytes"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/store"
)

const (
	rowBatch = 1 << 20 // bytes of rows that wait in memory for the next flush
	rowCost  = 128     // bytes that a row takes besides
)

// rowBook holds rows beside those of the block index, of one kind, that are
// not on disk yet. The zero value is empty; safe for concurrent use.
type rowBook struct {
	mu    sync.Mutex // guards the fields below
	rows  map[chainhash.Hash][]byte
	bytes int // that all rows take
}

func (k *rowBook) row(hash chainhash.Hash) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rows[hash]
}

// put reports whether it is time to write the rows.
func (k *rowBook) put(hash chainhash.Hash, row []byte) (full bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rows == nil {
		k.rows = make(map[chainhash.Hash][]byte)
	}
	k.removeLocked(hash)
	k.rows[hash] = row
	k.bytes += len(row) + rowCost
	return k.bytes >= rowBatch
}

func (k *rowBook) removeLocked(hash chainhash.Hash) {
	if row, ok := k.rows[hash]; ok {
		k.bytes -= len(row) + rowCost
		delete(k.rows, hash)
	}
}

// room reports whether a row may wait that need not be written.
func (k *rowBook) room() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bytes < rowBatch/2
}

// drop forgets rows that need not be written any more.
func (k *rowBook) drop(hashes [][32]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, hash := range hashes {
		k.removeLocked(hash)
	}
}

func (k *rowBook) waiting() []store.IndexRow {
	k.mu.Lock()
	defer k.mu.Unlock()
	rows := make([]store.IndexRow, 0, len(k.rows))
	for hash, row := range k.rows {
		rows = append(rows, store.IndexRow{Hash: hash, Value: row})
	}
	return rows
}

// written lets go of rows that are on disk, unless they were replaced.
func (k *rowBook) written(rows []store.IndexRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range rows {
		if hash := rows[i].Hash; bytes.Equal(k.rows[hash], rows[i].Value) {
			k.removeLocked(hash)
		}
	}
}
