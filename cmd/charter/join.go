package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/node/joining"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/wallet"
)

// joinFlags are the flags of charter join.
type joinFlags struct {
	show   bool
	host   string
	name   string
	member string
	noWait bool
}

func newJoinCommand(e *env) *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use:   "join LINE",
		Short: "Join a chain with a new node",
		Long: `Prepares a node of a chain of which nothing is here yet. The line to join by
comes from somebody who runs a node there (charter join --show); it is of the form

  ` + joining.Form + `

Gets the chain file from that node, and refuses one that does not make the
chain named; writes it and the node's settings to <datadir>/<chain>; makes
the node's key; and prints what to ask an administrator for, if not everybody
may connect. Then it waits until the node is let in, or, where charterd runs
already, until that has caught up. Stopped, it can be called again.

With --show it prints the line by which others join by the node here.`,
		Example: `  charter join charter://acme1p…@node.example:8430/000d… --name beta
  charter --chain acme join --show --host node.example`,
		Args: func(_ *cobra.Command, args []string) error {
			if f.show == (len(args) > 0) || len(args) > 1 {
				return usagef("give the line to join by, and nothing else, or --show")
			}
			if f.name != "" && f.member != "" {
				return usagef("--name is for a member to be, --member for one that exists: give one of them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.show {
				return e.showJoin(cmd.Context(), f.host)
			}
			inv, err := joining.Parse(strings.TrimSpace(args[0]))
			if err != nil {
				return &usageError{err}
			}
			return e.join(cmd.Context(), inv, &f)
		},
	}
	set := cmd.Flags()
	set.BoolVar(&f.show, "show", false, "print the line by which others join by the node here")
	set.StringVar(&f.host, "host", "", "with --show: `HOST[:PORT]` under which others reach the node (default: what it was told with --external)")
	set.StringVar(&f.name, "name", "", "`name` of the member to be that the node's key is the first of (default: the end of its address)")
	set.StringVar(&f.member, "member", "", "`id` of the member, if it exists already")
	set.BoolVar(&f.noWait, "no-wait", false, "print what to do and end")
	return cmd
}

// showJoin prints the line by which others join.
func (e *env) showJoin(ctx context.Context, host string) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	info, err := c.JoinInfo(ctx, host)
	if err != nil {
		return asFailure(err)
	}
	if e.flags.json {
		return e.printJSON(info)
	}
	if info.Local {
		fmt.Fprintf(e.stderr, "%s can be reached from this machine only: name another with --host.\n", info.Host)
	}
	_, err = fmt.Fprintln(e.stdout, info.Line)
	return err
}

// joinResult is what charter join --json prints.
type joinResult struct {
	Chain       string `json:"chain"`
	Folder      string `json:"folder"` // of chain file, settings and key
	GenesisHash string `json:"genesis_hash"`
	Identity    string `json:"identity"`       // of the node
	Card        string `json:"card,omitempty"` // of its key; none where everybody may connect
	Member      string `json:"member,omitempty"`
	Admitted    bool   `json:"admitted"` // known to be let in
}

// joiner is a node on its way to a chain.
type joiner struct {
	e     *env
	f     *joinFlags
	door  *joining.Door
	chain *params.Params
	dir   string
	key   *btcec.PrivateKey
	joinResult
}

func (e *env) join(ctx context.Context, inv *joining.Invitation, f *joinFlags) error {
	if e.flags.dev || e.flags.chain != "" {
		return usagef("the line names the chain: leave --chain and --dev out")
	}
	var dialer net.Dialer
	j := &joiner{e: e, f: f, door: &joining.Door{
		Invitation: inv, Now: e.now, Rand: e.rand,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		},
	}}
	p, err := j.door.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("get the chain file from %s: %w", inv.Target(), err)
	}
	if err := j.settle(p); err != nil {
		return err
	}
	defer j.key.Zero()
	if err := j.makeCard(); err != nil {
		return err
	}
	if !e.flags.json {
		j.printFound()
	}
	if !f.noWait {
		if err := j.wait(ctx); err != nil {
			return err
		}
	}
	if e.flags.json {
		return e.printJSON(j.joinResult)
	}
	return nil
}

