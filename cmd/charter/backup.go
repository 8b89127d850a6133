package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newBackupCommand(e *env) *cobra.Command {
	var withKey bool
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the data of a running node to a folder",
		Long: `Has the node copy its blocks, block index, coins and chain file to DIR, on the
node's machine: an empty folder, or one that is made. It shows the node at one
moment; the node goes on meanwhile. When the command fails or is stopped, what
was written is removed.

To restore it, copy DIR to <datadir>/<chain name> and start a node with that
data folder: it goes on from there. Left out are the optional indexes, which
are made again, waiting transactions, and, without --with-key, the node's
identity and the miner's key: then the restored node makes a new identity.
A miner's key that does not lie in the chain's folder is never copied, and
neither are settings (charterd.toml) and wallets: keep the words of a wallet,
charter wallet restore makes it again from them.`,
		Example: `  charter --chain acme backup /var/backups/acme-monday
  cp -r /var/backups/acme-monday /srv/charter/acme
  charterd --chain acme --datadir /srv/charter`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("backup needs one argument, the folder to write (%d given)", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return backupNode(cmd.Context(), e, args[0], withKey)
		},
	}
	cmd.Flags().BoolVar(&withKey, "with-key", false, "also copy the secret keys, node.key and miner.key; only one node may run with them")
	return cmd
}

// backedUp is what the node says of a backup.
type backedUp struct {
	Path   string  `json:"path"`
	Hash   string  `json:"hash"`
	Height int32   `json:"height"`
	Bytes  int64   `json:"bytes"`
	Held   float64 `json:"held"` // seconds
	Took   float64 `json:"took"` // seconds
}

func backupNode(ctx context.Context, e *env, dir string, withKey bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the folder for the backup: %w", err)
	}
	node, err := e.client()
	if err != nil {
		return err
	}
	var done backedUp
	if err := node.Call(ctx, "backup", []any{dir, withKey}, &done); err != nil {
		return asFailure(err)
	}
	if e.flags.json {
		return e.printJSON(done)
	}
	_, err = fmt.Fprintf(e.stdout, "Backup in %s: block %s at height %d, %d bytes, made in %.2f s.\nNo block could be accepted for %.6f s of these.\n",
		done.Path, done.Hash, done.Height, done.Bytes, done.Took, done.Held)
	return err
}
