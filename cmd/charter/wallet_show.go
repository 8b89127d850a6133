package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/wallet"
)

func newWalletAddressCommand(e *env, f *walletFlags) *cobra.Command {
	var next, offline bool
	cmd := &cobra.Command{
		Use:   "address",
		Short: "Show the address to receive at",
		Long: `Shows an address that no payment has used yet. It stays the same until one does;
--new gives a further one. The node is asked for news first; where it cannot be
reached that is said, and the address comes from what the wallet knows.

On a chain where only members may be paid it is the wallet's first address that
may; one that may not is shown with a notice.`,
		Example: `  charter --dev wallet address
  charter --chain acme wallet address --new`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withWallet(f, func(w *wallet.Wallet) error {
				text, err := e.address(cmd.Context(), w, next, offline)
				if err != nil {
					return err
				}
				if e.flags.json {
					return e.printJSON(map[string]string{"address": text})
				}
				_, err = fmt.Fprintln(e.stdout, text)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&next, "new", false, "a further address although the last one is unused")
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the node")
	return cmd
}

// address finds the address to show, with notices on the standard error.
func (e *env) address(ctx context.Context, w *wallet.Wallet, next, offline bool) (string, error) {
	notice := func(format string, args ...any) {
		if !e.flags.json {
			fmt.Fprintf(e.stderr, format+"\n", args...)
		}
	}
	restricted := e.chain.Permissions.Restricts(params.PermReceive)
	var rpc wallet.RPC
	err := errors.New("it was not to ask")
	if !offline {
		if rpc, err = e.walletRPC(); err == nil {
			err = e.sync(ctx, w, rpc)
		}
		if err != nil {
			notice("The address may be used already, the wallet could not look: %v", err)
		}
	}
	switch {
	case next && restricted:
		notice("On this chain only members may be paid: add the address to the member's keys before it is used (charter key add).")
		return w.NextAddress()
	case next:
		return w.NextAddress()
	case restricted && err != nil:
		return w.FirstAddress()
	case !restricted:
		return w.ReceiveAddress()
	}
	text, ok, err := w.PermittedAddress(ctx, rpc)
	if err == nil && !ok {
		notice("This address may not receive yet: ask an administering member to run 'charter grant %s receive'.", text)
	}
	return text, err
}

// balanceJSON is a wallet's money.
type balanceJSON struct {
	Spendable wallet.Amount `json:"spendable"` // confirmed and change
	Confirmed wallet.Amount `json:"confirmed"`
	Change    wallet.Amount `json:"change"`   // own, unconfirmed
	Incoming  wallet.Amount `json:"incoming"` // from others, unconfirmed
	Immature  wallet.Amount `json:"immature"` // mined
	Total     wallet.Amount `json:"total"`
	Height    int32         `json:"height"` // of the last block seen
}

func newWalletBalanceCommand(e *env, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "balance",
		Short: "Show how much there is, and how much can be spent",
		Example: `  charter --dev wallet balance
  charter --chain acme wallet balance --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.openSynced(cmd.Context(), f, func(w *wallet.Wallet, _ wallet.RPC) error {
				b := w.Balance()
				if e.flags.json {
					return e.printJSON(balanceJSON{b.Spendable(), b.Confirmed, b.Change, b.Incoming, b.Immature, b.Total(), w.Height()})
				}
				width := len(b.Total().String())
				row := func(name string, a wallet.Amount) { fmt.Fprintf(e.stdout, "%-25s  %*s\n", name, width, a) }
				row("Spendable", b.Spendable())
				row("  confirmed", b.Confirmed)
				row("  own change, unconfirmed", b.Change)
				row("Incoming, unconfirmed", b.Incoming)
				row("Mined, immature", b.Immature)
				row("Total", b.Total())
				_, err := fmt.Fprintf(e.stdout, "As of block %d.\n", w.Height())
				return err
			})
		},
	}
}

// unspentJSON is an output that can or will be spent.
type unspentJSON struct {
	TxID          string          `json:"txid"`
	Vout          uint32          `json:"vout"`
	Amount        wallet.Amount   `json:"amount"`
	Address       string          `json:"address"`
	Confirmations int32           `json:"confirmations"`
	State         wallet.Standing `json:"state"` // confirmed, change, incoming, immature
	Spendable     bool            `json:"spendable"`
}

func newWalletUnspentCommand(e *env, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "utxos",
		Short: "List the outputs that make up the balance",
		Example: `  charter --dev wallet utxos
  charter --chain acme wallet utxos --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.openSynced(cmd.Context(), f, func(w *wallet.Wallet, _ wallet.RPC) error {
				if e.flags.json {
					out := []unspentJSON{}
					for _, u := range w.Unspent() {
						out = append(out, unspentJSON{u.OutPoint.Hash.String(), u.OutPoint.Index, u.Amount,
							u.Address, u.Confirmations, u.Standing, u.Standing.Spendable()})
					}
					return e.printJSON(out)
				}
				t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "AMOUNT\tSTATE\tCONFIRMATIONS\tOUTPUT\tADDRESS")
				for _, u := range w.Unspent() {
					fmt.Fprintf(t, "%v\t%s\t%d\t%v\t%s\n", u.Amount, u.Standing, u.Confirmations, u.OutPoint, u.Address)
				}
				return t.Flush()
			})
		},
	}
}

