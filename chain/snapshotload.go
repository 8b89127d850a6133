package chain

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
	"github.com/charterchain/charter/chain/utxo/snapshot"
)

// LoadedSnapshot describes a UTXO snapshot that was loaded.
type LoadedSnapshot struct {
	Base   BlockInfo
	Coins  int64
	Digest [32]byte
	Best   BlockInfo // best block after the load: blocks above the base may have been here
}

// LoadSnapshot makes a UTXO snapshot the chain state: the best block is then
// the one of the snapshot, or a better one above it. The blocks below it are
// checked in the background by Run, as they come; see Background. want is the
// digest that the caller trusts; nil: one of the chain file's.
//
// It reads src three times: everything in it is checked, then its headers go
// into the index, then its coins replace those of the chain state, in one
// commit. Until that is done nothing but headers has changed; a kill at any
// moment leaves either the old state or the new one. No block can be accepted
// during the third reading.
//
// Errors: *snapshot.FormatError; ErrSnapshotRefused with a sentence; a
// *consensus.RuleError for headers; others for the storage, or ctx.
func (c *Chain) LoadSnapshot(ctx context.Context, src io.ReadSeeker, want *[32]byte) (LoadedSnapshot, error) {
	l := &snapshotLoader{c: c, src: src, want: want}
	if err := l.check(ctx); err != nil {
		return LoadedSnapshot{}, err
	}
	if err := l.headers(ctx); err != nil {
		return LoadedSnapshot{}, err
	}
	return l.replace(ctx)
}

// snapshotLoader is one run of LoadSnapshot.
type snapshotLoader struct {
	c    *Chain
	src  io.ReadSeeker
	want *[32]byte

	base   snapshot.Base
	digest [32]byte
	stats  utxo.Stats
	root   *permRoot         // nil on chains without permissions
	perm   *permission.State // decoded
	sum    [32]byte          // SHA-256 of the file
}

// read reads the file from the start.
func (l *snapshotLoader) read(ctx context.Context, h snapshot.Handler) (sum [32]byte, err error) {
	if _, err := l.src.Seek(0, io.SeekStart); err != nil {
		return sum, fmt.Errorf("read the snapshot: %w", err)
	}
	hash := sha256.New()
	r := bufio.NewReaderSize(io.TeeReader(ctxReader{ctx, l.src}, hash), 1<<20)
	if _, err := snapshot.Read(r, l.c.snapshotIdentity(), h); err != nil {
		return sum, err
	}
	return [32]byte(hash.Sum(nil)), nil
}

// ctxReader ends with the context.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// check reads everything and compares the digest.
func (l *snapshotLoader) check(ctx context.Context) error {
	var trusted [][32]byte
	summary, err := utxo.Summarise(utxo.WithMuHash, runtime.GOMAXPROCS(0), func(fn func(wire.OutPoint, consensus.Coin) error) (err error) {
		l.sum, err = l.read(ctx, snapshot.Handler{
			Base: func(b snapshot.Base) (err error) {
				l.base = b
				if trusted, err = l.trusted(); err != nil {
					return err
				}
				l.c.mu.RLock()
				defer l.c.mu.RUnlock()
				return l.c.mayLoadLocked(&b)
			},
			Header: func(height int32, h *wire.BlockHeader) error {
				if err := consensus.CheckHeader(h, l.c.p); err != nil {
					return fmt.Errorf("header at height %d: %w", height, err)
				}
				return nil
			},
			Coin:    func(op wire.OutPoint, coin consensus.Coin) error { return fn(op, coin) },
			Section: l.section,
		})
		return err
	})
	if err != nil {
		return err
	}
	l.stats = utxo.Stats{Coins: summary.Coins, Total: summary.Total}
	if l.c.perm != nil && (l.root == nil || l.root.state == nil || l.root.sealers == nil) {
		return refuseSnapshot("it lacks the permission state or the sealers of the last blocks, and this chain has permissions")
	}
	l.digest = l.root.digest(l.base.Hash, l.base.Height, summary.MuHash)
	if slices.Contains(trusted, l.digest) {
		return l.decodePerm()
	}
	return refuseSnapshot("its digest is %x, which is not the one that is trusted for height %d: %x", l.digest, l.base.Height, trusted[0])
}

