package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// maxPacketFile bounds the files that are read, in bytes.
const maxPacketFile = 2 << 20

func newPSBTCommand(e *env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "psbt",
		Short: "Show, sign, combine and send transactions with records that several members sign",
		Long: `Commands that change members write a transaction as a PSBT (version 0) with
--psbt. Each member signs a copy with its wallet, which says every record in words
first; the copies are combined and sent. show, sign with --offline and combine
need no node.`,
		Example: `  charter --chain acme grant beta mine --signers alpha,gamma --psbt vote.psbt
  charter --chain acme psbt sign vote.psbt --out vote-alpha.psbt
  charter --chain acme psbt combine vote-alpha.psbt vote-gamma.psbt --out signed.psbt
  charter --chain acme psbt send signed.psbt`,
	},
		newPSBTShowCommand(e),
		newPSBTSignCommand(e),
		newPSBTCombineCommand(e),
		newPSBTSendCommand(e),
	)
}

func (e *env) readPacket(path string) (*packet.Packet, error) {
	in := e.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the PSBT: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPacketFile))
	if err != nil {
		return nil, fmt.Errorf("read the PSBT: %w", err)
	}
	p, err := packet.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// writePacket writes a PSBT that a command made.
func (e *env) writePacket(p *packet.Packet, path string, out *outcome) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	if path != "-" || !e.flags.json {
		if err := e.writeOut(path, text); err != nil {
			return err
		}
	}
	return out.printPacket(path, text)
}

// offlineRoster is the members, or none where the node is not to be asked.
func (e *env) offlineRoster(ctx context.Context, offline bool) (*roster, error) {
	if offline {
		p, err := e.permissioned()
		return &roster{new(client.MemberList), p}, err
	}
	r, _, err := e.roster(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("%w (with --offline members are shown by their ids)", err)
	}
	return r, nil
}

// packetJSON is a PSBT in words.
type packetJSON struct {
	TxID     string                `json:"txid"`
	Complete bool                  `json:"complete"`
	Sent     bool                  `json:"sent"`
	Records  []string              `json:"records"`
	Inputs   []wallet.ReviewInput  `json:"inputs"`
	Outputs  []wallet.ReviewOutput `json:"outputs"`
	Fee      wallet.Amount         `json:"fee"`
	PSBT     string                `json:"psbt,omitempty"`
}

// packetText says in words what a transaction does and who signed it.
func packetText(r *roster, review *wallet.Review) string {
	var b strings.Builder
	for _, s := range review.Records {
		fmt.Fprintln(&b, s)
	}
	for _, in := range review.Inputs {
		who, state := in.Address, "not signed"
		if m, ok := r.lookup(in.Address); ok {
			who = m.Name + " (" + in.Address + ")"
		}
		if in.Own {
			who += ", this wallet"
		}
		if in.Signed {
			state = "signed"
		}
		fmt.Fprintf(&b, "Speaks: %s: %s\n", who, state)
	}
	for _, out := range review.Outputs {
		if out.Amount != 0 {
			fmt.Fprintf(&b, "Pays: %v to %s\n", out.Amount, out.Address)
		}
	}
	if review.Fee != 0 {
		fmt.Fprintf(&b, "Fee: %v\n", review.Fee)
	}
	return b.String()
}

// reviewAs looks a packet through with a wallet, or with none.
func reviewAs(w *wallet.Wallet, r *roster, p *packet.Packet) (*wallet.Review, error) {
	records, err := p.Records()
	if err != nil {
		return nil, err
	}
	if w != nil {
		return w.Review(p, r.namer(records))
	}
	return wallet.ReviewFor(wallet.ChainOf(r.chain), p, r.namer(records))
}

func (e *env) printPacketJSON(p *packet.Packet, review *wallet.Review, sent bool) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	return e.printJSON(packetJSON{p.TxID().String(), p.Complete(), sent, review.Records, review.Inputs, review.Outputs, review.Fee, text})
}

func newPSBTShowCommand(e *env) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Say in words what a transaction does and who signed it",
		Example: `  charter --chain acme psbt show vote.psbt`,
		Args:    exactArgs("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := e.offlineRoster(cmd.Context(), offline)
			if err != nil {
				return err
			}
			p, err := e.readPacket(args[0])
			if err != nil {
				return err
			}
			review, err := reviewAs(nil, r, p)
			if err != nil {
				return err
			}
			if e.flags.json {
				return e.printPacketJSON(p, review, false)
			}
			_, err = fmt.Fprintf(e.stdout, "%sTransaction %v\n", packetText(r, review), p.TxID())
			return err
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the node for the names of members")
	return cmd
}

