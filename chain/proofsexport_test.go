package chain

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/seal"
)

// ProofBatch is rowBatch.
const ProofBatch = rowBatch

// EncodeProof and DecodeProof are the row of a proof.
var (
	EncodeProof = encodeProof
	DecodeProof = decodeProof
)

// ProofsWaiting returns how many bytes of proofs are in memory.
func (c *Chain) ProofsWaiting() int { return c.proofs.bytes }

// KeepProofOf keeps the proof of b under another hash.
func (c *Chain) KeepProofOf(b *consensus.Block, hash chainhash.Hash) error {
	proof := seal.ProofOf(b)
	return c.keepProof(hash, &proof)
}

// Bounds of what a member may seal on one parent.
const (
	MaxSiblings      = maxSiblings
	MaxMemberDoubles = maxMemberDoubles
)
