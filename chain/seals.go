package chain

import (
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// maxDoubles is how many double seals are listed, the newest ones.
const maxDoubles = 100

// DoubleSeal is two different blocks that one member sealed on one parent.
// That breaks no rule; who does it by design can undo his own payments.
type DoubleSeal struct {
	Member        record.MemberID
	Height        int32
	First, Second chainhash.Hash // in the order in which they came
}

// DoubleSeals lists the double seals seen since the start, the oldest first.
func (c *Chain) DoubleSeals() []DoubleSeal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return append([]DoubleSeal(nil), c.doubles...)
}

// seeDouble lists n if its member sealed another block on its parent. change
// held.
func (c *Chain) seeDouble(n *node) {
	if n.undecided() {
		return
	}
	for s := n.parent.child; s != nil; s = s.sibling {
		if s == n || s.undecided() || s.seal.member != n.seal.member || s.seal.variant == n.seal.variant {
			continue
		}
		d := DoubleSeal{Member: n.seal.member, Height: n.height, First: s.hash, Second: n.hash}
		c.mu.Lock()
		if len(c.doubles) == maxDoubles {
			c.doubles = append(c.doubles[:0:0], c.doubles[1:]...)
		}
		c.doubles = append(c.doubles, d)
		c.mu.Unlock()
		c.log.Info("member sealed two blocks on one parent", "member", d.Member, "height", d.Height, "first", d.First, "second", d.Second)
		return
	}
}

// Sealing is who made a block of the best branch.
type Sealing struct {
	Height  int32
	Hash    chainhash.Hash
	Member  record.MemberID
	Key     [32]byte // x-only
	Restart bool
}

// Sealers returns who made the last n blocks of the best branch, the newest
// first: fewer where the chain is shorter, or they are not known below a UTXO
// snapshot, none where blocks carry no seals.
func (c *Chain) Sealers(n int) []Sealing {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var list []Sealing
	for at := c.tip(); at.seal != nil && !at.unnamed() && len(list) < n; at = at.parent {
		list = append(list, Sealing{at.height, at.hash, at.seal.member, at.seal.key, at.seal.restart})
	}
	return list
}

// MaySeal reports whether the key (x-only) may seal a block on top of the best
// one, now that the last ones are sealed by whom they are. The error, where it
// may not, is a *consensus.RuleError.
func (c *Chain) MaySeal(key [32]byte) (record.MemberID, error) {
	if !c.sealed() {
		return record.MemberID{}, fmt.Errorf("chain %s: blocks carry no seals", c.p.Name)
	}
	c.mu.RLock()
	tip, state := c.tip(), c.perm.tip
	c.mu.RUnlock()
	height := tip.height + 1
	member, err := state.CheckSealer(key, height)
	if err != nil {
		return member, err
	}
	next := node{parent: tip, height: height}
	return member, next.checkDiversity(member, state.LookBack(height))
}

// maxProofs is how many proofs are kept in memory.
const maxProofs = 2048

// proofs remembers proofs of seals that were asked for. The oldest is
// forgotten first.
type proofs struct {
	mu     sync.Mutex
	byHash map[chainhash.Hash]*seal.Proof
	order  []chainhash.Hash
}

func (p *proofs) get(hash chainhash.Hash) *seal.Proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byHash[hash]
}

func (p *proofs) add(hash chainhash.Hash, proof *seal.Proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byHash == nil {
		p.byHash = make(map[chainhash.Hash]*seal.Proof)
	}
	if p.byHash[hash] != nil {
		return
	}
	if len(p.order) == maxProofs {
		delete(p.byHash, p.order[0])
		p.order = append(p.order[:0:0], p.order[1:]...)
	}
	p.byHash[hash] = proof
	p.order = append(p.order, hash)
}

// SealProof returns the proof of who made a block whose body is here, for
// those who get its header; do not modify it. ErrUnknownBlock, ErrNoData.
func (c *Chain) SealProof(hash chainhash.Hash) (*seal.Proof, error) {
	if proof := c.proofs.get(hash); proof != nil {
		return proof, nil
	}
	b, err := c.ReadBlock(hash)
	if err != nil {
		return nil, err
	}
	return c.noteProof(b), nil
}

// noteProof makes the proof of b and remembers it.
func (c *Chain) noteProof(b *consensus.Block) *seal.Proof {
	proof := seal.ProofOf(b)
	// Of its own memory: the block is let go of.
	proof.Coinbase = proof.Coinbase.Copy()
	c.proofs.add(b.Hash, &proof)
	return &proof
}
