package chain

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo/snapshot"
)

// On chains with permissions a UTXO snapshot brings who may do what after its
// block, and who sealed the last blocks: all that the rules look back to. Until
// the history is checked these are in a row of the chain state, on which the
// stored changes of the blocks above build:
//
//	field    bytes   encoding
//	block    32      hash of the block of the snapshot
//	count    4       of sealers, little-endian
//	sealers  20 each member ids, those of the last blocks, the oldest first
//	state    rest    permission.State.Encode
//
// Its key is permRootKey. Of blocks below, headers are known by their hashes
// alone: no seal was seen before the body is here, and their members are named
// by the check in the background, which builds up the history from genesis on.
// What the blocks above are found to be by the snapshot's word is not kept in
// their index rows, see Chain.rowOf.
var permRootKey = []byte{0x41}

// permRoot is where the permissions begin on a node that started from a
// snapshot.
type permRoot struct {
	block   chainhash.Hash
	sealers [][20]byte
	state   []byte
}

func (r *permRoot) encode() []byte {
	b := make([]byte, 0, 36+20*len(r.sealers)+len(r.state))
	b = append(b, r.block[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.sealers)))
	for i := range r.sealers {
		b = append(b, r.sealers[i][:]...)
	}
	return append(b, r.state...)
}

func decodePermRoot(b []byte) (*permRoot, error) {
	if len(b) < 36 {
		return nil, permDamage("the row of those of the UTXO snapshot has %d bytes", len(b))
	}
	r := &permRoot{block: chainhash.Hash(b[:32])}
	count := uint64(binary.LittleEndian.Uint32(b[32:]))
	b = b[36:]
	if count*20 > uint64(len(b)) {
		return nil, permDamage("the row of those of the UTXO snapshot names %d sealers in %d bytes", count, len(b))
	}
	for range count {
		r.sealers = append(r.sealers, [20]byte(b))
		b = b[20:]
	}
	r.state = bytes.Clone(b)
	return r, nil
}

// readRoot makes h begin with the permissions of a snapshot, if rows have them;
// best is the block that rows are as of.
func (c *Chain) readRoot(rows rowReader, best *node, h *history) error {
	var root *permRoot
	err := rows.Each(permRootKey, func(_, v []byte) (err error) {
		root, err = decodePermRoot(v)
		return err
	})
	if err != nil || root == nil {
		return err
	}
	n := c.lookUp(root.block)
	if n == nil || best.ancestor(n.height) != n {
		return permDamage("block %v of the UTXO snapshot is not on the committed branch", root.block)
	}
	state, err := permission.Decode(c.p, root.state)
	if err != nil {
		return permDamage("those of the UTXO snapshot at height %d: %v", n.height, err)
	}
	h.begin(n.height, state, root.sealers)
	return nil
}

func (c *Chain) lookUp(hash chainhash.Hash) *node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.index[hash]
}

// rootAt is what a snapshot at n says of permissions, which are state after n.
// The sealers of the blocks that count there have to be known.
func (c *Chain) rootAt(n *node, state *permission.State) *permRoot {
	if state == nil {
		return nil
	}
	root := &permRoot{block: n.hash, state: state.Encode()}
	if c.sealed() {
		root.sealers = make([][20]byte, sealersAt(n.height, state))
		at := n
		for i := len(root.sealers) - 1; i >= 0; i, at = i-1, at.parent {
			root.sealers[i] = at.seal.member
		}
	}
	return root
}

// sealersAt is how many of the last blocks up to height count for the sealer of
// the next one: those of w-1 members, without the set-up and what is below the
// last restart.
func sealersAt(height int32, state *permission.State) int {
	return int(max(0, height+1-state.LookBack(height+1)))
}

// sections are the parts of a snapshot that say it; none for nil.
func (r *permRoot) sections() []snapshot.Section {
	if r == nil {
		return nil
	}
	return []snapshot.Section{{Type: snapshot.TypePermissions, Data: r.state}, snapshot.EncodeSealers(r.sealers)}
}

// digest is that of a snapshot at n; r is nil on chains without permissions.
func (r *permRoot) digest(n chainhash.Hash, height int32, muhash [32]byte) [32]byte {
	if r == nil {
		return snapshot.Digest(n, height, muhash, nil, nil)
	}
	return snapshot.Digest(n, height, muhash, r.state, r.sealers)
}

// unseen reports whether nothing is known of n's seal: a snapshot named n, and
// no body or proof was here. No key is all zeros.
func (s *nodeSeal) unseen() bool { return s.key == [32]byte{} }

// unnamed reports whether it is not known who sealed n: it is undecided, or the
// check below a snapshot has not come there.
func (n *node) unnamed() bool { return n.seal != nil && n.seal.member == record.MemberID{} }

