package chain

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// ErrNoProof is returned for a header that came without the proof of its seal,
// which every header needs where mining is restricted.
var ErrNoProof = errors.New("header without the proof of its seal")

// nodeSeal is what is known of who made a block. All but member is fixed by
// the block; member by the permissions as of its parent, which have to be
// known first. Guarded by Chain.mu where the block is undecided, else fixed.
type nodeSeal struct {
	key     [32]byte
	variant seal.VariantID
	restart bool
	member  record.MemberID // zero while the block is undecided

	// required is, of a restart block, how many different members the blocks
	// on its parent needed; 0 while it is undecided.
	required uint16

	// Only while the block is undecided:
	cert    *seal.Certificate // where restart; nil: it has to be read from the body
	source  [32]byte          // who brought the header
	heirs   [][32]byte        // who offered it later, at most maxHeirs
	counted bool              // in Chain.undecided
}

// sealed reports whether blocks of this chain carry seals.
func (c *Chain) sealed() bool { return c.perm != nil && c.perm.restrictsMining }

// undecided reports whether it is open if n's member may seal it. mu or
// change held.
func (n *node) undecided() bool { return n.status&statusUndecided != 0 }

// proofOf returns what a body shows of its seal. It is called for blocks of
// which nothing was checked but the header's proof of work.
func (c *Chain) proofOf(b *consensus.Block) (*seal.Proof, error) {
	if len(b.Txs) == 0 {
		return nil, consensus.CheckBlock(b, c.p)
	}
	proof := seal.ProofOf(b)
	return &proof, nil
}

// checkSeal checks the proof of a header at height: all that it shows without
// the permissions as of its parent.
func (c *Chain) checkSeal(h *wire.BlockHeader, height int32, proof *seal.Proof) (*nodeSeal, error) {
	if proof == nil || proof.Coinbase == nil {
		return nil, ErrNoProof
	}
	s, cert, variant, err := proof.Check(c.p.GenesisHash, h, height)
	if err != nil {
		return nil, err
	}
	return &nodeSeal{key: s.Key, variant: variant, restart: cert != nil, cert: cert}, nil
}

// decide judges by the permissions as of n's parent whether the key in n's
// seal may seal it, and names its member. cert is n's, if it restarts the
// chain. The caller notes it by decided.
func (c *Chain) decide(n *node, parent *permission.State, cert *seal.Certificate) (record.MemberID, error) {
	judged := parent
	if n.seal.restart {
		var err error
		if judged, _, err = c.restarted(n, parent, cert); err != nil {
			return record.MemberID{}, err
		}
	}
	member, err := judged.CheckSealer(n.seal.key, n.height)
	if err != nil || n.seal.restart {
		return member, err
	}
	return member, n.checkDiversity(member, parent.LookBack(n.height))
}

// checkDiversity checks that member sealed none of the blocks from n's parent
// down to lowest. Below a UTXO snapshot only those are known that count right
// above it: where ranges of permissions make more count, ErrUndecided.
func (n *node) checkDiversity(member record.MemberID, lowest int32) error {
	var unknown *node
	err := seal.CheckDiversity(member, n.height, func(yield func(record.MemberID) bool) {
		for at := n.parent; at != nil && at.seal != nil && at.height >= lowest; at = at.parent {
			if at.unnamed() {
				unknown = at
				return
			}
			if !yield(at.seal.member) {
				return
			}
		}
	})
	if err == nil && unknown != nil {
		err = fmt.Errorf("%w: who sealed block %v at height %d is not known before it is checked", ErrUndecided, unknown.hash, unknown.height)
	}
	return err
}

// restarted returns the state by which the restart block n is judged, and what
// differs from that after its parent.
func (c *Chain) restarted(n *node, parent *permission.State, cert *seal.Certificate) (*permission.State, *permission.Delta, error) {
	if cert == nil {
		return nil, nil, fmt.Errorf("restart certificate of block %v: %w", n.hash, ErrNoData)
	}
	if err := seal.CheckRestartTime(&n.header, &n.parent.header, c.p.Permissions.RestartDelay); err != nil {
		return nil, nil, err
	}
	return parent.Restart(n.height, cert)
}

