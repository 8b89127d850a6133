package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/wallet"
)

// createdJSON is what create and restore print with --json.
type createdJSON struct {
	Wallet   string `json:"wallet"` // folder
	Mnemonic string `json:"mnemonic,omitempty"`
	Address  string `json:"address"`
}

func newWalletCreateCommand(e *env, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "create",
		Short: "Make a wallet with a new seed",
		Long: `Makes a wallet and shows its 24 words (BIP39) once. The words are the money:
write them down and keep them off this machine. They restore the wallet without
the passphrase.`,
		Example: `  charter --chain acme wallet create
  charter --chain acme wallet create --wallet till --passphrase-file till.pass`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := e.walletConfig(f)
			if err != nil {
				return err
			}
			pass, err := e.passphrase(cmd.Context(), f, true)
			if err != nil {
				return err
			}
			defer clear(pass)
			w, err := wallet.Create(cfg, pass)
			if err != nil {
				return err
			}
			return errors.Join(e.printCreated(w, cfg.Dir), w.Close())
		},
	}
}

func (e *env) printCreated(w *wallet.Created, dir string) error {
	if e.flags.json {
		return e.printJSON(createdJSON{dir, w.Mnemonic, w.Address})
	}
	fmt.Fprintf(e.stdout, "Made a wallet in %s.\n\nWrite these words down, in order. They are shown this once only:\n\n", dir)
	const perLine = 6
	words := strings.Fields(w.Mnemonic)
	for first := 0; first < len(words); first += perLine {
		line := ""
		for i := first; i < min(first+perLine, len(words)); i++ {
			line += fmt.Sprintf("%4d %-9s", i+1, words[i])
		}
		fmt.Fprintln(e.stdout, strings.TrimRight(line, " "))
	}
	_, err := fmt.Fprintf(e.stdout, "\nFirst address to receive at: %s\n", w.Address)
	return err
}

func newWalletRestoreCommand(e *env, f *walletFlags) *cobra.Command {
	var mnemonicFile string
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Make a wallet from the words of an earlier one",
		Long: `Makes a wallet from BIP39 words and reads the chain from its start for its
payments. The words are asked for, or read from a file or the standard input.
A node must be running.`,
		Example: `  charter --chain acme wallet restore --wallet again
  charter --chain acme wallet restore --mnemonic-file words --passphrase-file pass`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := e.walletConfig(f)
			if err != nil {
				return err
			}
			rpc, err := e.walletRPC()
			if err != nil {
				return err
			}
			words, err := e.mnemonic(cmd.Context(), mnemonicFile)
			if err != nil {
				return err
			}
			pass, err := e.passphrase(cmd.Context(), f, true)
			if err != nil {
				return err
			}
			defer clear(pass)
			w, err := wallet.Restore(cfg, words, pass)
			if err != nil {
				return err
			}
			err = e.sync(cmd.Context(), w, rpc)
			if err != nil {
				err = fmt.Errorf("the wallet is restored, but its payments are not read to the end: %w; any wallet command goes on from there", err)
			} else {
				err = e.printRestored(w, cfg.Dir)
			}
			return errors.Join(err, w.Close())
		},
	}
	cmd.Flags().StringVar(&mnemonicFile, "mnemonic-file", "", "`file` with the words, readable by its owner only (default: ask, or read the standard input)")
	return cmd
}

func (e *env) printRestored(w *wallet.Wallet, dir string) error {
	addr, err := w.ReceiveAddress()
	if err != nil {
		return err
	}
	if e.flags.json {
		return e.printJSON(createdJSON{Wallet: dir, Address: addr})
	}
	_, err = fmt.Fprintf(e.stdout, "Restored a wallet in %s: %d transactions, %v in all.\nNext address to receive at: %s\n",
		dir, len(w.History()), w.Balance().Total(), addr)
	return err
}

func newWalletRescanCommand(e *env, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rescan",
		Short: "Rebuild the wallet's state from its seed and the chain",
		Long: `Makes the file with addresses and transactions anew and reads the chain from
its start. For a state file that is damaged or lost; the seed is not touched.`,
		Example: `  charter --chain acme wallet rescan`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := e.walletConfig(f)
			if err != nil {
				return err
			}
			rpc, err := e.walletRPC()
			if err != nil {
				return err
			}
			pass, err := e.passphrase(cmd.Context(), f, false)
			if err != nil {
				return err
			}
			defer clear(pass)
			w, err := wallet.Rebuild(cfg, pass)
			if err != nil {
				return err
			}
			err = e.sync(cmd.Context(), w, rpc)
			if err == nil {
				err = e.printRestored(w, cfg.Dir)
			}
			return errors.Join(err, w.Close())
		},
	}
}
