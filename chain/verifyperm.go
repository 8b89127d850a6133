package chain

import (
	"bytes"
	"fmt"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/store"
)

// verifiedPerm is what VerifyChain knows of permissions: those stored in the
// snapshot that it works on.
type verifiedPerm struct {
	history *history // goes down and up with the coins; nil on chains without
	damage  error    // why it cannot be read
	undone  map[int32]*permission.Delta
}

// readPerm reads the permissions from the snapshot.
func (v *verifier) readPerm(snap *store.ReadSnapshot, tip *node, want [32]byte) {
	if v.c.perm == nil {
		return
	}
	v.perm.undone = make(map[int32]*permission.Delta)
	v.perm.history, v.perm.damage = v.c.readHistory(snap, tip, want)
}

// state returns the permissions as of the block that was reached.
func (p *verifiedPerm) state() *permission.State {
	if p.history == nil {
		return nil
	}
	return p.history.tip
}

// down takes back what n changed. What it leads to must be what leads to it.
func (p *verifiedPerm) down(n *node) error {
	if p.damage != nil || p.history == nil {
		return p.damage
	}
	after := p.history.tip
	delta := p.history.pop(n)
	if delta == nil {
		return nil
	}
	p.undone[n.height] = delta
	if before := p.history.tip.Hash(); after.Undo(delta).Hash() != before {
		return permDamage("taking back what the block changed of the permissions does not lead to those before it (%x)", before)
	}
	return nil
}

// up compares what n changes with what was stored of it.
func (p *verifiedPerm) up(n *node, after permissionsAfter) error {
	if p.history == nil {
		return nil
	}
	var made, stored []byte
	if after.delta != nil {
		made = after.delta.Encode()
	}
	if d := p.undone[n.height]; d != nil {
		stored = d.Encode()
	}
	if !bytes.Equal(made, stored) {
		return permDamage("the stored row of the permissions says something else than the block changes")
	}
	p.history.push(n, after.state, after.delta)
	return nil
}

// checkSealer decides again who sealed n, and compares.
func (c *Chain) checkSealer(b *consensus.Block, n *node, parent *permission.State) error {
	if n.seal == nil {
		return nil
	}
	_, cert, err := seal.Find(b.Txs[0].Msg)
	if err != nil {
		return err
	}
	member, err := c.decide(n, parent, cert)
	if err == nil && member != n.seal.member {
		err = &store.DamageError{File: "index", Offset: -1, What: fmt.Sprintf("row of block %v says that member %v sealed it, it was %v",
			n.hash, n.seal.member, member)}
	}
	return err
}
