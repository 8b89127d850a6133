package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/wallet"
)

func newKeyCommand(e *env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "Make keys and key cards, and add, change and remove members' keys",
		Long: `A member acts by keys: its nodes' (node.key) connect, its miners' (miner.key)
seal blocks, its wallet's addresses send, receive, administer and manage keys. A
key that is to have a role other than send and receive agrees by its own
signature, in a key card: one line that its owner makes and gives to whoever
adds the key.`,
		Example: `  charter --chain acme key card --node --roles connect --member beta
  charter --chain acme key add beta CARD`,
	},
		newKeyNewCommand(e),
		newKeyCardCommand(e),
		newKeyAddCommand(e),
		newKeyChangeCommand(e),
		newKeyRemoveCommand(e),
	)
}

func newKeyNewCommand(e *env) *cobra.Command {
	var where cardFlags
	cmd := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make a key for a node or a miner",
		Long: `Makes a private key in FILE, readable by its owner only, and shows its address
on the chain. With --node or --miner the file is the one in the chain's data
folder from which a node takes its identity or the key that seals its blocks.
A file that is there already stays as it is.`,
		Example: `  charter --chain acme key new --miner
  charter --chain acme key new next-miner.key`,
		Args: func(_ *cobra.Command, args []string) error {
			if named := where.node || where.miner; len(args) > 1 || named == (len(args) == 1) {
				return usagef("key new needs a file, or --miner or --node in its place")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				where.file = args[0]
			}
			return e.newKey(&where)
		},
	}
	cmd.Flags().BoolVar(&where.node, "node", false, "make node.key in the chain's data folder")
	cmd.Flags().BoolVar(&where.miner, "miner", false, "make miner.key in the chain's data folder")
	cmd.MarkFlagsMutuallyExclusive("node", "miner")
	return cmd
}

func (e *env) newKey(where *cardFlags) error {
	p, err := e.params()
	if err != nil {
		return err
	}
	path, err := e.keyPath(where)
	if err != nil {
		return err
	}
	if where.file == "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("make the chain's data folder: %w", err)
		}
	}
	key, err := keyfile.Create(path, e.rand)
	if err != nil {
		return err
	}
	defer key.Zero()
	address, _ := p.Address.Encode(keyfile.Script(key))
	if e.flags.json {
		return e.printJSON(map[string]string{"file": path, "address": address})
	}
	_, err = fmt.Fprintf(e.stdout, "Made a key in %s.\nAddress %s\n", path, address)
	return err
}

// cardFlags say which key makes a card, and for what.
type cardFlags struct {
	walletFlags
	rangeFlags
	node, miner bool
	file        string
	address     string
	roles       string
	member      string
	founder     string
}

