package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/permission/record"
)

func newUpgradeCommand(e *env) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "upgrade DEPLOYMENT HEIGHT",
		Short: "Schedule a rule change that the software knows",
		Long: `Puts a rule change that new software brings, by its name, into force from a block
on. The last vote that it needs, as many as for admin, has to be in a block at
least 1000 before that one; until the block comes another vote can move it, but
not take it back. Nodes whose software does not know the change stop before the
block, rather than follow a chain that they cannot judge: upgrade them first.`,
		Example: `  charter --chain acme upgrade bigger-records 250000 --dry-run
  charter --chain acme upgrade bigger-records 250000`,
		Args: exactArgs("the name of a rule change", "a height"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := record.CheckName(args[0]); err != nil {
				return usagef("the name %q %w", args[0], err)
			}
			height, err := strconv.ParseUint(args[1], 10, 31)
			if err != nil {
				return usagef("%q is no height of a block", args[1])
			}
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				lapse, salt, err := g.vote()
				return []record.Record{record.Upgrade{Lapse: lapse, Salt: salt, Deployment: args[0], Height: uint32(height)}}, err
			})
		},
	}
	f.register(cmd)
	return cmd
}

// noteUpgrades warns of rule changes that this software does not know.
func (g *governance) noteUpgrades(records []record.Record) {
	for _, r := range records {
		if u, ok := r.(record.Upgrade); ok && !chain.KnowsUpgrade(u.Deployment) {
			g.note("Careful: this version of Charter has no rule change %s. Nodes of this version stop before block %d.", u.Deployment, u.Height)
		}
	}
}
