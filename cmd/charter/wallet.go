package main

import "github.com/spf13/cobra"

func newWalletCommand(_ *env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "wallet",
		Short: "Make and use a wallet",
		Long: `A wallet holds one seed, encrypted by a passphrase. It follows the chain through
a node's RPC by itself; balance, address and history need no passphrase.`,
	})
}
