package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/charterchain/charter/node"
	"github.com/charterchain/charter/node/config"
)

// devOptions are the flags of charterd dev.
type devOptions struct {
	cfg       *config.Config
	dir       string
	dirGiven  bool
	blockTime time.Duration
	reset     bool
}

// devCommand is a chain of one node for developers.
func (p *program) devCommand(home string) *cobra.Command {
	var o devOptions
	// The settings of a node, of which dev shows those that make sense.
	all := pflag.NewFlagSet("node", pflag.ContinueOnError)
	o.cfg = config.Register(all, home)
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a one-node development chain that mines, with a funded wallet",
		Long: `charterd dev makes a chain of its own on the first run, with a wallet that owns
coins from the genesis block on, and mines a block every --block-time. A later
run goes on with it; --reset starts over.`,
		Example: `  charterd dev
  charterd dev --block-time 500ms --reset`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.blockTime < 0 {
				return fmt.Errorf("--block-time %v: must not be negative", o.blockTime)
			}
			o.dirGiven = cmd.Flags().Changed("datadir")
			o.cfg.Chain = "dev"
			o.cfg.DataDir = o.dir
			o.cfg.NoListen = true
			o.cfg.Mine = true
			o.cfg.MineAddress = "set below"
			if err := o.cfg.Validate(); err != nil {
				return err
			}
			p.started = true
			return p.runDev(cmd, &o)
		},
	}
	flags := cmd.Flags()
	dir := config.DefaultDataDir(home)
	if dir != "" {
		dir = filepath.Join(dir, "dev")
	}
	flags.StringVar(&o.dir, "datadir", dir, "folder for all data of the development chain")
	flags.DurationVar(&o.blockTime, "block-time", 2*time.Second, "time between blocks")
	flags.BoolVar(&o.reset, "reset", false, "delete the development chain and its wallet, and start over")
	for _, name := range []string{"rpclisten", "metrics", "pprof", "dbcache", "txindex", "addrindex", "filterindex", "log-level", "log-format"} {
		flags.AddFlag(all.Lookup(name))
	}
	if f := flags.Lookup("log-level"); f != nil {
		f.DefValue = "warn"
		o.cfg.LogLevel = f.DefValue
	}
	return cmd
}

func (p *program) runDev(cmd *cobra.Command, o *devOptions) error {
	dev, err := node.OpenDev(o.dir, o.reset, time.Now, rand.Reader)
	if err != nil {
		return err
	}
	o.cfg.MineAddress = dev.Miner
	return p.live(cmd.Context(), node.Options{
		Config:    o.cfg,
		Params:    dev.Params,
		Dir:       dev.Dir,
		BlockTime: o.blockTime,
	}, func(n *node.Node) error {
		greet(p.stdout, n, dev, o)
		return nil
	})
}

// greet says where everything is and what to try, in ten lines.
func greet(w io.Writer, n *node.Node, dev *node.Dev, o *devOptions) {
	tool := "go run ./cmd/charter --dev"
	if o.dirGiven {
		tool += " --datadir " + quote(dev.Dir)
	}
	what := "goes on"
	if dev.Created {
		what = "is new"
	}
	fmt.Fprintf(w, "Development chain %q %s: a block every %v.\n", dev.Params.Name, what, o.blockTime)
	fmt.Fprintf(w, "  RPC      %s (WebSocket: /ws)\n", n.RPCURL())
	if url := n.MetricsURL(); url != "" {
		fmt.Fprintf(w, "  metrics  %s/metrics\n", url)
	}
	fmt.Fprintf(w, "  data     %s\n", dev.Dir)
	fmt.Fprintln(w, "In another terminal:")
	fmt.Fprintf(w, "  %s wallet balance\n", tool)
	fmt.Fprintf(w, "  %s wallet send %s 1.5\n", tool, dev.Miner)
	fmt.Fprintf(w, "  %s rpc getblockchaininfo\n", tool)
	fmt.Fprintln(w, "Ctrl-C stops it; the next run goes on, --reset starts over.")
}

// quote makes s one word for a shell.
func quote(s string) string {
	if strings.ContainsAny(s, " \t'\"$&;|<>()*?[]{}`\\!#~") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
