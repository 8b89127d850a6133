package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

func newRestartCommand(e *env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "restart",
		Short: "Restart a chain that has lost its miners",
		Long: `When too few mining members are left to make blocks, more than half of the
administering members can restart the chain on its last block: from then on only
the members that they list mine, until others are granted mine anew. The block
cannot come before the chain's restart_delay is over, and a branch that is
longer than the miners of a minority could make it wins.

One of them makes a file, each signs it in turn (or a copy of it), and whoever
runs a node that mines for a listed member submits it.`,
		Example: `  charter --chain acme restart make --miners alpha,beta again.restart
  charter --chain acme restart sign again.restart
  charter --chain acme restart submit again.restart`,
	},
		newRestartMakeCommand(e),
		newRestartSignCommand(e),
		newRestartSubmitCommand(e),
	)
}

// restartFile is a restart on its way: what is decided, and who agreed. Names
// are for people; ids count.
type restartFile struct {
	Chain      string             `json:"chain"`
	Genesis    string             `json:"genesis"`
	Parent     string             `json:"parent"`
	Height     int32              `json:"height"` // of the parent
	Miners     []client.MemberRef `json:"miners"`
	Signatures []restartSig       `json:"signatures"`
}

type restartSig struct {
	client.MemberRef
	Key       []byte `json:"key"` // x-only
	Signature []byte `json:"signature"`
}

func newRestartMakeCommand(e *env) *cobra.Command {
	var miners []string
	var parent string
	cmd := &cobra.Command{
		Use:     "make FILE",
		Short:   "Write the file that administering members sign",
		Long:    "Writes a file that says on which block the chain is to go on, and who mines then.",
		Example: `  charter --chain acme restart make --miners alpha,beta again.restart`,
		Args:    exactArgs("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(miners) == 0 {
				return usagef("name the members that mine from then on with --miners")
			}
			return e.makeRestart(cmd.Context(), args[0], miners, parent)
		},
	}
	cmd.Flags().StringSliceVar(&miners, "miners", nil, "`members` that mine from then on, with commas between")
	cmd.Flags().StringVar(&parent, "parent", "", "`hash` of the last block (default: the node's best one, which it has to be)")
	return cmd
}

