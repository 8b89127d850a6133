package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// rangeFlags are --from and --until.
type rangeFlags struct{ from, until string }

func (f *rangeFlags) register(cmd *cobra.Command, from, until string) {
	cmd.Flags().StringVar(&f.from, "from", "", from)
	cmd.Flags().StringVar(&f.until, "until", "", until)
}

// span is the range that the flags say: from 0, the next block, and for ever,
// unless they are given.
func (f *rangeFlags) span() (record.Range, error) {
	from, until := f.from, f.until
	if from == "" {
		from = "0"
	}
	if until == "" {
		until = "forever"
	}
	r, err := wallet.ParseRange(from, until)
	if err != nil {
		return r, &usageError{err}
	}
	return r, nil
}

func newGrantCommand(e *env) *cobra.Command {
	var f recordFlags
	var span rangeFlags
	cmd := &cobra.Command{
		Use:   "grant MEMBER|ADDRESS|CARD PERMISSIONS",
		Short: "Grant permissions to a member",
		Long: `Grants permissions (connect, mine, send, receive, admin, activate, issue, create;
commas between) to a member, from block --from until before block --until. An
address or a key card that is no member's yet also makes a member with that one
key, named by the card or after the address's last eight characters.

Most grants need the votes of several administering members: each of them runs
the same command, or charter approve. One activator may grant connect, send and
receive alone; a member that has one key to administer and another to activate
chooses by --as. A member that is granted mine has to run charter ready once its
miner runs.`,
		Example: `  charter --chain acme grant beta connect,send,receive
  charter --chain acme grant beta mine --from 5000 --dry-run
  charter --chain acme grant ADDRESS send,receive --yes
  charter --chain acme grant CARD connect,send,receive --psbt grant.psbt --signers alpha,beta`,
		Args: exactArgs("a member", "permissions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			perms, err := parsePermissions(args[1])
			if err != nil {
				return err
			}
			heights, err := span.span()
			if err != nil {
				return err
			}
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				return g.grantTo(args[0], perms, heights)
			})
		},
	}
	f.register(cmd)
	span.register(cmd, "first `block` (default: the next)", "`block` before which it ends (default: forever)")
	return cmd
}

// grantTo makes the records that grant permissions to whoever is named, with a
// new member where it is the key of none.
func (g *governance) grantTo(which string, perms record.Set, heights record.Range) ([]record.Record, error) {
	if first := uint32(g.Height) + 1; heights.Until <= first {
		return nil, fmt.Errorf("nothing would be in force: the range ends before block %d, and what is granted now counts from block %d on", heights.Until, first)
	}
	if m, ok := g.lookup(which); ok {
		return g.grantExisting(m, which, perms, heights)
	}
	_, err := g.chain.Address.Decode(which)
	if err != nil && !wallet.IsCard(which) {
		return nil, g.unknown(which)
	}
	key, err := g.key(which)
	if err != nil {
		return nil, err
	}
	if key.card != nil && key.card.New == "" {
		m, _, err := g.member(key.card.Terms.Member.String())
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("the key card is for the member %s: add the key with `charter key add %s CARD`, and grant to the member by its name", m.Name, m.Name)
	}
	return g.grantNew(key, perms, heights)
}

func (g *governance) grantExisting(m *client.Member, which string, perms record.Set, heights record.Range) ([]record.Record, error) {
	id, err := record.ParseMemberID(m.ID)
	if err != nil {
		return nil, err
	}
	if which != m.Name {
		g.note("%s is a key of the member %s, which is granted this as a whole.", which, m.Name)
	}
	var can record.Set
	for i := range m.Keys {
		for perm := range perms.Each() {
			if acts(&m.Keys[i], perm) {
				can |= perm
			}
		}
	}
	g.noteRoles(m.Name, perms&^can)
	r, err := g.grant(id, perms, heights)
	return []record.Record{r}, err
}

// noteRoles says which permissions a member cannot use for want of a key.
func (g *governance) noteRoles(name string, missing record.Set) {
	if missing != 0 {
		g.note("No key of %s has the role %s: it can use the permission once one has (charter key add or change).", name, missing)
	}
}

