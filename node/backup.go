package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/store"
)

// backup copies the data of this node to dir, an absolute path, so that it
// can stand in for n.opts.Dir.
func (n *Node) backup(ctx context.Context, dir string, withKey bool) (chain.BackupReport, error) {
	own, err := filepath.Abs(n.opts.Dir)
	if err != nil {
		return chain.BackupReport{}, err
	}
	if within, err := filepath.Rel(own, dir); err == nil && within != ".." && !strings.HasPrefix(within, ".."+string(filepath.Separator)) {
		return chain.BackupReport{}, &store.TargetError{Dir: dir, Why: "it is the data folder of the node, or in it"}
	}
	extra := []store.BackupFile{{Name: chainFileName, Data: params.Render(n.opts.Params)}}
	if data, err := os.ReadFile(n.path(chainFileName)); err == nil {
		extra[0].Data = data // with the comments of whoever wrote it
	}
	if withKey {
		keys, err := n.keyFiles()
		if err != nil {
			return chain.BackupReport{}, err
		}
		extra = append(extra, keys...)
	}
	return n.chain.Backup(ctx, chain.BackupOptions{
		Dir:   dir,
		Extra: extra,
		Room:  func(bytes int64) error { return n.backupRoom(dir, bytes) },
	})
}

// keyFiles are the secret keys in the chain's folder: the node's, and its
// miner's where that lies there.
func (n *Node) keyFiles() ([]store.BackupFile, error) {
	key, err := os.ReadFile(n.path(keyName))
	if err != nil {
		return nil, fmt.Errorf("read the node's key: %w", err)
	}
	files := []store.BackupFile{{Name: keyName, Data: key}}
	switch key, err = os.ReadFile(n.path(minerName)); {
	case err == nil:
		files = append(files, store.BackupFile{Name: minerName, Data: key})
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the miner's key: %w", err)
	}
	return files, nil
}

// backupRoom refuses a backup that would fill the disk up to where a node on
// it stops mining. What cannot be looked at refuses nothing.
func (n *Node) backupRoom(dir string, bytes int64) error {
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(dir)
	}
	if why := n.lacksRoom(dir, bytes); why != "" {
		return &store.TargetError{Dir: dir, Why: why}
	}
	return nil
}

// lacksRoom says why so many bytes must not be written below dir; "": they
// may.
func (n *Node) lacksRoom(dir string, bytes int64) string {
	free, err := n.opts.FreeSpace(dir)
	if err != nil {
		n.log.Debug("free disk space not known", "dir", dir, "err", err)
		return ""
	}
	if need := uint64(bytes) + mineReserve; free < need {
		return fmt.Sprintf("%d MiB are free there, %d MiB are needed", free>>20, need>>20)
	}
	return ""
}
