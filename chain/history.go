package chain

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// Permissions are stored as what each block of the best branch changed, in
// rows of the chain state that are committed together with the coins:
//
//	key    bytes  encoding
//	0x40   1
//	height 4      of the block, big-endian
//	hash   32     of the block
//
// The value is permission.Delta.Encode. Blocks that changed nothing have no
// row. The meta data of a commit ends with the 32 bytes of the state's hash,
// which the changes from genesis on have to lead to.
const (
	permPrefix  = 0x40
	permKeySize = 1 + 4 + chainhash.HashSize
)

// How many states are kept beside the changes: every stateStep-th, and the
// newest stateStep ones. The others are computed.
const stateStep = 64

// history is who may do what after each block of the best branch. It is
// written under both locks.
type history struct {
	from            int32             // height at which it begins: 0, or that of a UTXO snapshot
	root            *permission.State // as of from
	sealers         [][20]byte        // of the last blocks up to from, the oldest first, where that is not 0
	tip             *permission.State
	changes         []stateChange // by height
	restrictsMining bool

	// unsaved are rows to put, or with a nil value to delete, with the next
	// commit. Guarded by Chain.change.
	unsaved map[string][]byte
}

// stateChange is what one block changed.
type stateChange struct {
	height int32
	hash   chainhash.Hash
	delta  *permission.Delta
	state  *permission.State // after the block; nil: not kept
}

// newHistory returns the history of a chain at genesis, nil for a chain
// without permissions.
func newHistory(p *params.Params) *history {
	if !p.Permissions.Enabled {
		return nil
	}
	genesis := permission.Genesis(p)
	return &history{
		root:            genesis,
		tip:             genesis,
		restrictsMining: p.Permissions.Restricts(params.PermMine),
		unsaved:         make(map[string][]byte),
	}
}

// begin makes the block at height, after which these hold, the first of a
// history that goes no further back.
func (h *history) begin(height int32, root *permission.State, sealers [][20]byte) {
	h.from, h.root, h.tip, h.sealers, h.changes = height, root, root, sealers, nil
}

// prepend puts what came before, up to where h begins, in front of h.
func (h *history) prepend(earlier *history) {
	h.changes = append(earlier.changes, h.changes...)
	h.from, h.root, h.sealers = earlier.from, earlier.root, earlier.sealers
}

func permKey(height int32, hash chainhash.Hash) []byte {
	key := make([]byte, 0, permKeySize)
	key = append(key, permPrefix)
	key = binary.BigEndian.AppendUint32(key, uint32(height))
	return append(key, hash[:]...)
}

// push adds what the block n, the new tip, changed.
func (h *history) push(n *node, state *permission.State, delta *permission.Delta) {
	h.tip = state
	if delta == nil {
		return
	}
	h.changes = append(h.changes, stateChange{n.height, n.hash, delta, state})
	if old := len(h.changes) - 1 - stateStep; old >= 0 && old%stateStep != 0 {
		h.changes[old].state = nil
	}
}

// pop takes back what the block n, the tip so far, changed.
func (h *history) pop(n *node) (delta *permission.Delta) {
	last := len(h.changes) - 1
	if last < 0 || h.changes[last].height != n.height {
		return nil
	}
	delta = h.changes[last].delta
	h.changes = h.changes[:last:last]
	h.tip = h.after(last - 1)
	return delta
}

// at returns the state after the block of the best branch at height; nil
// where the history does not go back so far.
func (h *history) at(height int32) *permission.State {
	if height < h.from {
		return nil
	}
	i := len(h.changes)
	if i == 0 || h.changes[i-1].height <= height {
		return h.tip
	}
	return h.after(h.lastUpTo(height))
}

