package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

func newPermissionsCommand(e *env) *cobra.Command {
	var pending bool
	var address string
	var height int32
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Show who may do what, and which votes are open",
		Long: `Shows for each permission who holds it: now, with --at-height for any block, with
--address for one address. With --pending it lists the votes that are open, and
who is missing.`,
		Example: `  charter --chain acme permissions
  charter --chain acme permissions --pending
  charter --chain acme permissions --at-height 1000 --address ADDRESS`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pending {
				if address != "" || height != 0 {
					return usagef("--pending stands alone: open votes are those of now")
				}
				return e.showPending(cmd.Context())
			}
			r, c, err := e.roster(cmd.Context(), height)
			if err != nil {
				return err
			}
			if address != "" {
				return e.showAddress(cmd.Context(), r, c, address, height)
			}
			return e.showPermissions(r)
		},
	}
	heightFlag(cmd, &height)
	cmd.Flags().BoolVar(&pending, "pending", false, "list the open votes")
	cmd.Flags().StringVar(&address, "address", "", "show what this `address` may do")
	return cmd
}

// permissionJSON is a permission with who holds it.
type permissionJSON struct {
	Permission string           `json:"permission"`
	Everybody  bool             `json:"everybody"`
	Holders    []permissionHeld `json:"holders"`
}

// permissionHeld is a member that holds it now or later.
type permissionHeld struct {
	client.MemberRef
	From  uint32 `json:"from"`
	Until uint32 `json:"until"`
	Admin bool   `json:"admin,omitempty"` // not by name: admin includes it
}

// held lists the permissions with their holders, in the order of record.Set.
func (r *roster) held() []permissionJSON {
	var list []permissionJSON
	for perm := range record.Permissions.Each() {
		p := permissionJSON{Permission: string(perm.Perm()), Everybody: !slices.Contains(r.Restricted, string(perm.Perm())) && !perm.Any(record.Governing), Holders: []permissionHeld{}}
		for i := range r.Members {
			m := &r.Members[i]
			for _, by := range []record.Set{perm, record.Admin} {
				if by != perm && !includes(m, perm) {
					break
				}
				span, ok := rangeOf(m, by)
				if ok && span.Until > uint32(r.Height) {
					p.Holders = append(p.Holders, permissionHeld{m.MemberRef, span.From, span.Until, by != perm})
					break
				}
			}
		}
		list = append(list, p)
	}
	return list
}

// includes reports whether admin, where the member holds it, stands for the
// permission too: a restart block ends mining for administering members that
// it does not list.
func includes(m *client.Member, perm record.Set) bool { return perm != record.Mine || m.Mining != nil }

func (e *env) showPermissions(r *roster) error {
	list := r.held()
	if e.flags.json {
		return e.printJSON(map[string]any{"height": r.Height, "permissions": list})
	}
	fmt.Fprintf(e.stdout, "As block %d is judged; * by admin, which includes the others\n", r.Height)
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PERMISSION\tWHO HOLDS IT")
	for _, p := range list {
		who := make([]string, len(p.Holders))
		for i, h := range p.Holders {
			who[i] = h.Name + rangeText(h.From, h.Until, r.Height)
			if h.Admin {
				who[i] += "*"
			}
		}
		text := strings.Join(who, ", ")
		switch {
		case p.Everybody:
			text = "everybody"
		case text == "":
			text = "nobody"
		}
		fmt.Fprintf(w, "%s\t%s\n", p.Permission, text)
	}
	return w.Flush()
}

func (e *env) showAddress(ctx context.Context, r *roster, c *client.Client, address string, height int32) error {
	if _, err := r.chain.Address.Decode(address); err != nil {
		return err
	}
	may := make(map[string]bool)
	for perm := range record.Permissions.Each() {
		yes, err := c.VerifyPermission(ctx, address, string(perm.Perm()), height)
		if err != nil {
			return asFailure(err)
		}
		may[string(perm.Perm())] = yes
	}
	m, ok := r.lookup(address)
	if e.flags.json {
		doc := map[string]any{"address": address, "height": r.Height, "may": may}
		if ok {
			doc["member"] = m.MemberRef
		}
		return e.printJSON(doc)
	}
	if !ok {
		fmt.Fprintf(e.stdout, "%s belongs to no member\n", address)
	} else {
		at := slices.IndexFunc(m.Keys, func(k client.Key) bool { return k.Address == address })
		k := m.Keys[at]
		fmt.Fprintf(e.stdout, "%s is a key of the member %s, which acts as %s%s\n", address, m.Name, strings.Join(k.Roles, ","), rangeText(k.From, k.Until, r.Height))
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for perm := range record.Permissions.Each() {
		answer := "no"
		if may[string(perm.Perm())] {
			answer = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\n", perm.Perm(), answer)
	}
	return w.Flush()
}

func (e *env) showPending(ctx context.Context) error {
	r, c, err := e.roster(ctx, 0)
	if err != nil {
		return err
	}
	list, err := c.Pending(ctx)
	if err != nil {
		return asFailure(err)
	}
	list = slices.DeleteFunc(list, func(v client.PendingVote) bool { return v.Done })
	if e.flags.json {
		return e.printJSON(list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(e.stdout, "No votes are open.")
		return err
	}
	for i := range list {
		if err := e.printVote(r, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// printVote says what a vote asks for in this program's own words: a record
// that it cannot read is not shown as something else.
func (e *env) printVote(r *roster, v *client.PendingVote) error {
	rec, err := recordOf(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s  %s\n              %d of %d votes: %s; missing: %s\n",
		shortID(v.ID), record.Describe(rec, r.namer(nil), r.addressText), v.Have, v.Need, names(v.Voters), names(v.Missing))
	return err
}
