package consensus

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

// merkle is what a block's transactions say of its merkle tree.
type merkle struct {
	root chainhash.Hash

	// repeated: two different nodes that pair up are equal, in which case a
	// list without the repeated part has the same root (CVE-2012-2459).
	repeated bool

	branch []chainhash.Hash // siblings on the way from the first leaf to the root, lowest first
}

// MerkleRoot is the root of Bitcoin's merkle tree over ids: each node is the
// double SHA-256 of its two children, and the last of an odd level pairs with
// itself. It is all zeros for no ids. ids is not changed.
func MerkleRoot(ids []chainhash.Hash) chainhash.Hash { return merkleOf(ids).root }

// FirstBranch returns the siblings on the way from the first of ids to the
// merkle root, the lowest first. ids is not changed.
func FirstBranch(ids []chainhash.Hash) []chainhash.Hash { return merkleOf(ids).branch }

func merkleOf(ids []chainhash.Hash) (m merkle) {
	if len(ids) == 0 {
		return m
	}
	level := make([]chainhash.Hash, len(ids), len(ids)+1)
	copy(level, ids)
	var pair [2 * chainhash.HashSize]byte
	for n := len(level); n > 1; n = (n + 1) / 2 {
		m.branch = append(m.branch, level[1])
		for i := 0; i+1 < n; i += 2 {
			if level[i] == level[i+1] {
				m.repeated = true
			}
		}
		for i := 0; i < n; i += 2 {
			right := min(i+1, n-1)
			copy(pair[:chainhash.HashSize], level[i][:])
			copy(pair[chainhash.HashSize:], level[right][:])
			level[i/2] = chainhash.DoubleHashH(pair[:])
		}
	}
	m.root = level[0]
	return m
}

// merkle computes the tree of the block's transactions, the first time.
func (b *Block) merkle() *merkle {
	if m := b.tree.Load(); m != nil {
		return m
	}
	m := merkleOf(TxIDs(b.Txs))
	b.tree.Store(&m)
	return &m
}

// CoinbaseBranch is FirstBranch of the transactions; do not modify it.
func (b *Block) CoinbaseBranch() []chainhash.Hash { return b.merkle().branch }

// TxIDs are the ids of txs in order, the leaves of a block's merkle tree.
func TxIDs(txs []*Tx) []chainhash.Hash {
	ids := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		ids[i] = tx.TxID
	}
	return ids
}
