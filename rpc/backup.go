package rpc

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/charterchain/charter/chain"
)

// backupMethods copy the data of the running node.
type backupMethods struct {
	run func(ctx context.Context, dir string, withKey bool) (chain.BackupReport, error)
}

func (m *backupMethods) methods() []*method {
	if m.run == nil {
		return nil
	}
	return []*method{{
		name: "backup", area: "Control", run: m.backup,
		params: []param{
			{name: "path", want: "string", help: "An absolute path on the node's machine: an empty folder, or one that is made."},
			{name: "with_key", want: "boolean", fallback: "false", help: "Whether to add the secret keys: node.key, the node's identity, and miner.key if it lies in the chain's folder."},
		},
		summary: "Copies blocks, block index, coins and the chain file to a folder, from which a node can start. The node goes on working meanwhile.",
		result: "An object: path; hash and height of the block at which the copy is; bytes; held, the seconds for which no block could be accepted; " +
			"took, the seconds in all. Where it fails, or the caller leaves, what was written is removed.",
	}}
}

type backupJSON struct {
	Path   string     `json:"path"`
	Hash   string     `json:"hash"`
	Height int32      `json:"height"`
	Bytes  int64      `json:"bytes"`
	Held   realNumber `json:"held"`
	Took   realNumber `json:"took"`
}

func (m *backupMethods) backup(ctx context.Context, c *call) (any, error) {
	dir := c.text(0, "")
	withKey := c.flag(1, false)
	if c.err != nil {
		return nil, c.err
	}
	if !filepath.IsAbs(dir) {
		return nil, fail(codeInvalidParam, "%q is no absolute path; the node does not know from which folder you call it", dir)
	}
	report, err := m.run(ctx, filepath.Clean(dir), withKey)
	var target *chain.BackupTargetError
	switch {
	case errors.As(err, &target):
		return nil, fail(codeInvalidParam, "%v", err)
	case err != nil:
		return nil, fail(codeMisc, "%v", err)
	}
	return backupJSON{
		Path:   filepath.Clean(dir),
		Hash:   report.Block.Hash.String(),
		Height: report.Block.Height,
		Bytes:  report.Bytes,
		Held:   realNumber(report.Held.Seconds()),
		Took:   realNumber(report.Took.Seconds()),
	}, nil
}
