package p2ptest

import (
	"bytes"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p"
)

// SealedParams returns parameters of a chain that restricts mining and
// connecting. Its seals are not signed: they show which coinbase a header
// commits to.
func SealedParams(name string) *params.Params {
	p := Params(name)
	p.Permissions = params.Permissions{Enabled: true, Restricted: []params.Permission{params.PermConnect, params.PermMine}}
	return p
}

// Entry returns the header of a block, with its proof if the chain is sealed.
func (c *Chain) Entry(b *consensus.Block) p2p.SealedHeader {
	e := p2p.SealedHeader{Header: b.Header}
	if c.Sealed {
		e.Proof = proofOf(b)
	}
	return e
}

// proofOf makes the proof of a block that holds a coinbase only.
func proofOf(b *consensus.Block) *p2p.SealProof {
	var coinbase bytes.Buffer
	if err := b.Txs[0].Msg.SerializeNoWitness(&coinbase); err != nil {
		panic(err)
	}
	return &p2p.SealProof{Coinbase: coinbase.Bytes()}
}

// Variant returns another variant of a block: the same seal, another hash.
func Variant(b *consensus.Block) *consensus.Block {
	msg := b.Msg().Copy()
	msg.Header.Nonce++
	return consensus.NewBlock(msg)
}

// Undecided returns how many undecided headers are held.
func (c *Chain) Undecided() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := 0
	for _, n := range c.nodes {
		if n.info.Undecided {
			count++
		}
	}
	return count
}

// Early returns how many bodies came before that of their parent.
func (c *Chain) Early() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.early
}

// TooOld makes the chain one whose software knows the rules below that height
// only; 0: all.
func (c *Chain) TooOld(height int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tooOld = height
}

// LoseProof forgets the proof of a block.
func (c *Chain) LoseProof(hash chainhash.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[hash].proof = nil
}

// SealProof implements p2p.Chain, as does ForgetSource.
func (c *Chain) SealProof(hash chainhash.Hash) (*p2p.SealProof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[hash]; n != nil && n.proof != nil {
		return n.proof, nil
	}
	return nil, errors.New("no such proof")
}

func (c *Chain) ForgetSource(source [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for hash, n := range c.nodes {
		if !n.info.Undecided || !n.sources[source] {
			continue
		}
		if delete(n.sources, source); len(n.sources) == 0 {
			delete(c.nodes, hash)
		}
	}
	for _, n := range c.nodes {
		kept := n.children[:0]
		for _, child := range n.children {
			if c.nodes[child.info.Hash] == child {
				kept = append(kept, child)
			}
		}
		n.children = kept
	}
}

// checkSealLocked judges what AcceptHeaders is given for the i-th header
// beyond the header itself.
func (c *Chain) checkSealLocked(hs []p2p.SealedHeader, i int, held *int) error {
	h, proof := &hs[i].Header, hs[i].Proof
	if (proof != nil) != c.Sealed {
		panic("p2ptest: a header with a proof where there are none, or the other way round")
	}
	if !c.Sealed || c.nodes[h.BlockHash()] != nil {
		return nil
	}
	if proof.MerkleRoot() != h.MerkleRoot {
		return &consensus.RuleError{Rule: RuleBadProof}
	}
	parent := c.nodes[h.PrevBlock]
	if parent == nil || parent.info.Invalid {
		return nil // acceptHeaderLocked says so
	}
	if i+1 == len(hs) {
		for _, n := range parent.children {
			if n.header.MerkleRoot == h.MerkleRoot {
				return p2p.ErrVariant
			}
		}
	}
	if parent.connected {
		return nil
	}
	if *held >= MaxUndecided || parent.info.Height+1-c.best.info.Height > MaxUndecided {
		return p2p.ErrTooFarAhead
	}
	*held++
	return nil
}

// heldLocked returns how many undecided headers are held of a source.
func (c *Chain) heldLocked(source [32]byte) int {
	held := 0
	for _, n := range c.nodes {
		if n.info.Undecided && n.sources[source] {
			held++
		}
	}
	return held
}

// connectLocked marks the branch up to n as connected, which decides the
// headers that stand on it.
func (c *Chain) connectLocked(n *blockNode) {
	for ; n != nil && !n.connected; n = n.parent {
		n.connected, n.info.Undecided, n.sources = true, false, nil
		for _, child := range n.children {
			if child.header.Version == BadSealerVersion {
				c.invalidateLocked(child)
			}
			child.info.Undecided = false
			if !child.info.Invalid && child.info.Work.Cmp(c.bestHeader.info.Work) > 0 {
				c.bestHeader = child
			}
		}
	}
}

// better reports whether the branch of a is to be preferred to that of b.
func (c *Chain) better(a, b *blockNode) bool {
	work := a.info.Work.Cmp(b.info.Work)
	if !c.Sealed {
		return work > 0
	}
	if !c.restarts {
		return work > 0 || work == 0 && bytes.Compare(a.info.Hash[:], b.info.Hash[:]) < 0
	}
	first, second := a.leaves(b), b.leaves(a)
	if first != nil && second != nil && first.info.Restart != second.info.Restart {
		return first.info.Restart
	}
	return work > 0 || work == 0 && bytes.Compare(a.info.Hash[:], b.info.Hash[:]) < 0
}

// leaves returns the first block of n's branch that is not on that of other,
// nil if there is none.
func (n *blockNode) leaves(other *blockNode) *blockNode {
	if n.info.Height <= other.info.Height && other.at(n.info.Height) == n {
		return nil
	}
	for ; n.parent != nil; n = n.parent {
		if h := n.parent.info.Height; h <= other.info.Height && other.at(h) == n.parent {
			break
		}
	}
	return n
}
