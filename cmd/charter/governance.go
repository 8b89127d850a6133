package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// defaultLapse is for how many blocks a vote stays open.
const defaultLapse = 10_000

// recordFlags are the flags of the commands that change members.
type recordFlags struct {
	walletFlags
	dryRun, yes bool
	psbt        string
	signers     []string
	as          string
	lapse       uint32
}

// registerRecordFlags adds them to a command, with the wallet's.
func (f *recordFlags) register(cmd *cobra.Command) {
	set := cmd.Flags()
	f.walletFlags.register(set)
	set.BoolVar(&f.dryRun, "dry-run", false, "show what would come of it, without passphrase, and send nothing")
	set.BoolVar(&f.yes, "yes", false, "do not ask before signing")
	set.StringVar(&f.psbt, "psbt", "", "write an unsigned PSBT to this `file` (-: standard output) and send nothing; see charter psbt")
	set.StringSliceVar(&f.signers, "signers", nil, "`members` that vote with this transaction, with commas between (default: the one this wallet governs)")
	set.StringVar(&f.as, "as", "", "`address` of the key that speaks for its member (default: one that administers before one that activates)")
	set.Uint32Var(&f.lapse, "lapse", defaultLapse, "`blocks` for which the vote stays open, if it needs others")
}

// permissioned loads the chain and refuses one without members.
func (e *env) permissioned() (*params.Params, error) {
	p, err := e.params()
	if err != nil {
		return nil, err
	}
	if !p.Permissions.Enabled {
		return nil, fmt.Errorf("the chain %s is open: it has no members and no permissions", p.Name)
	}
	return p, nil
}

// roster asks the node for the members at a height; 0: in the next block.
func (e *env) roster(ctx context.Context, height int32) (*roster, *client.Client, error) {
	p, err := e.permissioned()
	if err != nil {
		return nil, nil, err
	}
	c, err := e.client()
	if err != nil {
		return nil, nil, err
	}
	list, err := c.Members(ctx, height)
	if err != nil {
		return nil, nil, asFailure(err)
	}
	slices.SortFunc(list.Members, func(a, b client.Member) int { return strings.Compare(a.Name, b.Name) })
	return &roster{list, p}, c, nil
}

// governance is one change of members on its way: what it is made from and
// what came of it.
type governance struct {
	*roster
	e     *env
	f     *recordFlags
	node  *client.Client
	notes []string // what the user should know besides
}

// note adds a sentence to what is shown.
func (g *governance) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

// vote returns the lapse and the salt of a new vote.
func (g *governance) vote() (lapse uint32, salt [4]byte, err error) {
	_, err = io.ReadFull(g.e.rand, salt[:])
	return uint32(g.Height) + g.f.lapse, salt, err
}

// govern is what all commands that change members do: it makes the records,
// joins votes that are open for the same, finds who speaks, asks the node what
// would come of it, and then shows, signs and sends, or writes a PSBT.
func (e *env) govern(ctx context.Context, f *recordFlags, build func(*governance) ([]record.Record, error)) error {
	members, c, err := e.roster(ctx, 0)
	if err != nil {
		return err
	}
	g := &governance{roster: members, e: e, f: f, node: c}
	records, err := build(g)
	if err != nil {
		return err
	}
	if len(records) > record.MaxPerTx {
		return fmt.Errorf("this takes %d records, and a transaction has %d at most: do it in parts", len(records), record.MaxPerTx)
	}
	return g.withSigner(ctx, func(w *wallet.Wallet, rpc wallet.RPC) error { return g.carry(ctx, w, rpc, records) })
}