// settle makes the chain's folder, with what is not there yet.
func (j *joiner) settle(p *params.Params) error {
	base, err := j.e.baseDir()
	if err != nil {
		return err
	}
	j.chain, j.dir = p, filepath.Join(base, p.Name)
	j.e.flags.chain, j.e.chain = p.Name, p
	path := filepath.Join(j.dir, "chain.toml")
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		own, err := params.Load(text, path)
		if err != nil {
			return err
		}
		if own.GenesisHash != p.GenesisHash {
			return fmt.Errorf("%s holds another chain of the name %s (genesis block %v): choose another --datadir", j.dir, p.Name, own.GenesisHash)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if err := os.MkdirAll(j.dir, 0o700); err != nil {
			return err
		}
		if err := writeChainFile(path, params.Render(p), true); err != nil {
			return err
		}
	}
	if err := j.writeSettings(); err != nil {
		return err
	}
	if j.key, err = keyfile.LoadOrCreate(filepath.Join(j.dir, nodeKeyFile), j.e.rand); err != nil {
		return err
	}
	identity, _ := p.Address.Encode(keyfile.Script(j.key))
	j.joinResult = joinResult{Chain: p.Name, Folder: j.dir, GenesisHash: p.GenesisHash.String(), Identity: identity}
	return nil
}

// writeSettings tells the node whom to dial and which block is settled, unless
// it has settings of its own.
func (j *joiner) writeSettings() error {
	path := filepath.Join(j.dir, "charterd.toml")
	text := fmt.Sprintf("# Settings of this chain's node, by charter join.\n\naddnode = [%q]\n", j.door.Peer())
	if settled := j.door.Settled(); settled != "" {
		text += fmt.Sprintf("settled = %q\n", settled)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if old, err := os.ReadFile(path); err == nil && string(old) != text {
			fmt.Fprintf(j.e.stderr, "%s exists and stays as it is; for this line it would have:\n%s", path, text)
		}
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// makeCard signs the card that an administrator needs, if there is one.
func (j *joiner) makeCard() error {
	if !j.chain.Permissions.Restricts(params.PermConnect) {
		return nil
	}
	terms := record.KeyTerms{Roles: record.Connect, Range: record.Range{Until: record.Forever}}
	founder := j.f.name
	if j.f.member != "" {
		var err error
		if terms.Member, err = record.ParseMemberID(j.f.member); err != nil {
			return usagef("--member: %w", err)
		}
	} else if founder == "" {
		founder = wallet.NameFor(j.Identity)
	}
	card, err := wallet.MakeCard(j.chain.GenesisHash, j.key, founder, terms)
	if err != nil {
		return err
	}
	j.Card, j.Member = card.Text(j.chain.Address), card.Terms.Member.String()
	return nil
}

// printFound says what was made, and what to ask an administrator for.
func (j *joiner) printFound() {
	out := j.e.stdout
	fmt.Fprintf(out, "Chain %s, genesis block %s.\n", j.Chain, j.GenesisHash)
	fmt.Fprintf(out, "Its chain file and this node's settings and key are in %s.\n", j.dir)
	fmt.Fprintf(out, "This node is %s.\n\n", j.Identity)
	switch {
	case j.Card == "":
		fmt.Fprint(out, "Everybody may connect on this chain.\n\n")
	case j.f.member != "":
		fmt.Fprintf(out, "To let it in, the member it is for, or an administrator, runs:\n  charter --chain %s key add %s %s\n\n", j.Chain, j.f.member, j.Card)
	default:
		fmt.Fprintf(out, "To let it in, an administrator of the chain runs:\n  charter --chain %s grant %s connect\n\n", j.Chain, j.Card)
	}
}