func (e *env) makeRestart(ctx context.Context, path string, miners []string, parent string) error {
	r, c, err := e.roster(ctx, 0)
	if err != nil {
		return err
	}
	info, err := c.RestartInfo(ctx)
	if err != nil {
		return asFailure(err)
	}
	if parent != "" && !strings.EqualFold(parent, info.Parent) {
		return fmt.Errorf("the node's best block is %s (height %d), not %s: the chain can be restarted on its last block only", info.Parent, info.Height, parent)
	}
	f := restartFile{Chain: r.chain.Name, Genesis: r.chain.GenesisHash.String(), Parent: info.Parent, Height: info.Height}
	for _, name := range miners {
		m, _, err := r.member(name)
		if err != nil {
			return err
		}
		if !slices.Contains(f.Miners, m.MemberRef) {
			f.Miners = append(f.Miners, m.MemberRef)
		}
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := e.writeOut(path, string(text)); err != nil {
		return err
	}
	if e.flags.json || path == "-" {
		return nil
	}
	_, err = fmt.Fprintf(e.stdout, "Wrote %s: %s\nIt takes %d of the administering members %s; each runs: charter --chain %s%s restart sign %s\n",
		path, f.words(), info.Need, names(info.Administrators), r.chain.Name, e.datadirFlag(), shellQuote(path))
	return err
}

// words says what a restart means.
func (f *restartFile) words() string {
	only := "only " + names(f.Miners) + " mine"
	if len(f.Miners) == 1 {
		only += "s"
	}
	return fmt.Sprintf("the chain %s goes on after block %s at height %d, and from then on %s; all others lose mine, and have to be granted it again.",
		f.Chain, f.Parent, f.Height, only)
}

// decision is the parsed part of a file.
type decision struct {
	genesis, parent chainhash.Hash
	miners          []record.MemberID
}

func (f *restartFile) decision() (d decision, err error) {
	if err := chainhash.Decode(&d.genesis, f.Genesis); err != nil {
		return d, fmt.Errorf("genesis: %w", err)
	}
	if err := chainhash.Decode(&d.parent, f.Parent); err != nil {
		return d, fmt.Errorf("parent: %w", err)
	}
	for _, m := range f.Miners {
		id, err := record.ParseMemberID(m.ID)
		if err != nil {
			return d, fmt.Errorf("miner %s: %w", m.Name, err)
		}
		d.miners = append(d.miners, id)
	}
	return d, nil
}

// readRestart reads a file and makes sure that it is for this chain.
func (e *env) readRestart(path string) (*restartFile, decision, error) {
	p, err := e.permissioned()
	if err != nil {
		return nil, decision{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, decision{}, err
	}
	f := new(restartFile)
	if err := json.Unmarshal(text, f); err != nil {
		return nil, decision{}, fmt.Errorf("%s is no file of charter restart make: %w", path, err)
	}
	d, err := f.decision()
	if err != nil {
		return nil, d, fmt.Errorf("%s: %w", path, err)
	}
	if d.genesis != p.GenesisHash {
		return nil, d, fmt.Errorf("%s is for the chain with genesis block %v, not for %s (%v)", path, d.genesis, p.Name, p.GenesisHash)
	}
	return f, d, nil
}

func newRestartSignCommand(e *env) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Agree to a restart",
		Long: `Shows what a restart means and signs it by the key with which this wallet's
member administers. The signature is added to the file. A node has to run, on the
branch that is to go on.`,
		Example: `  charter --chain acme restart sign again.restart`,
		Args:    exactArgs("a file"),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.signRestart(cmd.Context(), args[0], &f) },
	}
	f.walletFlags.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask before signing")
	return cmd
}

func (e *env) signRestart(ctx context.Context, path string, flags *recordFlags) error {
	f, d, err := e.readRestart(path)
	if err != nil {
		return err
	}
	r, c, err := e.roster(ctx, 0)
	if err != nil {
		return err
	}
	info, err := c.RestartInfo(ctx)
	if err != nil {
		return asFailure(err)
	}
	if info.Parent != f.Parent {
		return fmt.Errorf("the node's best block is %s (height %d), and the restart is on %s: the chain went on, or the node is on another branch; it cannot be used here", info.Parent, info.Height, f.Parent)
	}
	for i := range f.Miners { // the names in a file prove nothing
		m, _, err := r.member(f.Miners[i].ID)
		if err != nil {
			return err
		}
		f.Miners[i] = m.MemberRef
	}
	return e.withWallet(&flags.walletFlags, func(w *wallet.Wallet) error {
		g := &governance{roster: r, e: e, f: flags, node: c}
		who, err := g.administering(w)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s agrees to a restart: %s\n", who.member.Name, f.words())
		if err := e.confirm(ctx, text, flags.yes); err != nil {
			return err
		}
		if err := e.addSignature(ctx, w, flags, f, d, who); err != nil {
			return err
		}
		if err := f.replace(path); err != nil {
			return err
		}
		return e.printSigned(path, f, info, text)
	})
}

// administering finds the key of the wallet by which its member administers.
func (g *governance) administering(w *wallet.Wallet) (*speaker, error) {
	for i := range g.Members {
		m := &g.Members[i]
		if !m.Administers {
			continue
		}
		for _, s := range g.governing(w, m) {
			if acts(s.key, record.Admin) && s.key.InForce {
				return &s, nil
			}
		}
	}
	return nil, fmt.Errorf("no key of this wallet administers: the members that do are %s", strings.Join(g.administrators(), ", "))
}