// withSigner opens the wallet. Where those who speak are named and nothing is to be
// signed here it may be missing.
func (g *governance) withSigner(ctx context.Context, do func(*wallet.Wallet, wallet.RPC) error) error {
	f := g.f
	if (len(f.signers) > 0 || f.as != "") && (f.psbt != "" || f.dryRun) {
		cfg, err := g.e.walletConfig(&f.walletFlags)
		if err != nil {
			return err
		}
		w, err := wallet.Open(cfg)
		if errors.Is(err, wallet.ErrNone) {
			return do(nil, nil)
		}
		if err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return g.e.openSynced(ctx, &f.walletFlags, do)
}

// carry turns records into a transaction and does with it what the flags say.
func (g *governance) carry(ctx context.Context, w *wallet.Wallet, rpc wallet.RPC, records []record.Record) error {
	records, err := g.join(ctx, w, records)
	if err != nil {
		return err
	}
	g.noteUpgrades(records)
	speakers, err := g.speakers(ctx, w, records, g.f.signers)
	if err != nil {
		return err
	}
	sim, err := g.simulate(ctx, records, speakers)
	if err != nil {
		return err
	}
	if err := useless(sim); err != nil && !g.f.dryRun {
		return err
	}
	coins := make([]packet.Coin, len(speakers))
	for i := range speakers {
		coins[i] = speakers[i].coin
	}
	p, err := packet.New(records, coins)
	if err != nil {
		return err
	}
	out := &outcome{g: g, sim: sim, packet: p, records: records}
	switch {
	case g.f.psbt != "":
		return g.e.writePacket(p, g.f.psbt, out)
	case g.f.dryRun:
		return out.print("")
	}
	for i := range speakers {
		if s := &speakers[i]; !s.own && s.key.Address == g.f.as {
			return usagef("this wallet does not have the key %s of %s: write a PSBT with --psbt and have it signed (charter psbt sign)", g.f.as, s.member.Name)
		}
		if !speakers[i].own {
			return usagef("the member %s is to vote with this transaction, and this wallet has none of its keys: write a PSBT with --psbt and have %s sign it (charter psbt sign)",
				speakers[i].member.Name, speakers[i].member.Name)
		}
	}
	review, err := w.Review(p, g.namer(records))
	if err != nil {
		return err
	}
	if err := g.e.confirm(ctx, out.text(), g.f.yes); err != nil {
		return err
	}
	if err := g.e.signReviewed(ctx, &g.f.walletFlags, w, review); err != nil {
		return err
	}
	if err := w.SendPacket(ctx, rpc, p); err != nil {
		return err
	}
	return out.print(p.TxID().String())
}

// useless is the error for records none of which would change anything.
func useless(sim *client.Simulation) error {
	for i := range sim.Records {
		if sim.Records[i].Effective {
			return nil
		}
	}
	r := &sim.Records[0]
	if len(r.Missing) == 0 {
		return fmt.Errorf("nothing would change: the vote %s is decided", shortID(r.ID))
	}
	return fmt.Errorf("nothing would change: these votes are counted already, %d of the %d needed; missing is one of: %s (charter approve %s)",
		r.Have, r.Need, names(r.Missing), shortID(r.ID))
}

// simulate asks the node what the next block would make of the records.
func (g *governance) simulate(ctx context.Context, records []record.Record, speakers []speaker) (*client.Simulation, error) {
	req := client.SimulateRequest{Identities: addresses(speakers)}
	for _, r := range records {
		data, err := record.Encode(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Op(), err)
		}
		req.Records = append(req.Records, hex.EncodeToString(data))
	}
	sim, err := g.node.SimulateRecords(ctx, req)
	if err != nil {
		return nil, asFailure(err)
	}
	if fault := sim.Error; fault != nil {
		return nil, fmt.Errorf("no block would take this: %s (%s)", fault.Detail, fault.Rule)
	}
	if len(sim.Records) != len(records) {
		return nil, fmt.Errorf("simulaterecords: %d results for %d records", len(sim.Records), len(records))
	}
	return sim, nil
}

// confirm shows what is about to be signed and asks for a yes.
func (e *env) confirm(ctx context.Context, text string, yes bool) error {
	if yes {
		return nil
	}
	if _, ok := e.terminal(); !ok || e.flags.json {
		return usagef("add --yes: there is nobody to ask before signing; with --dry-run it is shown only")
	}
	fmt.Fprintf(e.stderr, "%sSign and send this? [y/N] ", text)
	line, err := interruptible(ctx, func() (string, error) { return bufio.NewReader(io.LimitReader(e.stdin, 64)).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not confirmed; nothing was signed or sent")
}

// signReviewed unseals the keys for as long as signing takes.
func (e *env) signReviewed(ctx context.Context, f *walletFlags, w *wallet.Wallet, r *wallet.Review) error {
	return e.withKeys(ctx, f, w, func(keys *wallet.Keys) error {
		_, err := w.SignReviewed(r, keys)
		return err
	})
}

func (e *env) withKeys(ctx context.Context, f *walletFlags, w *wallet.Wallet, do func(*wallet.Keys) error) error {
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
	return do(keys)
}

// writeOut writes text to a new file, or to the standard output for "-".
func (e *env) writeOut(path, text string) error {
	if path == "-" {
		_, err := fmt.Fprintln(e.stdout, text)
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists: name another file", path)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(text + "\n")
	return errors.Join(err, file.Close())
}
