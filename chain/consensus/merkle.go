package consensus

import (
	"math/bits"

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

func merkleOf(ids []chainhash.Hash) merkle {
	return merkleTree(len(ids), func(i int) *chainhash.Hash { return &ids[i] })
}

// merkleTree computes the tree over n leaves, which it reads where they are.
// Apart from the branch it takes one piece of memory, for the nodes above the
// leaves; each level is computed over the one below, in place.
func merkleTree(n int, leaf func(i int) *chainhash.Hash) (m merkle) {
	switch n {
	case 0:
		return m
	case 1:
		m.root = *leaf(0)
		return m
	}
	m.branch = append(make([]chainhash.Hash, 0, bits.Len(uint(n-1))), *leaf(1))
	nodes := make([]chainhash.Hash, (n+1)/2)
	for i := range nodes {
		left := leaf(2 * i)
		right := left
		if 2*i+1 < n {
			right = leaf(2*i + 1)
			m.repeated = m.repeated || *left == *right
		}
		nodes[i] = hashPair(left, right)
	}
	for n := len(nodes); n > 1; n = (n + 1) / 2 {
		m.branch = append(m.branch, nodes[1])
		for i := 0; i < n; i += 2 {
			left := &nodes[i]
			right := left
			if i+1 < n {
				right = &nodes[i+1]
				m.repeated = m.repeated || *left == *right
			}
			nodes[i/2] = hashPair(left, right)
		}
	}
	m.root = nodes[0]
	return m
}

// hashPair is the node above left and right.
func hashPair(left, right *chainhash.Hash) chainhash.Hash {
	var pair [2 * chainhash.HashSize]byte
	copy(pair[:chainhash.HashSize], left[:])
	copy(pair[chainhash.HashSize:], right[:])
	return chainhash.DoubleHashH(pair[:])
}

// merkle computes the tree of the block's transactions, the first time.
func (b *Block) merkle() *merkle {
	if m := b.tree.Load(); m != nil {
		return m
	}
	m := merkleTree(len(b.Txs), func(i int) *chainhash.Hash { return &b.Txs[i].TxID })
	b.tree.Store(&m)
	return &m
}

// witnessRoot computes the root of the tree of wtxids (BIP141), the first
// time.
func (b *Block) witnessRoot() chainhash.Hash {
	if root := b.wroot.Load(); root != nil {
		return *root
	}
	root := witnessRoot(b.Txs)
	b.wroot.Store(&root)
	return root
}

// witnessRoot is the root of the tree of the wtxids of txs, all zeros in the
// place of the first one's.
func witnessRoot(txs []*Tx) chainhash.Hash {
	var first chainhash.Hash
	return merkleTree(len(txs), func(i int) *chainhash.Hash {
		if i == 0 {
			return &first
		}
		return &txs[i].WTxID
	}).root
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