// entryJSON is a transaction as its owner sees it.
type entryJSON struct {
	TxID          string        `json:"txid"`
	Kind          wallet.Kind   `json:"kind"`   // genesis, mined, received, sent, self, mixed, records
	Amount        wallet.Amount `json:"amount"` // below 0 where paid, without the fee
	Fee           wallet.Amount `json:"fee"`
	Addresses     []string      `json:"addresses"`
	Confirmations int32         `json:"confirmations"` // 0: in no block
	Height        *int32        `json:"height"`        // null: in no block
	BlockHash     *string       `json:"blockhash"`
	Immature      bool          `json:"immature"`
	Time          string        `json:"time"` // RFC 3339, of the block or when first seen
}

func newEntryJSON(h wallet.Entry) entryJSON {
	out := entryJSON{
		TxID: h.TxID.String(), Kind: h.Kind, Amount: h.Amount, Fee: h.Fee, Addresses: append([]string{}, h.Addresses...),
		Confirmations: h.Confirmations, Immature: h.Immature, Time: h.Time.Format(time.RFC3339),
	}
	if h.Block != (chainhash.Hash{}) {
		hash := h.Block.String()
		out.Height, out.BlockHash = &h.Height, &hash
	}
	return out
}

func newWalletHistoryCommand(e *env, f *walletFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the wallet's transactions, oldest first",
		Example: `  charter --dev wallet history
  charter --chain acme wallet history --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.openSynced(cmd.Context(), f, func(w *wallet.Wallet, _ wallet.RPC) error {
				history := w.History()
				if e.flags.json {
					out := make([]entryJSON, len(history))
					for i, h := range history {
						out[i] = newEntryJSON(h)
					}
					return e.printJSON(out)
				}
				t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "TIME\tKIND\tAMOUNT\tFEE\tBLOCK\tTRANSACTION\tADDRESS")
				for _, h := range history {
					fmt.Fprintf(t, "%s\t%s\t%v\t%s\t%s\t%v\t%s\n", h.Time.Format(time.DateTime), h.Kind, h.Amount, feeColumn(h),
						blockColumn(h), h.TxID, strings.Join(h.Addresses, " "))
				}
				return t.Flush()
			})
		},
	}
}

func feeColumn(h wallet.Entry) string {
	if h.Fee == 0 {
		return "-"
	}
	return h.Fee.String()
}

func blockColumn(h wallet.Entry) string {
	switch {
	case h.Height < 0:
		return "waiting"
	case h.Immature:
		return fmt.Sprintf("%d (immature)", h.Height)
	}
	return fmt.Sprint(h.Height)
}