func (e *env) addSignature(ctx context.Context, w *wallet.Wallet, flags *recordFlags, f *restartFile, d decision, who *speaker) error {
	id, err := record.ParseMemberID(who.member.ID)
	if err != nil {
		return err
	}
	return e.withKeys(ctx, &flags.walletFlags, w, func(keys *wallet.Keys) error {
		sig, err := w.SignRestart(keys, d.genesis, d.parent, d.miners, id, who.script)
		if err != nil {
			return err
		}
		f.add(restartSig{MemberRef: who.member.MemberRef, Key: sig.Key[:], Signature: sig.Sig[:]})
		return nil
	})
}

// add takes a signature in, in place of an earlier one of the same member.
func (f *restartFile) add(sig restartSig) {
	f.Signatures = slices.DeleteFunc(f.Signatures, func(s restartSig) bool { return s.ID == sig.ID })
	f.Signatures = append(f.Signatures, sig)
}

// replace writes the file as a whole.
func (f *restartFile) replace(path string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func (e *env) printSigned(path string, f *restartFile, info *client.RestartInfo, text string) error {
	if e.flags.json {
		return e.printJSON(map[string]int{"have": len(f.Signatures), "need": info.Need})
	}
	have := make([]client.MemberRef, len(f.Signatures))
	for i := range have {
		have[i] = f.Signatures[i].MemberRef
	}
	_, err := fmt.Fprintf(e.stdout, "%sSigned: %d of %d, by %s.\n", text, len(have), info.Need, names(have))
	if err == nil && len(have) >= info.Need {
		_, err = fmt.Fprintf(e.stdout, "That is enough. A node that mines for one of %s uses it: charter --chain %s%s restart submit %s\n", names(f.Miners), f.Chain, e.datadirFlag(), shellQuote(path))
	}
	return err
}

func newRestartSubmitCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "submit FILE...",
		Short: "Give a signed restart to the miner of this node",
		Long: `Gives a restart that enough administering members signed to the node, whose
member has to be among those that mine from then on. Of several copies of one
file the signatures are taken together. The node makes the block as soon as the
chain allows.`,
		Example: `  charter --chain acme restart submit again.restart`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the file, or files, that members signed")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.submitRestart(cmd.Context(), args) },
	}
}

func (e *env) submitRestart(ctx context.Context, paths []string) error {
	f, d, err := e.readRestart(paths[0])
	if err != nil {
		return err
	}
	for _, path := range paths[1:] {
		other, od, err := e.readRestart(path)
		if err != nil {
			return err
		}
		if od.parent != d.parent || !slices.Equal(od.miners, d.miners) {
			return fmt.Errorf("%s and %s decide different things", paths[0], path)
		}
		for _, sig := range other.Signatures {
			f.add(sig)
		}
	}
	cert, err := f.certificate(d)
	if err != nil {
		return err
	}
	c, err := e.client()
	if err != nil {
		return err
	}
	if err := c.SubmitRestart(ctx, fmt.Sprintf("%x", cert.Script())); err != nil {
		return asFailure(err)
	}
	info, err := c.RestartInfo(ctx)
	if err != nil {
		return asFailure(err)
	}
	if e.flags.json {
		return e.printJSON(info)
	}
	_, err = fmt.Fprintf(e.stdout, "The node makes the restart block, not before %s.\n", time.Unix(info.From, 0).Format(time.DateTime))
	return err
}

// certificate is the file as the chain has it.
func (f *restartFile) certificate(d decision) (*seal.Certificate, error) {
	if len(f.Signatures) == 0 {
		return nil, errors.New("nobody signed the restart yet: charter restart sign")
	}
	sigs := make([]seal.Signature, len(f.Signatures))
	for i, s := range f.Signatures {
		id, err := record.ParseMemberID(s.ID)
		if err != nil || len(s.Key) != len(sigs[i].Key) || len(s.Signature) != len(sigs[i].Sig) {
			return nil, fmt.Errorf("the signature of %s is damaged", s.Name)
		}
		sigs[i] = seal.Signature{Member: id, Key: [32]byte(s.Key), Sig: [64]byte(s.Signature)}
	}
	return seal.NewCertificate(d.parent, d.miners, sigs)
}
