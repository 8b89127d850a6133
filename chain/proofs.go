package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/store"
)

// The proof of who sealed a block is kept in a row of the index database of its
// own, so that headers can be served without reading bodies, and after these
// are pruned. It is written no later than the block's index row. A data folder
// may lack rows of blocks that were stored before there were any: their bodies
// say the same, and pruning makes the rows first.
//
//	field     bytes    encoding
//	version   1        1
//	branch    1        number of hashes
//	hashes    32 each  merkle branch of the coinbase, the lowest first
//	coinbase  rest     without witness, as on the wire
const proofVersion = 1

func encodeProof(proof *seal.Proof) []byte {
	coinbase := proof.Encode()
	b := make([]byte, 0, 2+chainhash.HashSize*len(proof.Branch)+len(coinbase))
	b = append(b, proofVersion, byte(len(proof.Branch)))
	for i := range proof.Branch {
		b = append(b, proof.Branch[i][:]...)
	}
	return append(b, coinbase...)
}

func decodeProof(b []byte) (*seal.Proof, error) {
	if len(b) < 2 || b[0] != proofVersion {
		return nil, errors.New("proof of a seal: no row of version 1")
	}
	count, rest := int(b[1]), b[2:]
	if count > seal.MaxBranch || len(rest) < count*chainhash.HashSize {
		return nil, fmt.Errorf("proof of a seal: %d hashes, at most %d, in %d bytes", count, seal.MaxBranch, len(rest))
	}
	branch := make([]chainhash.Hash, count)
	for i := range branch {
		branch[i], rest = chainhash.Hash(rest[:chainhash.HashSize]), rest[chainhash.HashSize:]
	}
	return seal.ParseProof(rest, branch)
}

// writeIndex makes index rows, and all proofs and hints so far, durable.
func (c *Chain) writeIndex(rows []store.IndexRow) error {
	return c.changeIndex(store.IndexRows{Blocks: rows})
}

func (c *Chain) changeIndex(rows store.IndexRows) error {
	rows.Proofs, rows.Hints = c.proofs.waiting(), c.hints.waiting()
	if err := c.store.ChangeIndex(rows); err != nil {
		return err
	}
	c.proofs.written(rows.Proofs)
	c.hints.written(rows.Hints)
	return nil
}

// keepProof keeps what b, a block whose transactions its header commits to,
// shows of its seal.
func (c *Chain) keepProof(hash chainhash.Hash, proof *seal.Proof) error {
	if !c.proofs.put(hash, encodeProof(proof)) {
		return nil
	}
	if err := c.writeIndex(nil); err != nil {
		return c.fatal("write proofs of seals", err)
	}
	return nil
}

// SealProof returns the proof of who made a block whose body is here or was,
// for those who get its header. ErrUnknownBlock, ErrNoData.
func (c *Chain) SealProof(hash chainhash.Hash) (*seal.Proof, error) {
	c.mu.RLock()
	n := c.index[hash]
	c.mu.RUnlock()
	if n == nil {
		return nil, fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	}
	proof, err := c.keptProof(hash)
	if proof != nil {
		return proof, nil
	}
	b, bodyErr := c.readBody(n)
	if bodyErr != nil {
		return nil, errors.Join(bodyErr, err)
	}
	p := seal.ProofOf(b)
	if c.proofs.room() {
		c.proofs.put(hash, encodeProof(&p)) // the next time it need not be read
	}
	return &p, nil
}

// keptProof returns the proof in a block's row; nil where there is none, with
// an error if the row is of no use.
func (c *Chain) keptProof(hash chainhash.Hash) (*seal.Proof, error) {
	row := c.proofs.row(hash)
	if row == nil {
		stored, ok, err := c.store.Proof(hash)
		if err != nil || !ok {
			return nil, err
		}
		row = stored
	}
	return decodeProof(row)
}

// proveBefore makes the proofs, where they are missing, of blocks whose bodies
// in these files are about to be removed. change held.
func (c *Chain) proveBefore(gone map[fileKey]bool) error {
	if !c.sealed() {
		return nil
	}
	for _, n := range c.index {
		if n.seal == nil || n.status&statusData == 0 || !gone[fileKey{store.BlockFile, n.data.File}] {
			continue
		}
		if proof, _ := c.keptProof(n.hash); proof != nil {
			continue
		}
		b, err := c.readBody(n)
		if err != nil {
			c.log.Debug("no proof of a seal is left", "hash", n.hash, "err", err)
			continue
		}
		if err := c.keepBodyProof(b); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) keepBodyProof(b *consensus.Block) error {
	proof := seal.ProofOf(b)
	return c.keepProof(b.Hash, &proof)
}
