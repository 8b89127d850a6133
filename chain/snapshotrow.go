package chain

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/store"
)

// Row of the chain state that is there from the load of a UTXO snapshot until
// the history below it is checked, version 1. Its key is snapshotKey.
//
//	field     bytes  encoding
//	version   1      1
//	wrong     1      1: the check has ended and the snapshot is wrong
//	base      32     hash of the block that the snapshot is as of
//	height    4      of it, little-endian
//	txs       8      transactions up to and with it, as the snapshot says, little-endian
//	digest    32     that was trusted
//	reason    rest   where wrong: why, for people; at most 1,000 bytes
const (
	snapshotVersion   = 1
	snapshotFixed     = 1 + 1 + 32 + 4 + 8 + 32
	snapshotReasonMax = 1000
)

var snapshotKey = []byte("S")

// snapshotRow is the decoded row.
type snapshotRow struct {
	wrong  bool
	base   chainhash.Hash
	height int32
	txs    int64
	digest [32]byte
	reason string
}

func (r *snapshotRow) encode() []byte {
	b := []byte{snapshotVersion, 0}
	if r.wrong {
		b[1] = 1
	}
	b = append(b, r.base[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.height))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.txs))
	b = append(b, r.digest[:]...)
	return append(b, r.reason[:min(len(r.reason), snapshotReasonMax)]...)
}

func decodeSnapshotRow(b []byte) (*snapshotRow, error) {
	bad := func(format string, args ...any) error {
		return &store.DamageError{File: "chainstate", Offset: -1, What: "row of the UTXO snapshot: " + fmt.Sprintf(format, args...)}
	}
	if len(b) < snapshotFixed || len(b) > snapshotFixed+snapshotReasonMax {
		return nil, bad("%d bytes, want %d to %d", len(b), snapshotFixed, snapshotFixed+snapshotReasonMax)
	}
	if b[0] != snapshotVersion || b[1] > 1 {
		return nil, bad("version %d and state %d are not known", b[0], b[1])
	}
	r := &snapshotRow{wrong: b[1] == 1, base: chainhash.Hash(b[2:34]), reason: string(b[snapshotFixed:])}
	r.height = int32(binary.LittleEndian.Uint32(b[34:]))
	r.txs = int64(binary.LittleEndian.Uint64(b[38:]))
	copy(r.digest[:], b[46:])
	if r.height < 1 || r.txs <= int64(r.height) {
		return nil, bad("height %d with %d transactions", r.height, r.txs)
	}
	return r, nil
}

// SnapshotError says that the UTXO snapshot, from which this node started, was
// found wrong: the chain state cannot be used.
type SnapshotError struct {
	Base   chainhash.Hash
	Height int32
	Reason string
}

func (e *SnapshotError) Error() string {
	return fmt.Sprintf("the UTXO snapshot at block %v, height %d, from which this node started is WRONG: %s. "+
		"What this node has said of coins and payments since then cannot be relied on. "+
		"Start once with --reindex-chainstate (a node with --prune: with --reindex): the snapshot is forgotten and every block is checked from genesis on "+
		"(blocks that are not here are fetched from peers); or remove the data folder", e.Base, e.Height, e.Reason)
}

// ErrBelowSnapshot is returned where the best branch would have to go back
// below the UTXO snapshot that the node started from, while the blocks below
// it are not checked yet. It says nothing about the other branch.
var ErrBelowSnapshot = errors.New("the best branch cannot go back below the UTXO snapshot that the node started from, " +
	"until the blocks below it are fetched and checked; it may be asked again then")

// loadSnapshotRow reads what the chain state says of a snapshot, before block
// records are recovered. It runs before the chain is shared.
func (c *Chain) loadSnapshotRow() (*snapshotRow, error) {
	raw, ok, err := c.store.Get(snapshotKey)
	if err != nil || !ok {
		return nil, err
	}
	row, err := decodeSnapshotRow(raw)
	if err != nil {
		return nil, err
	}
	if row.wrong {
		return nil, &SnapshotError{row.base, row.height, row.reason}
	}
	return row, nil
}

// loadSnapshot makes the block of the snapshot row the base of what is not
// checked, and opens the state of the check; without one it removes what is
// left of such a state. It runs before the chain is shared, once the best
// branch is known.
func (c *Chain) loadSnapshot() error {
	row := c.snapRow
	if row == nil && c.perm != nil && c.perm.from > 0 {
		return permDamage("there is a row of those of a UTXO snapshot at height %d, and none of the snapshot", c.perm.from)
	}
	if row == nil {
		return c.store.RemoveIndex(backgroundName)
	}
	base := c.index[row.base]
	if base == nil || base.height != row.height || !c.onBest(base) || c.perm != nil && c.perm.from != base.height {
		return &store.DamageError{File: "index", Offset: -1,
			What: fmt.Sprintf("block %v at height %d, of the UTXO snapshot that this node started from, is not on the branch of the committed best block", row.base, row.height)}
	}
	snap, err := c.openBackground(base, row)
	if err != nil {
		return err
	}
	c.snap = snap
	c.divideCache()
	for _, n := range c.best[base.height+1:] {
		n.status |= statusValid // was connected: rowOf leaves that out
	}
	c.log.Info("history below the UTXO snapshot is not checked yet", "base", base.hash, "height", base.height, "checked", snap.at.height)
	return nil
}

// rowOf is the index row of n as it may be kept. What is found out by coins
// and permissions above a snapshot that is not checked yet is no lasting truth:
// where the snapshot turns out wrong, valid and invalid blocks are to be judged
// again, and so is who sealed them. mu held.
func (c *Chain) rowOf(n *node) []byte {
	if c.snap == nil || n.parent == nil {
		return encodeRow(n)
	}
	below := n.height <= c.snap.base.height
	if below && (n.seal == nil || n.status&statusValid != 0 || !c.onBest(n)) {
		return encodeRow(n)
	}
	kept := *n
	if n.seal != nil {
		open := *n.seal
		open.member, open.required = record.MemberID{}, 0
		kept.seal = &open
		kept.status |= statusUndecided
	}
	if below {
		return encodeRow(&kept)
	}
	kept.status &^= statusValid
	culprit := n
	for culprit != nil && culprit.status&statusFailed == 0 {
		culprit = culprit.parent
	}
	if n.failed() && (culprit == nil || culprit.broken.Rule != RuleByOperator) {
		kept.status &^= statusFailed | statusFailedParent
		kept.broken = nil
	}
	return encodeRow(&kept)
}

// belowSnapshot reports whether n is the block of a snapshot, or below it,
// while that is not checked. mu or change held.
func (c *Chain) belowSnapshot(n *node) bool {
	return c.snap != nil && n.height <= c.snap.base.height
}
