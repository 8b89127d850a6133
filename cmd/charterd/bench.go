package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/node/bench"
	"github.com/charterchain/charter/node/bench/workload"
)

// roundCommand is a process that runs one round. charterd bench starts it.
const roundCommand = "round"

// benchCommand measures this program on this machine.
func (p *program) benchCommand() *cobra.Command {
	var what strings.Builder
	var names []string
	for _, n := range bench.Names() {
		fmt.Fprintf(&what, "  %-9s %s\n", n[0], n[1])
		names = append(names, n[0])
	}
	o := bench.Options{Commit: commit}
	var kinds []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench WHAT...",
		Short: "Measure how fast this program is on this machine",
		Long: `charterd bench measures on chains that it makes and keeps in --dir, each round
in a process of its own, and prints a table with medians. U is the time of one
btcec Schnorr check on one core, measured before, between and after the rounds:
figures in U can be compared between machines. WHAT is any of

` + what.String(),
		Example: `  charterd bench import --kind p2tr,p2wpkh
  charterd bench accept rpc template
  charterd bench import --kind p2wpkh --blocks 6 --rounds 1 --cpuprofile cpu.out`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("bench: say what to measure, any of %s", strings.Join(names, ", "))
			}
			for _, name := range args {
				if !slices.Contains(names, name) {
					return fmt.Errorf("no bench %q: there are %s", name, strings.Join(names, ", "))
				}
			}
			return nil
		},
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.started = true
			o.Benches = args
			for _, k := range kinds {
				o.Kinds = append(o.Kinds, workload.Kind(k))
			}
			o.Start = p.startRound
			o.Note = func(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }
			report, err := bench.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(report)
			}
			return report.Text(p.stdout)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&kinds, "kind", nil, "payments, one or more of "+kindNames()+" (default p2tr; template, flush: anyone, which has no signatures)")
	flags.IntVar(&o.Blocks, "blocks", 0, "full blocks; 0: as many as usual")
	flags.Int64Var(&o.Weight, "weight", 0, "weight of a full block; 0: 4,000,000 (flush: 100,000)")
	flags.IntVar(&o.Txs, "txs", 0, "transactions at most that a pool is offered, or that the chain of startup has; 0: as many as usual")
	flags.IntVar(&o.Rounds, "rounds", 3, "rounds, of which the table has the median; 0: one")
	flags.BoolVar(&o.Hints, "hints", false, "import, stages: from a file with hints about ECDSA signatures, as charter export --hints writes it")
	flags.IntVar(&o.DBCache, "dbcache", 100, "memory for the UTXO cache and the database, MiB")
	flags.IntVar(&o.Par, "par", 0, "threads that check signatures; 0: one per core")
	flags.Uint64Var(&o.Seed, "seed", 1, "chains differ by it")
	flags.StringVar(&o.Dir, "dir", benchDir(), "folder for the chains that are made, and for the data of nodes")
	flags.StringVar(&o.CPUProfile, "cpuprofile", "", "write a CPU profile of the measured part of the last round to this file")
	flags.StringVar(&o.MemProfile, "memprofile", "", "write a profile of its allocations to this file")
	flags.StringVar(&o.Trace, "trace", "", "write a trace of it to this file")
	flags.IntVar(&o.Checks, "u-checks", 200, "checks in one measurement of U")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(p.roundCommand())
	return cmd
}

func kindNames() string {
	var names []string
	for _, k := range workload.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// benchDir is where chains are kept unless --dir says otherwise.
func benchDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "charter-bench")
}

// roundCommand reads a job from standard input and writes what it measured.
func (p *program) roundCommand() *cobra.Command {
	return &cobra.Command{
		Use:    roundCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.started = true
			err := bench.Round(cmd.Context(), os.Stdin, p.stdout)
			if cmd.Context().Err() != nil {
				p.stderr = io.Discard // charterd bench says it
			}
			return err
		},
	}
}

// startRound runs a job in a process of its own, which is asked to end when
// ctx is done, so that it cleans up.
func (p *program) startRound(ctx context.Context, job []byte) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", roundCommand)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(job), p.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the process that measures: %w", err)
	}
	return out, nil
}
