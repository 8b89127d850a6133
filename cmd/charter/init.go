package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/wallet"
)

// initFlags are the flags of charter init.
type initFlags struct {
	walletFlags
	out       string
	force     bool
	open      bool
	hrp       string
	message   string
	algorithm string
	spacing   time.Duration
	port      uint16
	onDemand  bool
	allocate  []string

	// Of chains with members:
	founder     string
	identity    string
	supply      string
	setupBlocks int32
	restrict    []string
}

// memberFlags are those that open chains do not have.
var memberFlags = []string{"founder", "identity", "supply", "setup-blocks", "restrict", "wallet", "passphrase-file"}

func newInitCommand(e *env) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init NAME",
		Short: "Make a new chain and its chain file",
		Long: `Makes a new chain, on which members decide together who may connect, mine, send
and receive, and writes NAME.toml: the chain file. It holds every key with a
comment and no secrets; its time and name make it a chain of its own.

The first member is the founder, who holds every permission and all coins. Its
keys are made in <datadir>/NAME, unless they are there already: a wallet, and
the keys of its node and its miner. With --identity the founder's wallet may be
elsewhere: the chain then begins with that address. Other members come later, by
charter join and charter grant.

With --open everybody may do everything, there are no members, and only the
chain file is written. Coins then come from mining, or from --allocate.`,
		Example: `  charter init acme
  charter init acme --founder alpha --supply 1000000 --spacing 10s
  charter init lab --open --on-demand`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("init needs one argument, the name of the chain (%d given)", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range memberFlags {
				if f.open && cmd.Flags().Changed(name) {
					return usagef("--%s is for chains with members: leave it or --open out", name)
				}
			}
			if !cmd.Flags().Changed("spacing") {
				f.spacing = memberSpacing
				if f.open {
					f.spacing = openSpacing
				}
			}
			return initChain(cmd.Context(), e, args[0], &f)
		},
	}
	set := cmd.Flags()
	f.walletFlags.register(set)
	set.BoolVar(&f.open, "open", false, "a chain without members, on which everybody may do everything")
	set.StringVar(&f.founder, "founder", "founder", "`name` of the first member")
	set.StringVar(&f.identity, "identity", "", "`address` by which the founder administers and owns the coins (default: the first of its wallet)")
	set.StringVar(&f.supply, "supply", "10000000", "`amount` of coins that the founder has in the first block")
	set.Int32Var(&f.setupBlocks, "setup-blocks", 0, "first `blocks` in which one administering member may add others alone")
	set.StringSliceVar(&f.restrict, "restrict", nil, "`permissions` that only members hold, with commas between (default: all)")
	set.StringVar(&f.out, "out", "", "file to write (default NAME.toml)")
	set.BoolVar(&f.force, "force", false, "replace the chain file if it exists; that makes another chain")
	set.StringVar(&f.hrp, "hrp", "", "first part of addresses (default: from the name)")
	set.StringVar(&f.message, "message", "", "text in the first block, at most 80 bytes")
	set.StringVar(&f.algorithm, "algorithm", "", "difficulty: asert, bitcoin or fixed (default fixed, with --open asert)")
	set.DurationVar(&f.spacing, "spacing", 0, "time between blocks, whole seconds (default 5s, with --open 1m0s)")
	set.Uint16Var(&f.port, "port", 8430, "port on which nodes listen for each other")
	set.BoolVar(&f.onDemand, "on-demand", false, "blocks cost nothing and are made by RPC (generatetoaddress)")
	set.StringArrayVar(&f.allocate, "allocate", nil, "ADDRESS=AMOUNT: coins in the first block; may be repeated")
	return cmd
}

// initResult is what charter init --json prints.
type initResult struct {
	Chain       string       `json:"chain"`
	File        string       `json:"file"`
	GenesisHash string       `json:"genesis_hash"`
	RulesHash   string       `json:"rules_hash"`
	Bech32HRP   string       `json:"bech32_hrp"`
	Port        uint16       `json:"port"`
	Founder     *founderJSON `json:"founder,omitempty"`
}

