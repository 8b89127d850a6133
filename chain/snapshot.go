package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
	"github.com/charterchain/charter/chain/utxo/snapshot"
)

// ErrSnapshotRefused is wrapped by refusals to dump or load a UTXO snapshot,
// after which nothing has changed.
var ErrSnapshotRefused = errors.New("UTXO snapshot refused")

func refuseSnapshot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSnapshotRefused, fmt.Sprintf(format, args...))
}

// SnapshotDump describes a UTXO snapshot that was written.
type SnapshotDump struct {
	Block      BlockInfo // that it is as of
	Coins      int64
	ChainTxs   int64          // transactions up to and with the block
	Serialized chainhash.Hash // hash_serialized_3
	MuHash     chainhash.Hash
	Digest     [32]byte // by which it may be trusted
	Bytes      int64
}

func (c *Chain) snapshotIdentity() snapshot.Identity {
	return snapshot.Identity{Genesis: c.p.GenesisHash, Rules: c.p.RulesHash}
}

// SnapshotSize is about how many bytes DumpSnapshot will write.
func (c *Chain) SnapshotSize() (int64, error) {
	coins, err := c.store.StateSize([]byte{utxo.Prefix})
	return coins + 80*int64(c.Best().Height), err
}

// DumpSnapshot flushes, then writes the set of unspent outputs as of the best
// block to w, and where the chain has permissions, who may do what after it
// and who sealed the last blocks. Validation goes on meanwhile.
func (c *Chain) DumpSnapshot(ctx context.Context, w io.Writer) (SnapshotDump, error) {
	if why := c.Unvalidated(); why != "" {
		return SnapshotDump{}, refuseSnapshot("%s; wait for that, or ask a node that has", why)
	}
	if err := c.Flush(ctx); err != nil {
		return SnapshotDump{}, err
	}
	snap, err := c.store.Snapshot()
	if err != nil {
		return SnapshotDump{}, err
	}
	defer snap.Release()
	row, _ := snap.Best()
	c.mu.RLock()
	n := c.index[row.Best]
	c.mu.RUnlock()
	switch {
	case n == nil:
		return SnapshotDump{}, fmt.Errorf("committed best block %v: %w", chainhash.Hash(row.Best), ErrUnknownBlock)
	case n.parent == nil:
		return SnapshotDump{}, refuseSnapshot("there is no block but the genesis block, which every node has")
	}
	root, err := c.committedRoot(n, snap, row.Meta)
	if err != nil {
		return SnapshotDump{}, err
	}
	return c.dump(ctx, w, n, snap, root)
}

// committedRoot is what a snapshot of the committed state, which is at n, says
// of permissions; nil on chains without.
func (c *Chain) committedRoot(n *node, snap *store.ReadSnapshot, meta []byte) (*permRoot, error) {
	if c.perm == nil {
		return nil, nil
	}
	_, hash, err := c.decodeMeta(meta)
	if err != nil {
		return nil, err
	}
	h, err := c.readHistory(snap, n, hash)
	if err != nil {
		return nil, err
	}
	return c.rootAt(n, h.tip), nil
}

// dump writes the snapshot of the state at n.
func (c *Chain) dump(ctx context.Context, w io.Writer, n *node, snap *store.ReadSnapshot, root *permRoot) (SnapshotDump, error) {
	out := snapshot.NewWriter(w, c.snapshotIdentity())
	info := c.info(n)
	if err := out.Base(snapshot.Base{Hash: n.hash, Height: n.height, ChainTxs: info.ChainTxs}); err != nil {
		return SnapshotDump{}, err
	}
	for h := int32(1); h <= n.height; h++ {
		if err := out.Header(&n.ancestor(h).header); err != nil {
			return SnapshotDump{}, err
		}
	}
	sum, err := utxo.Summarise(utxo.WithMuHash|utxo.WithSerialized, runtime.GOMAXPROCS(0), func(fn func(wire.OutPoint, consensus.Coin) error) error {
		return utxo.EachCoin(snap, func(op wire.OutPoint, coin consensus.Coin) error {
			if err := errors.Join(ctx.Err(), out.Coin(&op, &coin)); err != nil {
				return err
			}
			return fn(op, coin)
		})
	})
	if err != nil {
		return SnapshotDump{}, err
	}
	dump := SnapshotDump{
		Block: info, Coins: sum.Coins, ChainTxs: info.ChainTxs, Serialized: sum.Serialized, MuHash: sum.MuHash,
		Digest: root.digest(n.hash, n.height, sum.MuHash),
	}
	for _, section := range root.sections() {
		if err := out.Section(section); err != nil {
			return SnapshotDump{}, err
		}
	}
	dump.Bytes, err = out.Finish(dump.Digest)
	return dump, err
}