// section takes in what the file says of permissions.
func (l *snapshotLoader) section(s snapshot.Section) (err error) {
	if l.c.perm == nil {
		return refuseSnapshot("it has a permission state, and this chain has no permissions")
	}
	if l.root == nil {
		l.root = &permRoot{block: l.base.Hash}
	}
	if s.Type == snapshot.TypePermissions {
		l.root.state = bytes.Clone(s.Data)
		return nil
	}
	l.root.sealers, err = snapshot.DecodeSealers(s)
	return err
}

// decodePerm reads the permission state, which is trusted now.
func (l *snapshotLoader) decodePerm() (err error) {
	if l.root == nil {
		return nil
	}
	if l.perm, err = permission.Decode(l.c.p, l.root.state); err != nil {
		return refuseSnapshot("its permission state does not decode: %v", err)
	}
	want := 0
	if l.c.sealed() {
		want = sealersAt(l.base.Height, l.perm)
	}
	if got := len(l.root.sealers); got != want {
		return refuseSnapshot("it names the sealers of %d blocks, by its permission state %d count", got, want)
	}
	return nil
}

// trusted returns the digests that a snapshot of this height may have.
func (l *snapshotLoader) trusted() ([][32]byte, error) {
	var digests [][32]byte
	var heights []int32
	for _, s := range l.c.p.Snapshots {
		heights = append(heights, s.Height)
		if s.Height == l.base.Height {
			digests = append(digests, s.Digest)
		}
	}
	switch {
	case l.want != nil && len(digests) > 0 && !slices.Contains(digests, *l.want):
		return nil, refuseSnapshot("the chain file trusts digest %x for height %d, and you give %x", digests[0], l.base.Height, *l.want)
	case l.want != nil:
		return [][32]byte{*l.want}, nil
	case len(digests) == 0:
		return nil, refuseSnapshot("it is of height %d, for which the chain file has no [[snapshot]] (it has %d, of heights %v); "+
			"give the digest that dumptxoutset printed, from somebody you trust", l.base.Height, len(heights), heights)
	}
	return digests, nil
}

// headers adds the file's headers to the block index.
func (l *snapshotLoader) headers(ctx context.Context) error {
	const atOnce = 2000
	var batch []wire.BlockHeader
	accept := func() error {
		err := l.c.trustHeaders(ctx, batch)
		batch = batch[:0]
		return err
	}
	stop := errors.New("headers are complete")
	done := func(wire.OutPoint, consensus.Coin) error { return stop }
	_, err := l.read(ctx, snapshot.Handler{
		Header: func(_ int32, h *wire.BlockHeader) error {
			if batch = append(batch, *h); len(batch) < atOnce {
				return nil
			}
			return accept()
		},
		Coin: done,
	})
	if err != nil && !errors.Is(err, stop) {
		return err
	}
	return accept()
}

// mayLoadLocked says why a snapshot cannot be used now, as far as is known
// before its headers are.
func (c *Chain) mayLoadLocked(base *snapshot.Base) error {
	tip := c.tip()
	switch n := c.index[base.Hash]; {
	case c.snap != nil:
		return refuseSnapshot("this node runs on a UTXO snapshot already, at height %d", c.snap.base.height)
	case c.pruned > nothingPruned:
		return refuseSnapshot("blocks up to height %d are pruned here, so the history could not be checked; use an empty data folder", c.pruned)
	case n != nil && n.failed():
		return refuseSnapshot("its block %v is known to be invalid", base.Hash)
	case n != nil && n.work.Cmp(tip.work) <= 0:
		return refuseSnapshot("it is of height %d, and this node is at height %d with as much work: there is nothing to gain", base.Height, tip.height)
	}
	return nil
}

// baseNode returns the block of the snapshot, if it may become the best one.
func (l *snapshotLoader) baseNode() (*node, error) {
	c := l.c
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.mayLoadLocked(&l.base); err != nil {
		return nil, err
	}
	n := c.index[l.base.Hash]
	if n == nil || n.height != l.base.Height {
		return nil, refuseSnapshot("its headers do not lead to its block %v at height %d", l.base.Hash, l.base.Height)
	}
	if best := c.bestHeader; best.ancestor(n.height) != n && best.work.Cmp(n.work) > 0 {
		return nil, refuseSnapshot("its block %v is not on the branch with the most work that is known here, which ends in %v at height %d; synchronise without it", n.hash, best.hash, best.height)
	}
	return n, nil
}

