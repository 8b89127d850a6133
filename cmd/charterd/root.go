package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/charterchain/charter/node"
	"github.com/charterchain/charter/node/config"
	"github.com/charterchain/charter/node/version"
)

// commit is set by the linker.
var commit = "unknown"

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// program is one run of charterd.
type program struct {
	stdout, stderr io.Writer
	started        bool // flags were parsed; errors before that are usage errors
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(p.stderr, "charterd: %v\n", err)
	if !p.started {
		fmt.Fprintf(p.stderr, "%s --help lists commands, flags and defaults.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

func (p *program) rootCommand() *cobra.Command {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then --datadir has to be given
	}
	var cfg *config.Config
	cmd := &cobra.Command{
		Use:   "charterd",
		Short: "Full node for a Charter ledger",
		Long: `charterd runs a full node of the chain that --chain names: it validates blocks
and transactions, gossips with peers, and serves JSON-RPC, WebSocket
notifications and Prometheus metrics. It holds no keys of users.

Settings come from flags, then environment variables (--rpclisten as
CHARTER_RPCLISTEN, and so on), then the settings file, then defaults.`,
		Example: `  charterd dev
  charterd --chain ./acme.toml --addnode node1.acme.example:8430`,
		Version:       fmt.Sprintf("%s (%s, %s)", version.Number, commit, runtime.Version()),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Load(cfg, cmd.Flags(), os.Environ()); err != nil {
				return err
			}
			p.started = true
			return p.runNode(cmd.Context(), cfg, cmd.Flags())
		},
	}
	cmd.SetVersionTemplate("charterd {{.Version}}\n")
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cfg = config.Register(cmd.Flags(), home)
	cmd.AddCommand(p.devCommand(home), p.benchCommand())
	return cmd
}

// runNode runs a node on the chain that the settings name.
func (p *program) runNode(ctx context.Context, cfg *config.Config, flags *pflag.FlagSet) error {
	chain, err := node.LoadChain(cfg.Chain, cfg.DataDir)
	if err != nil {
		return err
	}
	dir := filepath.Join(cfg.DataDir, chain.Name)
	if err := config.LoadDir(cfg, flags, dir); err != nil {
		return err
	}
	return p.live(ctx, node.Options{Config: cfg, Params: chain, Dir: dir}, nil)
}

// live runs a node to its end. ready, if not nil, is called once it is open.
func (p *program) live(ctx context.Context, opts node.Options, ready func(*node.Node) error) (err error) {
	opts.Version = version.Number
	opts.Log = newLog(p.stderr, opts.Config)
	opts.Now = time.Now
	opts.Random = rand.Reader
	n, err := node.New(ctx, opts)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it opened: the next start goes on
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if ready != nil {
		if err := ready(n); err != nil {
			return err
		}
	}
	return n.Run(ctx)
}

func newLog(w io.Writer, cfg *config.Config) *slog.Logger {
	level, err := cfg.Level()
	if err != nil {
		level = slog.LevelInfo // Validate refused it already
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
