package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// walletFlags are the flags of all wallet commands.
type walletFlags struct {
	name           string
	passphraseFile string
}

func newWalletCommand(e *env) *cobra.Command {
	f := &walletFlags{}
	cmd := group(&cobra.Command{
		Use:   "wallet",
		Short: "Make and use a wallet",
		Long: `A wallet holds one seed, encrypted under a passphrase. It follows the chain
through a node's RPC; the node never sees a key. Balance, addresses and history
need no passphrase.

Amounts are coins with up to eight decimals. Wallets lie in
<datadir>/<chain name>/wallets/NAME.`,
		Example: `  charter --dev wallet balance
  charter --chain acme wallet create --wallet savings
  charter --chain acme wallet send ADDRESS 1.5 --wallet savings`,
	},
		newWalletCreateCommand(e, f),
		newWalletRestoreCommand(e, f),
		newWalletAddressCommand(e, f),
		newWalletBalanceCommand(e, f),
		newWalletUnspentCommand(e, f),
		newWalletSendCommand(e, f),
		newWalletHistoryCommand(e, f),
		newWalletRescanCommand(e, f),
	)
	f.register(cmd.PersistentFlags())
	return cmd
}

func (f *walletFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.name, "wallet", "default", "`name` of the wallet, or the path of its folder")
	set.StringVar(&f.passphraseFile, "passphrase-file", "",
		"`file` with the passphrase, readable by its owner only (default: ask on the terminal; with --dev the node's wallet.pass)")
}

// walletConfig finds the wallet and its chain.
func (e *env) walletConfig(f *walletFlags) (wallet.Config, error) {
	p, err := e.params()
	if err != nil {
		return wallet.Config{}, err
	}
	dir, err := e.walletDir(f)
	if err != nil {
		return wallet.Config{}, err
	}
	return wallet.Config{
		Dir: dir, FS: e.disk, Chain: wallet.ChainOf(p), Rand: e.rand, Now: e.now, KDF: e.kdf,
	}, nil
}

func (e *env) walletDir(f *walletFlags) (string, error) {
	if f.name == "" {
		return "", usagef("--wallet is empty: give a name or a folder")
	}
	if strings.ContainsAny(f.name, `/\`) || f.name == "." || f.name == ".." {
		return f.name, nil
	}
	dir, err := e.chainDir()
	if err != nil {
		return "", err
	}
	if e.flags.dev && f.name == "default" {
		return filepath.Join(dir, "wallet"), nil
	}
	return filepath.Join(dir, "wallets", f.name), nil
}

// withWallet opens the wallet, does something with it and closes it.
func (e *env) withWallet(f *walletFlags, do func(w *wallet.Wallet) error) error {
	cfg, err := e.walletConfig(f)
	if err != nil {
		return err
	}
	w, err := wallet.Open(cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(w), w.Close())
}

// walletRPC gives the wallet access to the node.
func (e *env) walletRPC() (wallet.RPC, error) {
	c, err := e.client()
	if err != nil {
		return nil, err
	}
	return rpcAdapter{c}, nil
}

// rpcAdapter turns the client's refusals into the wallet's.
type rpcAdapter struct{ c *client.Client }

func (a rpcAdapter) Call(ctx context.Context, method string, params []any, result any) error {
	err := a.c.Call(ctx, method, params, result)
	var refusal *client.RPCError
	if errors.As(err, &refusal) {
		return &wallet.RPCError{Code: refusal.Code, Message: refusal.Message}
	}
	return err
}

// sync brings the wallet up to date, with progress and notices on the
// standard error.
func (e *env) sync(ctx context.Context, w *wallet.Wallet, rpc wallet.RPC) error {
	progress := e.newProgress()
	res, err := w.Sync(ctx, rpc, progress.report)
	progress.done()
	if err != nil {
		return fmt.Errorf("follow the chain: %w", err)
	}
	if e.flags.json {
		return nil
	}
	if res.Syncing {
		fmt.Fprintf(e.stderr, "The node is still catching up: it has block %d of %d.\n", res.Height, res.NodeHeaders)
	}
	if res.RolledBack > 0 {
		fmt.Fprintf(e.stderr, "The chain was reorganised: %d blocks the wallet had seen are gone.\n", res.RolledBack)
	}
	if res.PoolSkipped > 0 {
		fmt.Fprintf(e.stderr, "The node's pool is very full: %d waiting transactions were not looked at.\n", res.PoolSkipped)
	}
	for _, r := range res.Refused {
		fmt.Fprintf(e.stderr, "Payment %v waits outside the node's pool: %s.\n", r.TxID, r.Reason)
	}
	for _, r := range res.Dropped {
		fmt.Fprintf(e.stderr, "Transaction %v, which changes members, is forgotten: the node refuses it (%s). Run its command again if it is still wanted.\n", r.TxID, r.Reason)
	}
	return nil
}

// openSynced opens the wallet, brings it up to date and does something.
func (e *env) openSynced(ctx context.Context, f *walletFlags, do func(w *wallet.Wallet, rpc wallet.RPC) error) error {
	return e.withWallet(f, func(w *wallet.Wallet) error {
		rpc, err := e.walletRPC()
		if err != nil {
			return err
		}
		if err := e.sync(ctx, w, rpc); err != nil {
			return err
		}
		return do(w, rpc)
	})
}