// The times between blocks of new chains.
const (
	openSpacing   = time.Minute
	memberSpacing = 5 * time.Second
)

func initChain(ctx context.Context, e *env, name string, f *initFlags) error {
	if f.spacing < time.Second || f.spacing%time.Second != 0 {
		return usagef("--spacing %v is not in whole seconds, at least one", f.spacing)
	}
	allocations, err := parseAllocations(f.allocate)
	if err != nil {
		return err
	}
	o := params.OpenOptions{
		Name:        name,
		HRP:         f.hrp,
		Time:        uint32(e.now().Unix()),
		Algorithm:   params.Algorithm(f.algorithm),
		Spacing:     f.spacing,
		OnDemand:    f.onDemand,
		Port:        f.port,
		Message:     f.message,
		Allocations: allocations,
	}
	if f.out == "" {
		f.out = name + ".toml"
	}
	if !f.open {
		return found(ctx, e, o, f)
	}
	p, err := params.NewOpen(o)
	if err != nil {
		return &usageError{err}
	}
	if err := writeChainFile(f.out, params.Render(p), f.force); err != nil {
		return err
	}
	if e.flags.json {
		return e.printJSON(describeChain(p, f.out))
	}
	return printChain(e, p, f.out)
}

func describeChain(p *params.Params, file string) initResult {
	return initResult{
		Chain:       p.Name,
		File:        file,
		GenesisHash: p.GenesisHash.String(),
		RulesHash:   fmt.Sprintf("%x", p.RulesHash),
		Bech32HRP:   p.Address.Bech32HRP,
		Port:        p.Network.DefaultPort,
	}
}

// parseAllocations reads ADDRESS=AMOUNT; params checks the addresses.
func parseAllocations(list []string) ([]params.Allocation, error) {
	var out []params.Allocation
	for _, s := range list {
		addr, text, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usagef("--allocate %q is not ADDRESS=AMOUNT", s)
		}
		amount, err := wallet.ParseAmount(text)
		if err != nil {
			return nil, usagef("--allocate %q: %w", s, err)
		}
		out = append(out, params.Allocation{Address: addr, Amount: int64(amount)})
	}
	return out, nil
}

// writeChainFile writes a new file, or replaces one as a whole with force.
func writeChainFile(path string, data []byte, force bool) error {
	if !force {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists: name another file with --out, or replace it with --force (that makes another chain)", path)
		}
		if err != nil {
			return fmt.Errorf("write the chain file: %w", err)
		}
		_, err = file.Write(data)
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write the chain file: %w", errors.Join(err, os.Remove(path)))
		}
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".charter-*.toml")
	if err != nil {
		return fmt.Errorf("write the chain file: %w", err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the chain file: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// printChain says what was made and what to do next.
func printChain(e *env, p *params.Params, path string) error {
	chain := path
	if !strings.ContainsAny(chain, `/\`) && !strings.HasSuffix(chain, ".toml") {
		chain = "./" + chain // else --chain takes it for a name
	}
	chain = shellQuote(chain)
	mine := fmt.Sprintf("charterd --chain %s --mine --mine-address ADDRESS\n      in place of the first command: the node mines", chain)
	if p.PoW.OnDemand {
		mine = fmt.Sprintf("charter --chain %s rpc generatetoaddress %d ADDRESS\n      mines", chain, p.Subsidy.Maturity+1)
	}
	_, err := fmt.Fprintf(e.stdout, `Wrote %[2]s: chain %[3]s, open to everyone.
Genesis block %[4]v
Addresses start with %[5]s1.

Next:
  charterd --chain %[1]s
      starts a node (give the same file to the others, with --connect HOST:PORT)
  charter --chain %[1]s wallet create
  charter --chain %[1]s wallet address
      make a wallet and show an address
  %[6]s to that address; mined coins can be spent after %[7]d blocks
`, chain, path, p.Name, p.GenesisHash, p.Address.Bech32HRP, mine, p.Subsidy.Maturity)
	return err
}

// shellQuote writes a path so that a shell reads it as one word.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_-+:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
