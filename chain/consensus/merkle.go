package consensus

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

// MerkleRoot is the root of Bitcoin's merkle tree over ids: each node is the
// double SHA-256 of its two children, and the last of an odd level pairs with
// itself. It is all zeros for no ids. ids is not changed.
func MerkleRoot(ids []chainhash.Hash) chainhash.Hash {
	root, _ := merkleRoot(ids)
	return root
}

// merkleRoot also reports whether two different nodes that pair up are
// equal, in which case a list without the repeated part has the same root
// (CVE-2012-2459).
func merkleRoot(ids []chainhash.Hash) (root chainhash.Hash, repeated bool) {
	if len(ids) == 0 {
		return chainhash.Hash{}, false
	}
	level := make([]chainhash.Hash, len(ids), len(ids)+1)
	copy(level, ids)
	var pair [2 * chainhash.HashSize]byte
	for n := len(level); n > 1; n = (n + 1) / 2 {
		for i := 0; i+1 < n; i += 2 {
			if level[i] == level[i+1] {
				repeated = true
			}
		}
		for i := 0; i < n; i += 2 {
			right := min(i+1, n-1)
			copy(pair[:chainhash.HashSize], level[i][:])
			copy(pair[chainhash.HashSize:], level[right][:])
			level[i/2] = chainhash.DoubleHashH(pair[:])
		}
	}
	return level[0], repeated
}

// TxIDs are the ids of txs in order, the leaves of a block's merkle tree.
func TxIDs(txs []*Tx) []chainhash.Hash {
	ids := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		ids[i] = tx.TxID
	}
	return ids
}