// trustHeaders adds headers to the index that a trusted snapshot names. Their
// rows are written too: the chain state is to build on them.
func (c *Chain) trustHeaders(ctx context.Context, headers []wire.BlockHeader) error {
	c.change.Lock()
	defer c.change.Unlock()
	for i := range headers {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := c.acceptHeader(&headers[i], headerOffer{trusted: true})
		if err != nil {
			return fmt.Errorf("header %v: %w", headers[i].BlockHash(), err)
		}
		c.mu.Lock()
		c.keepRow(n)
		c.mu.Unlock()
	}
	return nil
}

// seeSeal takes in the proof of the seal of n, a header of which only a
// snapshot told so far. change held.
func (c *Chain) seeSeal(n *node, offer headerOffer) (err error) {
	if n.seal == nil || !n.seal.unseen() {
		return nil
	}
	proof := offer.proof
	if offer.body != nil {
		if proof, err = c.proofOf(offer.body); err != nil {
			return err
		}
	}
	if proof == nil {
		return nil
	}
	seen, err := c.checkSeal(&n.header, n.height, proof)
	if err != nil && offer.body != nil && c.belowSnapshot(n) {
		return nil // if the body is n's, the check of the history finds the fault
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.fillSeal(n, seen)
	n.seal.source = offer.source
	if offer.body == nil {
		c.count(n)
	}
	c.touch(n)
	c.mu.Unlock()
	state := c.stateAfter(n.parent)
	if state == nil || !n.undecided() {
		return nil
	}
	member, err := c.decide(n, state, n.seal.cert)
	if rule := consensus.AsRule(err); rule != nil {
		c.refuse(n, rule)
	}
	if err == nil {
		c.decided(n, member, state)
	}
	return err
}

// fillSeal adds what was seen of a seal. mu held.
func (c *Chain) fillSeal(n *node, seen *nodeSeal) {
	n.seal.key, n.seal.variant, n.seal.restart, n.seal.cert = seen.key, seen.variant, seen.restart, nil
	if n.undecided() {
		n.seal.cert = seen.cert
	}
}

// nameTrusted makes the blocks up to base, which a snapshot says to be right,
// ones that are not undecided any more, and names who sealed the last ones.
// mu held, or the chain not shared yet.
func (c *Chain) nameTrusted(base *node, sealers [][20]byte) {
	if !c.sealed() {
		return
	}
	at := base
	for i := len(sealers) - 1; i >= 0; i, at = i-1, at.parent {
		if at.unnamed() {
			at.seal.member = sealers[i]
		}
	}
	for n := base; n.parent != nil; n = n.parent {
		if n.undecided() {
			c.uncount(n)
			n.status &^= statusUndecided
			n.seal.cert = nil
		}
	}
}

// decideOpen judges undecided blocks that stand on the best branch.
func (c *Chain) decideOpen() {
	parents := make(map[*node]bool)
	c.mu.RLock()
	for _, n := range c.index {
		if n.undecided() && !n.failed() && c.onBest(n.parent) {
			parents[n.parent] = true
		}
	}
	c.mu.RUnlock()
	for n := range parents {
		c.decideChildren(n, c.stateAfter(n))
	}
}

// decideBelow judges who sealed b, the block n below a snapshot, by the
// permissions that the check has come to.
func (c *Chain) decideBelow(s *snapState, b *consensus.Block, n *node) (record.MemberID, error) {
	if n.seal == nil {
		return record.MemberID{}, nil
	}
	_, cert, err := seal.Find(b.Txs[0].Msg)
	if err != nil {
		return record.MemberID{}, err
	}
	return c.decide(n, s.perm.tip, cert)
}

// wrongSealer says that the snapshot, or the blocks before, name another member
// than the one that sealed n.
func wrongSealer(n *node, member record.MemberID) string {
	return fmt.Sprintf("block %v at height %d was sealed by member %v, not by %v", n.hash, n.height, member, n.seal.member)
}

// countRestarts counts the restarts on each branch anew: of some below a
// snapshot it was not known. mu held.
func (c *Chain) countRestarts() {
	for _, n := range c.index[c.p.GenesisHash].tree()[1:] {
		if n.seal == nil {
			return
		}
		n.restarts = n.parent.restarts
		if n.seal.restart {
			n.restarts++
		}
	}
}

// openPerm reads the history that the check has built up to at, whose hash is
// want.
func (c *Chain) openPerm(s *snapState, at *node, want [32]byte) error {
	if c.perm == nil {
		return nil
	}
	for n := at; n.parent != nil; n = n.parent {
		if n.status&statusValid == 0 || n.unnamed() {
			return &store.DamageError{File: "index", Offset: -1, What: fmt.Sprintf("block %v at height %d is not known to be checked", n.hash, n.height)}
		}
	}
	return s.db.View(func(v *store.IndexView) (err error) {
		s.perm, err = c.readHistory(coinRows{v}, at, want)
		return err
	})
}