func newKeyCardCommand(e *env) *cobra.Command {
	var f cardFlags
	cmd := &cobra.Command{
		Use:   "card",
		Short: "Make a key card: a key agrees to act for a member",
		Long: `Prints a key card: the key agrees to act for a member in some roles and heights,
and proves that its owner has the private key. Give the line to an administering
member, or to one that manages the member's keys; it is no secret.

The key is the wallet's first address, or --address; with --node or --miner that
of the node's or the miner's key file; or that in --file. Of a member that does
not exist yet the card names it (--new).`,
		Example: `  charter --chain acme key card --new gamma --roles connect,send,receive,manage
  charter --chain acme key card --node --roles connect --member gamma
  charter --chain acme key card --file miner.key --roles mine --member gamma --from 5000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.makeCard(cmd.Context(), &f) },
	}
	set := cmd.Flags()
	f.walletFlags.register(set)
	f.rangeFlags.register(cmd, "first `block` (default: the next)", "`block` before which it ends (default: forever)")
	set.BoolVar(&f.node, "node", false, "the node's key, node.key in the chain's data folder")
	set.BoolVar(&f.miner, "miner", false, "the miner's key, miner.key in the chain's data folder")
	set.StringVar(&f.file, "file", "", "the key in this `file`")
	set.StringVar(&f.address, "address", "", "this `address` of the wallet (default: its first)")
	set.StringVar(&f.roles, "roles", "", "`roles` with commas between: permissions, and manage")
	set.StringVar(&f.member, "member", "", "`member` that the key is to act for, by name or id")
	set.StringVar(&f.founder, "new", "", "`name` of the member that the key is to be the first of")
	cmd.MarkFlagsMutuallyExclusive("node", "miner", "file", "address")
	return cmd
}

func (e *env) makeCard(ctx context.Context, f *cardFlags) error {
	p, err := e.permissioned()
	if err != nil {
		return err
	}
	var terms record.KeyTerms
	if terms.Roles, err = parseSet(f.roles); err != nil {
		return err
	}
	if terms.Roles == 0 {
		return usagef("name the key's roles with --roles")
	}
	if (f.member == "") == (f.founder == "") {
		return usagef("name the member with --member, or with --new if it does not exist yet")
	}
	if terms.Range, err = f.span(); err != nil {
		return err
	}
	if f.member != "" {
		if terms.Member, err = e.memberID(ctx, f.member); err != nil {
			return err
		}
	}
	card, err := e.signCard(ctx, f, p, terms)
	if err != nil {
		return err
	}
	text := card.Text(p.Address)
	if e.flags.json {
		address, _ := p.Address.Encode(card.Terms.Identity)
		return e.printJSON(map[string]any{"card": text, "address": address, "member": card.Terms.Member.String(), "roles": card.Terms.Roles.Names()})
	}
	_, err = fmt.Fprintln(e.stdout, text)
	return err
}

// memberID turns an id or a name into an id. For an id no node is needed.
func (e *env) memberID(ctx context.Context, which string) (record.MemberID, error) {
	if id, err := record.ParseMemberID(which); err == nil {
		return id, nil
	}
	r, _, err := e.roster(ctx, 0)
	if err != nil {
		return record.MemberID{}, err
	}
	_, id, err := r.member(which)
	return id, err
}

func (e *env) signCard(ctx context.Context, f *cardFlags, p *params.Params, terms record.KeyTerms) (*wallet.Card, error) {
	path, err := e.keyPath(f)
	if err != nil {
		return nil, err
	}
	if path != "" {
		key, err := loadKey(path)
		if err != nil {
			return nil, err
		}
		defer key.Zero()
		return wallet.MakeCard(p.GenesisHash, key, f.founder, terms)
	}
	var card *wallet.Card
	err = e.withWallet(&f.walletFlags, func(w *wallet.Wallet) error {
		address := f.address
		if address == "" {
			if address, err = w.FirstAddress(); err != nil {
				return err
			}
		}
		if terms.Identity, err = p.Address.Decode(address); err != nil {
			return err
		}
		return e.withKeys(ctx, &f.walletFlags, w, func(keys *wallet.Keys) error {
			card, err = w.Card(keys, p.GenesisHash, f.founder, terms)
			return err
		})
	})
	return card, err
}

// keyPath is the file with the key that makes a card; "": the wallet does.
func (e *env) keyPath(f *cardFlags) (string, error) {
	name := ""
	switch {
	case f.node:
		name = "node.key"
	case f.miner:
		name = "miner.key"
	default:
		return f.file, nil
	}
	dir, err := e.chainDir()
	return filepath.Join(dir, name), err
}

func loadKey(path string) (*btcec.PrivateKey, error) {
	key, err := keyfile.Load(path)
	if err != nil {
		return nil, fmt.Errorf("%w (charter key new --miner makes one; a node makes its node.key when it first starts)", err)
	}
	return key, nil
}

const keyLong = `The key comes as a card, which its owner makes with charter key card; a plain
address with --roles will do for a key that only sends and receives. A key with
the role manage changes the keys of its own member alone; for other members it
takes the votes of the administering ones, which is how a member is restored
that lost all its keys.`

func newKeyAddCommand(e *env) *cobra.Command {
	return newKeySetCommand(e, &cobra.Command{
		Use:   "add MEMBER CARD|ADDRESS",
		Short: "Add a key to a member",
		Long:  "Adds a key to a member. " + keyLong,
		Example: `  charter --chain acme key add beta CARD
  charter --chain acme key add beta ADDRESS --roles send,receive --from 5000`,
	}, true)
}

func newKeyChangeCommand(e *env) *cobra.Command {
	return newKeySetCommand(e, &cobra.Command{
		Use:   "change MEMBER CARD|ADDRESS",
		Short: "Give a member's key other roles or heights",
		Long:  "Gives a key of a member other roles and another range of heights. " + keyLong,
		Example: `  charter --chain acme key change beta CARD
  charter --chain acme key change beta ADDRESS --roles receive --until 9000`,
	}, false)
}

// newKeySetCommand is add and change, which differ in the record.
func newKeySetCommand(e *env, cmd *cobra.Command, add bool) *cobra.Command {
	var f recordFlags
	var span rangeFlags
	var roles string
	cmd.Args = exactArgs("a member", "a key card or an address")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asked, err := parseSet(roles)
		if err != nil {
			return err
		}
		heights, err := span.span()
		if err != nil {
			return err
		}
		return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
			key, err := g.key(args[1])
			if err != nil {
				return nil, err
			}
			set := keySet{member: args[0], key: key, roles: asked, heights: heights, given: span != (rangeFlags{})}
			return g.setKey(set, add)
		})
	}
	f.register(cmd)
	span.register(cmd, "first `block` (default: the next; a card has its own)", "`block` before which it ends (default: forever; a card has its own)")
	cmd.Flags().StringVar(&roles, "roles", "", "`roles` with commas between; a card has its own")
	return cmd
}

// keySet is what key add and key change are asked for.
type keySet struct {
	member  string
	key     *keyArg
	roles   record.Set
	heights record.Range
	given   bool // the heights were
}

func (g *governance) setKey(s keySet, add bool) ([]record.Record, error) {
	m, id, err := g.member(s.member)
	if err != nil {
		return nil, err
	}
	if s.roles, err = s.key.roles(s.roles); err != nil {
		return nil, err
	}
	if c := s.key.card; c != nil {
		if c.Terms.Member != id {
			return nil, fmt.Errorf("the key card is for %s, not for %s: have another made with --member %s", cardMember(g.roster, s.key), m.Name, m.Name)
		}
		if s.given && s.heights != c.Terms.Range {
			return nil, errors.New("the key signed its card for other heights: have another made, or leave --from and --until out")
		}
		s.heights = c.Terms.Range
	} else if s.roles == 0 {
		return nil, usagef("an address needs --roles (send, receive); for other roles give a key card")
	}
	holder, ok := g.lookup(s.key.address)
	switch {
	case add && ok:
		return nil, g.free(s.key)
	case !add && (!ok || holder != m):
		return nil, fmt.Errorf("%s is no key of the member %s: `charter member show %s` lists them", s.key.address, m.Name, m.Name)
	}
	lapse, salt, err := g.vote()
	r := record.AddKey{Lapse: lapse, Salt: salt, Member: id, Identity: s.key.identity, Roles: s.roles, Range: s.heights, Sig: s.key.sig()}
	if add {
		return []record.Record{r}, err
	}
	return []record.Record{record.ChangeKey(r)}, err
}

func newKeyRemoveCommand(e *env) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:     "remove MEMBER ADDRESS",
		Short:   "Take a key away from a member",
		Example: `  charter --chain acme key remove beta ADDRESS`,
		Args:    exactArgs("a member", "the address of its key"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				m, id, err := g.member(args[0])
				if err != nil {
					return nil, err
				}
				key, err := g.key(args[1])
				if err != nil {
					return nil, err
				}
				if holder, ok := g.lookup(key.address); !ok || holder != m {
					return nil, fmt.Errorf("%s is no key of the member %s: `charter member show %s` lists them", key.address, m.Name, m.Name)
				}
				lapse, salt, err := g.vote()
				return []record.Record{record.RemoveKey{Lapse: lapse, Salt: salt, Member: id, Identity: key.identity}}, err
			})
		},
	}
	f.register(cmd)
	return cmd
}