// headerOffer says how a header came.
type headerOffer struct {
	body    *consensus.Block // nil: the header alone
	proof   *seal.Proof      // where there is no body
	source  [32]byte         // who brought it; zero: not said
	built   bool             // a header that stands on it came with it
	trusted bool             // a snapshot that is trusted names it
}

// admit checks who made the block n, which is not in the index yet. Where that
// cannot be judged before its parent is, n is undecided.
func (c *Chain) admit(n *node, offer headerOffer) (err error) {
	if offer.trusted {
		n.seal = &nodeSeal{}
		n.status |= statusUndecided
		return nil
	}
	proof := offer.proof
	if offer.body != nil {
		if proof, err = c.proofOf(offer.body); err != nil {
			return err
		}
	}
	if n.seal, err = c.checkSeal(&n.header, n.height, proof); err != nil {
		if b := offer.body; b != nil && errors.Is(err, seal.RuleProof) {
			return errors.Join(consensus.CheckBlock(b, c.p), err) // the body is another block's
		}
		return err
	}
	n.seal.source = offer.source
	if parent := c.presumedAfter(n.parent); parent != nil {
		member, err := c.decide(n, parent, n.seal.cert)
		if err != nil {
			return err
		}
		if offer.body == nil && crowded(n, member) {
			n.status |= statusUndecided
		} else {
			n.seal.decided(member, parent, n.height)
		}
	} else {
		n.status |= statusUndecided
	}
	if n.undecided() {
		if err := c.roomFor(n, offer.body != nil); err != nil {
			return err
		}
	}
	if first := c.variantOf(n, offer.body != nil); first != nil && !offer.built {
		c.mu.Lock()
		c.spares.add(n)
		c.mu.Unlock()
		if offer.body != nil {
			c.orphans.add(offer.body)
		}
		return fmt.Errorf("%w: %v", ErrVariant, first.hash)
	}
	if offer.body == nil {
		c.count(n)
	}
	c.seeDouble(n)
	return nil
}

// decideOn judges who sealed n, of which it may be open, by the permissions as
// of its parent. b is its body.
func (c *Chain) decideOn(n *node, b *consensus.Block, parent *permission.State) error {
	if !n.undecided() {
		return nil
	}
	if parent == nil {
		return fmt.Errorf("%w: permissions as of block %v are not known", ErrUndecided, n.parent.hash)
	}
	cert := n.seal.cert
	if n.seal.restart && cert == nil {
		var err error
		if _, cert, err = seal.Find(b.Txs[0].Msg); err != nil {
			return err
		}
	}
	member, err := c.decide(n, parent, cert)
	if err == nil {
		c.decided(n, member, parent)
	}
	return err
}

// decided notes that member may seal the block at height, by the permissions
// as of its parent.
func (s *nodeSeal) decided(member record.MemberID, parent *permission.State, height int32) {
	s.member, s.cert, s.heirs = member, nil, nil
	if s.restart {
		s.required = uint16(parent.Required(height))
	}
}

// decided notes that member may seal n, by the permissions as of its parent.
// change held.
func (c *Chain) decided(n *node, member record.MemberID, parent *permission.State) {
	c.mu.Lock()
	c.uncount(n)
	n.status &^= statusUndecided
	n.seal.decided(member, parent, n.height)
	c.touch(n)
	if !n.failed() {
		c.headerKnownLocked(n)
	}
	c.mu.Unlock()
	c.seeDouble(n)
}

// decideChildren judges who sealed the blocks on top of n, of which it was
// open, and on top of those after which the permissions are known then: state
// says who may do what after n. change held.
func (c *Chain) decideChildren(n *node, state *permission.State) {
	if n.child == nil || state == nil {
		return
	}
	c.decideEach(n, state)
	for todo := []*node{n}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		for child := at.child; child != nil; child = child.sibling {
			if c.presume(child) {
				c.decideEach(child, child.presumed)
				todo = append(todo, child)
			}
		}
	}
}

func (c *Chain) decideEach(n *node, state *permission.State) {
	var next *node
	for child := n.child; child != nil; child = next {
		next = child.sibling // child may be taken out
		if !child.undecided() || child.failed() || child.seal.unseen() || child.lacksCertificate() {
			continue
		}
		member, err := c.decideStored(child, state)
		if err == nil {
			if child.txCount > 0 || !crowded(child, member) {
				c.decided(child, member, state)
			}
		} else if rule := consensus.AsRule(err); rule != nil {
			c.refuse(child, rule)
		}
	}
}

