package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/p2p"
)

// history shows the peers' code which blocks below a UTXO snapshot are wanted.
func (n *Node) history() (p2p.History, bool) {
	b, ok := n.chain.Background()
	if !ok || b.Missing > b.Base.Height {
		return p2p.History{}, false
	}
	return p2p.History{Next: b.Missing, End: p2pInfo(b.Base)}, true
}

// snapshotFiles writes and reads UTXO snapshots for the RPC methods.
type snapshotFiles struct{ n *Node }

// incomplete is added to the name of a snapshot until all of it is there.
const incomplete = ".incomplete"

// Dump implements rpc.Snapshots. After an error no file is left.
func (s snapshotFiles) Dump(ctx context.Context, path string) (dump chain.SnapshotDump, err error) {
	if err := mustBeFree(path); err != nil {
		return dump, err
	}
	size, err := s.n.chain.SnapshotSize()
	if err != nil {
		return dump, err
	}
	if why := s.n.lacksRoom(filepath.Dir(path), size); why != "" {
		return dump, fmt.Errorf("%s: %s", filepath.Dir(path), why)
	}
	part := path + incomplete
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return dump, fmt.Errorf("%s exists: a dump to this path is under way, or was cut short; in that case remove it", part)
	}
	if err != nil {
		return dump, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	if dump, err = s.n.chain.DumpSnapshot(ctx, out); err == nil {
		err = errors.Join(out.Flush(), f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = mustBeFree(path) // it may have come to be meanwhile
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return dump, errors.Join(err, os.Remove(part))
	}
	return dump, store.OS().SyncDir(filepath.Dir(path))
}

func mustBeFree(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fmt.Errorf("%s exists already; give another path, or remove it", path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// Load implements rpc.Snapshots.
func (s snapshotFiles) Load(ctx context.Context, path string, want *[32]byte) (chain.LoadedSnapshot, error) {
	info, err := os.Stat(path)
	if err != nil {
		return chain.LoadedSnapshot{}, err
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for who writes to it
		return chain.LoadedSnapshot{}, fmt.Errorf("%s is no plain file; it is read three times", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return chain.LoadedSnapshot{}, err
	}
	defer f.Close()
	// Its coins, and those of the check once more.
	if why := s.n.lacksRoom(s.n.opts.Dir, 2*info.Size()); why != "" {
		return chain.LoadedSnapshot{}, fmt.Errorf("%s: %s", s.n.opts.Dir, why)
	}
	l, err := s.n.chain.LoadSnapshot(ctx, f, want)
	if err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}