// replace makes the file's coins the chain state.
func (l *snapshotLoader) replace(ctx context.Context) (LoadedSnapshot, error) {
	c := l.c
	c.change.Lock()
	defer c.change.Unlock()
	base, err := l.baseNode()
	if err != nil {
		return LoadedSnapshot{}, err
	}
	// All that is known of blocks has to be on disk before the commit.
	f, err := c.startFlush()
	if err != nil {
		return LoadedSnapshot{}, err
	}
	if err := f.wait(ctx); err != nil {
		return LoadedSnapshot{}, err
	}
	row := &snapshotRow{base: base.hash, height: base.height, txs: l.base.ChainTxs, digest: l.digest}
	snap, err := c.openBackground(base, row)
	if err != nil {
		return LoadedSnapshot{}, err
	}
	if err := l.commit(ctx, row); err != nil {
		return LoadedSnapshot{}, errors.Join(err, snap.db.Close())
	}
	c.jump(snap, l)
	c.divideCache()
	c.decideChildren(base, l.perm)
	c.log.Info("UTXO snapshot loaded; the blocks below it are checked in the background", "base", base.hash, "height", base.height,
		"coins", l.stats.Coins, "digest", fmt.Sprintf("%x", l.digest))
	c.emit(Event{Kind: Jumped, Info: c.info(base), Permissions: l.perm != nil})
	was := c.tip()
	err = c.activateBest(ctx, nil)
	if c.tip() == was {
		c.settled()
	}
	c.tellBackground()
	loaded := LoadedSnapshot{Base: c.info(base), Coins: l.stats.Coins, Digest: l.digest, Best: c.Best()}
	if c.failure.get() != nil {
		return loaded, err
	}
	return loaded, nil // what keeps blocks above from being connected is met again
}

// commit replaces the rows of the chain state, in one step.
func (l *snapshotLoader) commit(ctx context.Context, row *snapshotRow) error {
	c := l.c
	old, err := c.store.Snapshot()
	if err != nil {
		return err
	}
	defer old.Release()
	err = c.store.Commit(store.Commit{
		Best: row.base, Height: row.height, Meta: commitMeta(l.stats, l.perm),
		Each: func(put func(k, v []byte), del func(k []byte)) error {
			for _, prefix := range []byte{utxo.Prefix, permPrefix} {
				err := old.Each([]byte{prefix}, func(k, _ []byte) error {
					del(k)
					return ctx.Err()
				})
				if err != nil {
					return err
				}
			}
			sum, err := l.read(ctx, snapshot.Handler{Coin: func(op wire.OutPoint, coin consensus.Coin) error {
				put(utxo.EncodeRow(&op, &coin))
				return nil
			}})
			if err == nil && sum != l.sum {
				err = refuseSnapshot("the file has changed while it was read")
			}
			put(snapshotKey, row.encode())
			if l.root != nil {
				put(permRootKey, l.root.encode())
			}
			return err
		},
	})
	if err != nil && c.store.Err() != nil {
		return c.fatal("commit the UTXO snapshot", err)
	}
	return err
}

// jump makes the block of the snapshot the tip. change held.
func (c *Chain) jump(snap *snapState, l *snapshotLoader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cache.Reset(l.stats)
	c.snap = snap
	if l.root != nil {
		c.perm.begin(snap.base.height, l.perm, l.root.sealers)
		c.nameTrusted(snap.base, l.root.sealers)
	}
	c.setBest(snap.base)
	c.bestHeader = nil
	c.pickBestHeaderLocked()
	clear(c.candidates)
	c.linkBaseLocked()
	for _, n := range c.index {
		c.considerLocked(n)
	}
	c.findPrunedLocked()
	c.cfg.Metrics.background.Set(float64(snap.at.height))
	c.cfg.Metrics.at(snap.base, c.cache)
	c.cfg.Metrics.permitted(l.perm, snap.base.height+1)
}

// linkBaseLocked links the blocks above the base, as if the bodies below it
// were here.
func (c *Chain) linkBaseLocked() {
	base := c.snap.base
	if base.chainTxs == 0 {
		base.chainTxs = c.snap.txs
	}
	waiting := c.unlinked[base]
	delete(c.unlinked, base)
	for _, n := range waiting {
		c.linkLocked(n)
	}
}
