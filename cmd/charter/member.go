package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

func newMemberCommand(e *env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "member",
		Short: "List, create and rename the members of a chain with permissions",
		Long: `A member is an organisation. It holds permissions, and acts by keys that have
roles. Its id never changes; its name may. Wherever a command takes a MEMBER, the
name, the id or the address of one of its keys will do.`,
		Example: `  charter --chain acme member list
  charter --chain acme member show beta
  charter --chain acme member create gamma CARD --permissions connect,send,receive`,
	},
		newMemberListCommand(e),
		newMemberShowCommand(e),
		newMemberCreateCommand(e),
		newMemberRenameCommand(e),
	)
}

// exactArgs refuses another number of arguments, saying what they are.
func exactArgs(words ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(words) {
			return usagef("%s needs %s (%d arguments given)", cmd.Name(), strings.Join(words, " and "), len(args))
		}
		return nil
	}
}

func newMemberListCommand(e *env) *cobra.Command {
	var height int32
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the members with what they may do",
		Example: `  charter --chain acme member list
  charter --chain acme member list --at-height 1000 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, _, err := e.roster(cmd.Context(), height)
			if err != nil {
				return err
			}
			if e.flags.json {
				return e.printJSON(r.MemberList)
			}
			fmt.Fprintf(e.stdout, "%d members, as block %d is judged\n", len(r.Members), r.Height)
			w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tPERMISSIONS\tKEYS\tMINES\tID")
			for i := range r.Members {
				m := &r.Members[i]
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", m.Name, r.permissionsText(m), len(m.Keys), mines(m), m.ID)
			}
			return w.Flush()
		},
	}
	heightFlag(cmd, &height)
	return cmd
}

func heightFlag(cmd *cobra.Command, height *int32) {
	cmd.Flags().Int32Var(height, "at-height", 0, "show what held, or will hold by what is known now, for block `H` (default: the next block)")
}

// permissionsText lists what a member holds now or later.
func (r *roster) permissionsText(m *client.Member) string {
	var list []string
	for _, p := range m.Permissions {
		if p.Until > uint32(r.Height) {
			list = append(list, p.Permission+rangeText(p.From, p.Until, r.Height))
		}
	}
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ",")
}

// rangeText is a range as people read it, from a height on: "" for one that is
// in force for ever.
func rangeText(from, until uint32, height int32) string {
	var list []string
	if from > uint32(max(height, 0)) {
		list = append(list, fmt.Sprintf("from %d", from))
	}
	if until != client.Forever {
		list = append(list, fmt.Sprintf("until %d", until))
	}
	if len(list) == 0 {
		return ""
	}
	return " (" + strings.Join(list, " ") + ")"
}

func mines(m *client.Member) string {
	switch p := m.Mining; {
	case p == nil:
		return "no"
	case p.Active:
		return "yes"
	case !slices.ContainsFunc(m.Keys, func(k client.Key) bool { return acts(&k, record.Mine) }):
		return "no key for it"
	case p.NeedsReady:
		return "not ready"
	case p.ActiveFrom == client.Forever:
		return fmt.Sprintf("from %d, not ready", p.Since)
	default:
		return fmt.Sprintf("from %d", p.ActiveFrom)
	}
}

func newMemberShowCommand(e *env) *cobra.Command {
	var height int32
	cmd := &cobra.Command{
		Use:   "show MEMBER",
		Short: "Show a member with its keys",
		Example: `  charter --chain acme member show beta
  charter --chain acme member show ADDRESS --json`,
		Args: exactArgs("a member"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _, err := e.roster(cmd.Context(), height)
			if err != nil {
				return err
			}
			m, _, err := r.member(args[0])
			if err != nil {
				return err
			}
			if e.flags.json {
				return e.printJSON(m)
			}
			return e.printMember(r, m)
		},
	}
	heightFlag(cmd, &height)
	return cmd
}

func (e *env) printMember(r *roster, m *client.Member) error {
	fmt.Fprintf(e.stdout, "%s, as block %d is judged\nId           %s\nPermissions  %s\nMines        %s\n", m.Name, r.Height, m.ID, r.permissionsText(m), mines(m))
	if m.Mining != nil && m.Mining.NeedsReady {
		fmt.Fprintln(e.stdout, "             once its miner runs it has to say so: charter ready")
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tTYPE\tACTS AS")
	for _, k := range m.Keys {
		fmt.Fprintf(w, "%s\t%s\t%s%s\n", k.Address, k.Type, strings.Join(k.Roles, ","), rangeText(k.From, k.Until, r.Height))
	}
	return w.Flush()
}

func newMemberCreateCommand(e *env) *cobra.Command {
	var f recordFlags
	var permissions string
	cmd := &cobra.Command{
		Use:   "create NAME CARD|ADDRESS",
		Short: "Create a member with its first key",
		Long: `Creates a member with a first key, and with --permissions also grants it some in
the same transaction. The key comes as a card, which its owner makes with
charter key card --new NAME --roles …; a plain address will do for a key that
only sends and receives.`,
		Example: `  charter --chain acme member create gamma CARD --permissions connect,send,receive
  charter --chain acme member create shop ADDRESS --permissions send,receive --dry-run`,
		Args: exactArgs("a name", "a key card or an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var perms record.Set
			if permissions != "" {
				var err error
				if perms, err = parsePermissions(permissions); err != nil {
					return err
				}
			}
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				key, err := g.key(args[1])
				if err != nil {
					return nil, err
				}
				return g.create(args[0], key, perms)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&permissions, "permissions", "", "`permissions` to grant it, with commas between")
	return cmd
}

// create makes the records for a new member with permissions from now on, or
// without any.
func (g *governance) create(name string, key *keyArg, perms record.Set) ([]record.Record, error) {
	if err := g.freeName(name); err != nil {
		return nil, err
	}
	if err := g.free(key); err != nil {
		return nil, err
	}
	roles := record.Send | record.Receive
	if c := key.card; c != nil {
		if c.New != name {
			return nil, fmt.Errorf("the key card is for %s: have one made with `charter key card --new %s`", cardMember(g.roster, key), name)
		}
		roles = c.Terms.Roles
	}
	lapse, salt, err := g.vote()
	if err != nil {
		return nil, err
	}
	list := []record.Record{record.CreateMember{Lapse: lapse, Salt: salt, Name: name, Identity: key.identity, Roles: roles, Sig: key.sig()}}
	if perms == 0 {
		return list, nil
	}
	grant, err := g.grant(record.NewMemberID(name, key.identity), perms, record.Range{Until: record.Forever})
	return append(list, grant), err
}

// freeName makes sure that a member can be called so.
func (g *governance) freeName(name string) error {
	if err := record.CheckName(name); err != nil {
		return usagef("the name %q %w", name, err)
	}
	if m, ok := g.lookup(name); ok {
		return fmt.Errorf("there is a member %s already (%s)", m.Name, m.ID)
	}
	return nil
}

// cardMember says whose card it is.
func cardMember(r *roster, key *keyArg) string {
	if key.card.New != "" {
		return "a new member " + key.card.New
	}
	if m, ok := r.lookup(key.card.Terms.Member.String()); ok {
		return "the member " + m.Name
	}
	return "the member " + key.card.Terms.Member.String()
}

func newMemberRenameCommand(e *env) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:     "rename MEMBER NEW-NAME",
		Short:   "Give a member another name",
		Example: `  charter --chain acme member rename gamma delta`,
		Args:    exactArgs("a member", "a new name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				_, id, err := g.member(args[0])
				if err != nil {
					return nil, err
				}
				if err := g.freeName(args[1]); err != nil {
					return nil, err
				}
				lapse, salt, err := g.vote()
				return []record.Record{record.RenameMember{Lapse: lapse, Salt: salt, Member: id, Name: args[1]}}, err
			})
		},
	}
	f.register(cmd)
	return cmd
}
