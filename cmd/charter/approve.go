package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

func newApproveCommand(e *env) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "approve ID",
		Short: "Vote for an open record",
		Long: `Votes for what another member proposed. ID is that of the vote as charter
permissions --pending lists it, or its beginning. What is voted for is shown in
words before it is signed.`,
		Example: `  charter --chain acme permissions --pending
  charter --chain acme approve 3f2a9c10b7de`,
		Args: exactArgs("the id of an open vote"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				r, err := g.pendingRecord(cmd.Context(), args[0])
				return []record.Record{r}, err
			})
		},
	}
	f.register(cmd)
	return cmd
}

// minIDDigits is how much of a vote's id has to be given.
const minIDDigits = 4

// pendingRecord finds an open vote by the beginning of its id.
func (g *governance) pendingRecord(ctx context.Context, id string) (record.Record, error) {
	id = strings.ToLower(id)
	if len(id) < minIDDigits {
		return nil, usagef("%q is too short for the id of a vote: give %d digits at least", id, minIDDigits)
	}
	list, err := g.node.Pending(ctx)
	if err != nil {
		return nil, asFailure(err)
	}
	var found []*client.PendingVote
	for i := range list {
		if strings.HasPrefix(list[i].ID, id) {
			found = append(found, &list[i])
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("there is no open vote %s: it may wait for a block still, have lapsed, or been dropped when something else was decided on the same subject; `charter permissions --pending` lists them", id)
	case len(found) > 1:
		return nil, usagef("the ids of %d votes begin with %s: give more of it", len(found), id)
	case found[0].Done:
		return nil, fmt.Errorf("the vote %s is decided already", shortID(found[0].ID))
	}
	return recordOf(found[0])
}