// lacksCertificate reports whether n restarts the chain by a certificate that
// is neither known nor in a body that is here. change held.
func (n *node) lacksCertificate() bool {
	return n.seal.restart && n.seal.cert == nil && n.status&statusData == 0
}

// recoveredSeal is what the body of a block record says of its seal.
type recoveredSeal struct {
	seal     *seal.Seal
	cert     *seal.Certificate
	zeroRoot chainhash.Hash
	proof    *seal.Proof // until it is kept
}

// recoverSeal reads the seal from a stored block, whose height is not known.
func (c *Chain) recoverSeal(b *consensus.Block) (*recoveredSeal, error) {
	proof, err := c.proofOf(b)
	if err != nil {
		return nil, err
	}
	s, cert, _, err := proof.Read(c.p.GenesisHash, &b.Header, 0)
	if err != nil {
		return nil, err
	}
	return &recoveredSeal{s, cert, seal.ZeroRoot(proof.Coinbase, s, proof.Branch), proof}, nil
}

// nameSeal gives n, a block found on disk, its seal. checked: it was checked
// before it was stored.
func (c *Chain) nameSeal(n *node, r *recoveredSeal, checked bool) bool {
	if r == nil {
		return true
	}
	variant := seal.Message(c.p.GenesisHash, &n.header, r.zeroRoot, n.height)
	if !checked && !r.seal.Verify(variant) {
		c.log.Warn("block file holds a block that breaks a rule, passed over", "hash", n.hash, "err", seal.SignatureError(r.seal, n.height))
		return false
	}
	seen := &nodeSeal{key: r.seal.Key, variant: variant, restart: r.cert != nil, cert: r.cert}
	if n.seal != nil {
		c.fillSeal(n, seen)
		return true
	}
	n.seal = seen
	n.status |= statusUndecided
	return true
}

// loadPermissions reads the permissions as of the committed best block, whose
// hash is want, and names the members whose blocks up to it lost their rows.
func (c *Chain) loadPermissions(best *node, want [32]byte) error {
	if c.perm == nil {
		return nil
	}
	rows, err := c.store.Snapshot()
	if err != nil {
		return err
	}
	defer rows.Release()
	if c.perm, err = c.readHistory(rows, best, want); err != nil {
		return err
	}
	if !c.sealed() {
		return nil
	}
	c.nameTrusted(best.ancestor(c.perm.from), c.perm.sealers)
	for height := c.perm.from + 1; height <= best.height; height++ {
		n := best.ancestor(height)
		if !n.undecided() {
			continue
		}
		parent := c.perm.at(height - 1)
		member, err := c.decideStored(n, parent)
		if err != nil {
			return fmt.Errorf("block %v at height %d of the committed branch: %w; start once with --reindex-chainstate", n.hash, height, err)
		}
		n.status &^= statusUndecided
		n.seal.decided(member, parent, height)
		c.touch(n)
	}
	return nil
}

// decideStored is decide for a block whose body is here, if it restarts the
// chain.
func (c *Chain) decideStored(n *node, parent *permission.State) (record.MemberID, error) {
	cert := n.seal.cert
	if n.seal.restart && cert == nil {
		b, err := c.readBody(n)
		if err != nil {
			return record.MemberID{}, err
		}
		if _, cert, err = seal.Find(b.Txs[0].Msg); err != nil {
			return record.MemberID{}, err
		}
	}
	return c.decide(n, parent, cert)
}

// proposeSeal checks the seal that b, a proposal for the block n, has; it need
// not have one.
func (c *Chain) proposeSeal(b *consensus.Block, n *node) error {
	if !c.sealed() {
		return nil
	}
	proof := seal.ProofOf(b)
	s, cert, _, err := proof.Read(c.p.GenesisHash, &b.Header, n.height)
	switch {
	case errors.Is(err, seal.RuleMissing):
		return nil
	case err != nil:
		return err
	}
	n.seal = &nodeSeal{key: s.Key, restart: cert != nil}
	if s.Key == [32]byte{} {
		return nil // a place for a seal
	}
	_, err = c.decide(n, c.stateAfter(n.parent), cert)
	return err
}