func newPSBTSignCommand(e *env) *cobra.Command {
	var f walletFlags
	var offline, yes bool
	var out string
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a transaction with this wallet's keys",
		Long: `Says in words what the transaction does, asks, and signs what this wallet has
keys for. A record that cannot be read is not signed, nor is what would take
money from the wallet.`,
		Example: `  charter --chain acme psbt sign vote.psbt --out vote-alpha.psbt
  charter --chain acme psbt sign vote.psbt --offline --yes --out -`,
		Args: exactArgs("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := e.offlineRoster(cmd.Context(), offline)
			if err != nil {
				return err
			}
			p, err := e.readPacket(args[0])
			if err != nil {
				return err
			}
			if out == "" {
				out = strings.TrimSuffix(args[0], ".psbt") + "-signed.psbt"
			}
			return e.withWallet(&f, func(w *wallet.Wallet) error {
				return e.signPacket(cmd.Context(), signing{&f, w, r, p, out, yes})
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the node for the names of members")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask before signing")
	cmd.Flags().StringVar(&out, "out", "", "`file` to write, -: standard output (default FILE-signed.psbt)")
	return cmd
}

// signing is one use of psbt sign.
type signing struct {
	f   *walletFlags
	w   *wallet.Wallet
	r   *roster
	p   *packet.Packet
	out string
	yes bool
}

func (e *env) signPacket(ctx context.Context, s signing) error {
	review, err := reviewAs(s.w, s.r, s.p)
	if err != nil {
		return err
	}
	text := packetText(s.r, review)
	if s.yes && !e.flags.json {
		fmt.Fprint(e.stderr, text)
	}
	if err := e.confirm(ctx, text, s.yes); err != nil {
		return err
	}
	var signed int
	err = e.withKeys(ctx, s.f, s.w, func(keys *wallet.Keys) error {
		signed, err = s.w.SignReviewed(review, keys)
		return err
	})
	if err != nil {
		return err
	}
	return e.writeSigned(s.p, s.out, fmt.Sprintf("Signed %d of %d inputs; %d are left.\n", signed, len(s.p.Sigs), len(s.p.Missing())))
}

// writeSigned writes a PSBT and says what became of it.
func (e *env) writeSigned(p *packet.Packet, path, said string) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	if e.flags.json && path == "-" {
		return e.printJSON(map[string]any{"psbt": text, "complete": p.Complete(), "txid": p.TxID().String()})
	}
	if err := e.writeOut(path, text); err != nil {
		return err
	}
	if e.flags.json {
		return e.printJSON(map[string]any{"psbt": text, "complete": p.Complete(), "txid": p.TxID().String()})
	}
	if path != "-" {
		said += fmt.Sprintf("Wrote %s.\n", path)
	}
	_, err = fmt.Fprint(e.stderr, said)
	return err
}

func newPSBTCombineCommand(e *env) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "combine FILE…",
		Short:   "Put the signatures of several copies of a transaction together",
		Example: `  charter psbt combine vote-alpha.psbt vote-gamma.psbt --out signed.psbt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("combine needs the files to combine")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := e.combine(args)
			if err != nil {
				return err
			}
			return e.writeSigned(p, out, fmt.Sprintf("%d of %d inputs are signed.\n", len(p.Sigs)-len(p.Missing()), len(p.Sigs)))
		},
	}
	cmd.Flags().StringVar(&out, "out", "-", "`file` to write, -: standard output")
	return cmd
}

func (e *env) combine(paths []string) (*packet.Packet, error) {
	var all *packet.Packet
	for _, path := range paths {
		p, err := e.readPacket(path)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = p
			continue
		}
		if err := all.Combine(p); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

func newPSBTSendCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "send FILE…",
		Short:   "Send a transaction that all have signed",
		Long:    "Sends a transaction to the node. Several files are combined first.",
		Example: `  charter --chain acme psbt send signed.psbt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("send needs the file to send")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, c, err := e.roster(cmd.Context(), 0)
			if err != nil {
				return err
			}
			p, err := e.combine(args)
			if err != nil {
				return err
			}
			return e.sendPacket(cmd.Context(), r, c, p)
		},
	}
	return cmd
}

// sendPacket hands a signed transaction to the node. No wallet takes part:
// those that signed find it in the pool or in a block.
func (e *env) sendPacket(ctx context.Context, r *roster, c *client.Client, p *packet.Packet) error {
	review, err := reviewAs(nil, r, p)
	if err != nil {
		return err
	}
	if missing := p.Missing(); len(missing) > 0 {
		who := make([]string, len(missing))
		for i, script := range missing {
			who[i], _ = r.chain.Address.Encode(script)
			if m, ok := r.lookup(who[i]); ok {
				who[i] = m.Name
			}
		}
		return fmt.Errorf("not all have signed: missing is %s", strings.Join(who, ", "))
	}
	raw, err := p.FinalHex()
	if err != nil {
		return err
	}
	if err := c.Call(ctx, "sendrawtransaction", []any{raw, 0}, nil); err != nil {
		return asFailure(err)
	}
	if e.flags.json {
		return e.printPacketJSON(p, review, true)
	}
	_, err = fmt.Fprintf(e.stdout, "%sSent in transaction %v.\n", packetText(r, review), p.TxID())
	return err
}