// lastUpTo returns the index of the last change up to height, -1 for none.
func (h *history) lastUpTo(height int32) int {
	low, high := 0, len(h.changes)
	for low < high {
		if mid := (low + high) / 2; h.changes[mid].height <= height {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low - 1
}

// after returns the state after the i-th change; -1: the one at h.from.
func (h *history) after(i int) *permission.State {
	from := i
	for from >= 0 && h.changes[from].state == nil {
		from--
	}
	state := h.root
	if from >= 0 {
		state = h.changes[from].state
	}
	for k := from + 1; k <= i; k++ {
		state = state.Redo(h.changes[k].delta)
	}
	return state
}

// save notes the row of a change for the next commit; nil: there is none any
// more. change held.
func (h *history) save(n *node, delta *permission.Delta) {
	var value []byte
	if delta != nil {
		value = delta.Encode()
	}
	h.unsaved[string(permKey(n.height, n.hash))] = value
}

// each feeds the rows of all changes to a commit.
func (h *history) each(put func(k, v []byte)) {
	for i := range h.changes {
		put(permKey(h.changes[i].height, h.changes[i].hash), h.changes[i].delta.Encode())
	}
}

// takeUnsaved hands the rows over to a commit. change held.
func (h *history) takeUnsaved() map[string][]byte {
	rows := h.unsaved
	h.unsaved = make(map[string][]byte)
	return rows
}

// eachUnsaved feeds the rows to a commit.
func eachUnsaved(rows map[string][]byte, put func(k, v []byte), del func(k []byte)) {
	for key, value := range rows {
		if value == nil {
			del([]byte(key))
		} else {
			put([]byte(key), value)
		}
	}
}

// commitMeta is what a commit says of the coins and of the permissions.
func commitMeta(stats utxo.Stats, perm *permission.State) []byte {
	meta := stats.Encode()
	if perm == nil {
		return meta
	}
	hash := perm.Hash()
	return append(meta, hash[:]...)
}

// decodeMeta is the inverse of commitMeta. hash is zero without permissions.
func (c *Chain) decodeMeta(meta []byte) (stats utxo.Stats, hash [32]byte, err error) {
	if c.perm != nil {
		if len(meta) < len(hash) {
			return stats, hash, &store.DamageError{File: "chainstate", Offset: -1, What: "a commit does not say to which permissions it belongs"}
		}
		cut := len(meta) - len(hash)
		copy(hash[:], meta[cut:])
		meta = meta[:cut]
	}
	stats, err = utxo.DecodeStats(meta)
	return stats, hash, err
}

// rowReader shows the rows of a chain state; a store.ReadSnapshot is one.
type rowReader interface {
	Each(prefix []byte, fn func(k, v []byte) error) error
}

// readHistory reads the permissions as of best, which the changes in rows have
// to lead to, from genesis or from a UTXO snapshot on: their hash is want.
func (c *Chain) readHistory(rows rowReader, best *node, want [32]byte) (*history, error) {
	h := newHistory(c.p)
	if err := c.readRoot(rows, best, h); err != nil {
		return nil, err
	}
	state, last := h.root, h.from
	err := rows.Each([]byte{permPrefix}, func(k, v []byte) error {
		if len(k) != permKeySize {
			return permDamage("row %x of the permissions has a key of %d bytes", k, len(k))
		}
		height := int32(binary.BigEndian.Uint32(k[1:]))
		n := best.ancestor(height)
		if n == nil || height <= last || !bytes.Equal(n.hash[:], k[5:]) {
			return permDamage("row of the permissions for block %v at height %d is not of the committed branch", chainhash.Hash(k[5:]), height)
		}
		last = height
		delta, err := permission.DecodeDelta(v)
		if err != nil {
			return permDamage("row of the permissions for block %v at height %d: %v", n.hash, height, err)
		}
		state = state.Redo(delta)
		h.push(n, state, delta)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if got := h.tip.Hash(); got != want {
		return nil, permDamage("the stored changes of permissions lead to state %x at height %d, the commit says %x", got, best.height, want)
	}
	return h, nil
}

func permDamage(format string, args ...any) error {
	return &store.DamageError{File: "chainstate", Offset: -1, What: fmt.Sprintf(format, args...) + "; start once with --reindex-chainstate"}
}
