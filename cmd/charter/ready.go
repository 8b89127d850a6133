package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/node/keyfile"
)

func newReadyCommand(e *env) *cobra.Command {
	var f recordFlags
	var file string
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Say that a mining member's miner runs",
		Long: `A member that was granted mine counts as a miner, and may seal blocks, only once
it said that its miner runs: so a grant to machines that do not run cannot stop
a chain. The word is signed by the miner's key and carried by a coin of the
wallet's. Start the miner first.`,
		Example: `  charter --chain acme ready
  charter --chain acme ready --miner-key ~/keys/miner.key --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := file
			if path == "" {
				dir, err := e.chainDir()
				if err != nil {
					return err
				}
				path = filepath.Join(dir, "miner.key")
			}
			key, err := loadKey(path)
			if err != nil {
				return err
			}
			defer key.Zero()
			return e.govern(cmd.Context(), &f, func(g *governance) ([]record.Record, error) {
				r, err := g.ready(key)
				return []record.Record{r}, err
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&file, "miner-key", "", "`file` with the miner's key (default: miner.key in the chain's data folder)")
	return cmd
}

// ready makes the record for the member whose miner's key it is, and has that
// member speak.
func (g *governance) ready(key *btcec.PrivateKey) (record.Record, error) {
	address, _ := g.chain.Address.Encode(keyfile.Script(key))
	m, ok := g.lookup(address)
	if !ok {
		return nil, fmt.Errorf("the miner's key %s belongs to no member: add it with `charter key card --miner --roles mine --member MEMBER` and `charter key add`", address)
	}
	switch p := m.Mining; {
	case p == nil:
		return nil, fmt.Errorf("the member %s may not mine: ask an administering member to run `charter grant %s mine`", m.Name, m.Name)
	case p.Active:
		return nil, fmt.Errorf("the member %s was declared ready before, and mines", m.Name)
	case !p.NeedsReady && p.ActiveFrom != record.Forever:
		return nil, fmt.Errorf("the member %s was declared ready before: it may seal from block %d on", m.Name, p.ActiveFrom)
	case !p.NeedsReady:
		return nil, fmt.Errorf("the member %s may mine from block %d on: say that it is ready then", m.Name, p.Since)
	}
	id, err := record.ParseMemberID(m.ID)
	if err != nil {
		return nil, err
	}
	r := record.Ready{Member: id, Key: keyfile.XOnly(key), Since: m.Mining.Since}
	msg := record.ReadyMessage(g.chain.GenesisHash, r.Member, r.Key, r.Since)
	sig, err := schnorr.Sign(key, msg[:])
	if err != nil {
		return nil, errors.Join(errors.New("sign that the miner is ready"), err)
	}
	r.Sig = [64]byte(sig.Serialize())
	if len(g.f.signers) == 0 && g.f.as == "" {
		g.f.signers = []string{m.ID}
	}
	return r, nil
}