func (g *governance) grantNew(key *keyArg, perms record.Set, heights record.Range) ([]record.Record, error) {
	name := wallet.NameFor(key.address)
	if key.card != nil {
		name = key.card.New
	} else if perms.Any(record.NeedsKey) {
		_, err := key.roles(perms)
		return nil, fmt.Errorf("%s is no key of any member yet: %w", key.address, err)
	}
	list, err := g.create(name, key, 0)
	if err != nil {
		return nil, err
	}
	g.note("%s is no key of any member yet: this makes the member %s with it.", key.address, name)
	if created, ok := list[0].(record.CreateMember); ok {
		g.noteRoles(name, perms&^created.Roles)
	}
	r, err := g.grant(record.NewMemberID(name, key.identity), perms, heights)
	return append(list, r), err
}

func (g *governance) grant(id record.MemberID, perms record.Set, heights record.Range) (record.Record, error) {
	lapse, salt, err := g.vote()
	return record.Grant{Lapse: lapse, Salt: salt, Member: id, Permissions: perms, Range: heights}, err
}

func newRevokeCommand(e *env) *cobra.Command {
	var f recordFlags
	var span rangeFlags
	cmd := &cobra.Command{
		Use:   "revoke MEMBER|ADDRESS PERMISSIONS",
		Short: "Take permissions away from a member",
		Long: `Takes permissions away from a member: at once, or from block --from on; with
--until it has them again from that block on. Sessions of its nodes end with the
block that takes the revocation in. At least one member that administers and one
that mines have to stay.`,
		Example: `  charter --chain acme revoke beta mine --dry-run
  charter --chain acme revoke beta connect,send,receive --from 9000`,
		Args: exactArgs("a member", "permissions"),
		RunE: func(cmd *cobra.Command, args []string) error {
			perms, err := parsePermissions(args[1])
			if err != nil {
				return err
			}
			if span.from != "" && span.until != "" {
				return usagef("a permission has one range: revoke it at once until a block (--until), or from a block on (--from), not both")
			}
			heights, err := span.span()
			if err != nil {
				return err
			}
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				m, id, err := g.member(args[0])
				if err != nil {
					return nil, err
				}
				return g.revoke(m, id, perms, &span, heights)
			})
		},
	}
	f.register(cmd)
	span.register(cmd, "first `block` without them (default: the next)", "`block` from which the member has them again (default: never)")
	return cmd
}

// revoke makes one record for each range that is left of the permissions.
func (g *governance) revoke(m *client.Member, id record.MemberID, perms record.Set, span *rangeFlags, heights record.Range) ([]record.Record, error) {
	left := make(map[record.Range]record.Set)
	var order []record.Range
	for perm := range perms.Each() {
		held, ok := rangeOf(m, perm)
		if !ok {
			return nil, fmt.Errorf("the member %s does not hold %s by that name (it holds %s)", m.Name, perm, g.permissionsText(m))
		}
		rest := remaining(held, span, heights, g.Height)
		if left[rest] == 0 {
			order = append(order, rest)
		}
		left[rest] |= perm
	}
	g.noteStillConnects(m, perms)
	list := make([]record.Record, len(order))
	for i, rest := range order {
		var err error
		if list[i], err = g.grant(id, left[rest], rest); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// noteStillConnects says that who administers or mines may connect in any
// case.
func (g *governance) noteStillConnects(m *client.Member, revoked record.Set) {
	if !revoked.Has(record.Connect) {
		return
	}
	for _, perm := range []record.Set{record.Admin, record.Mine} {
		if _, holds := rangeOf(m, perm); holds && !revoked.Has(perm) {
			g.note("%s may connect all the same, because it holds %s: revoke that too to cut it off.", m.Name, perm)
			return
		}
	}
}

// remaining is what is left of a range; the empty range is written 0, 0. What
// began stays so without its height: equal votes have to be equal.
func remaining(held record.Range, span *rangeFlags, heights record.Range, height int32) record.Range {
	if held.From <= uint32(height) {
		held.From = 0
	}
	switch {
	case span.from != "":
		held.Until = min(held.Until, heights.From)
	case span.until != "":
		held.From = max(held.From, heights.Until)
	default:
		return record.Range{}
	}
	if held.Empty() {
		return record.Range{}
	}
	return held
}

// rangeOf is the range in which a member holds a permission, or will.
func rangeOf(m *client.Member, perm record.Set) (record.Range, bool) {
	for _, p := range m.Permissions {
		if p.Permission == string(perm.Perm()) {
			return record.Range{From: p.From, Until: p.Until}, true
		}
	}
	return record.Range{}, false
}
