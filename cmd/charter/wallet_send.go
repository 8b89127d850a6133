package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/wallet"
	"github.com/charterchain/charter/wallet/coins"
)

// sentJSON is a payment that was sent, or with --dry-run would be.
type sentJSON struct {
	TxID    string        `json:"txid"`
	Sent    bool          `json:"sent"`
	Address string        `json:"address"`
	Amount  wallet.Amount `json:"amount"`
	Fee     wallet.Amount `json:"fee"`
	FeeRate string        `json:"fee_rate"` // smallest units per virtual byte
	VSize   int64         `json:"vsize"`
	Change  wallet.Amount `json:"change"`
	Inputs  int           `json:"inputs"`
}

func newWalletSendCommand(e *env, f *walletFlags) *cobra.Command {
	var feeRate string
	var req wallet.SendRequest
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "send ADDRESS AMOUNT",
		Short: "Pay an address",
		Long: `Pays AMOUNT coins to ADDRESS: chooses coins, signs here, and hands the
transaction to the node. The fee comes on top of the amount. Confirmed coins are
spent first, then the change of own payments that wait for a block.`,
		Example: `  charter --dev wallet send ADDRESS 1.5
  charter --chain acme wallet send ADDRESS 0.1 --fee-rate 2.5 --dry-run`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("send needs an address and an amount (%d arguments given)", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			req.To = args[0]
			if req.Amount, err = wallet.ParseAmount(args[1]); err != nil {
				return &usageError{err}
			}
			if feeRate != "" {
				if req.FeeRate, err = coins.ParseFeeRate(feeRate); err != nil {
					return &usageError{err}
				}
			}
			return e.openSynced(cmd.Context(), f, func(w *wallet.Wallet, rpc wallet.RPC) error {
				return e.send(cmd.Context(), f, w, rpc, req, dryRun)
			})
		},
	}
	cmd.Flags().StringVar(&feeRate, "fee-rate", "", "fee in `sat/vB`, decimals allowed (default: the least that the node takes)")
	cmd.Flags().BoolVar(&req.AllowHighFee, "allow-high-fee", false, "allow fees above 0.1 coins, in all or per 1,000 vB")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be sent, without passphrase, and send nothing")
	return cmd
}

func (e *env) send(ctx context.Context, f *walletFlags, w *wallet.Wallet, rpc wallet.RPC, req wallet.SendRequest, dryRun bool) error {
	d, err := w.Prepare(ctx, rpc, req)
	var bad *params.AddressError // as wrong as an amount that is none
	switch {
	case errors.As(err, &bad):
		return &usageError{err}
	case err != nil:
		return err
	}
	if !dryRun {
		if err := e.sign(ctx, f, w, d); err != nil {
			return err
		}
		if err := w.Send(ctx, rpc, d); err != nil {
			return err
		}
	}
	if e.flags.json {
		return e.printJSON(sentJSON{d.TxID().String(), !dryRun, d.To, d.Amount, d.Fee, d.Rate.String(), d.VSize, d.Change, d.Inputs()})
	}
	head, last := "Sent %v to %s.\n", ""
	if dryRun {
		head, last = "Would send %v to %s.\n", "Nothing was sent; the transaction can differ next time.\n"
	}
	fmt.Fprintf(e.stdout, head, d.Amount, d.To)
	fmt.Fprintf(e.stdout, "Fee %v (%v sat/vB, %d vB), change %v, coins spent: %d.\n", d.Fee, d.Rate, d.VSize, d.Change, d.Inputs())
	_, err = fmt.Fprintf(e.stdout, "Transaction %v\n%s", d.TxID(), last)
	return err
}

// sign unseals the keys for as long as signing takes.
func (e *env) sign(ctx context.Context, f *walletFlags, w *wallet.Wallet, d *wallet.Draft) error {
	pass, err := e.passphrase(ctx, f, false)
	if err != nil {
		return err
	}
	defer clear(pass)
	keys, err := w.Unlock(pass)
	if err != nil {
		return err
	}
	defer keys.Zero()
	return w.Sign(d, keys)
}
