package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/node"
	"github.com/charterchain/charter/node/bench/workload"
	"github.com/charterchain/charter/node/config"
	"github.com/charterchain/charter/node/version"
)

// running is a whole node in this process, with nobody connected.
type running struct {
	*node.Node
	cancel context.CancelFunc
	ended  chan error
}

// User and password of the nodes under measurement: they listen on loopback
// and hold nothing.
const rpcUser, rpcPass = "bench", "bench"

// settings are those of the nodes under measurement.
func (j Job) settings(chainFile, dir string) *config.Config {
	cfg := config.Register(pflag.NewFlagSet("bench", pflag.ContinueOnError), dir)
	cfg.Chain, cfg.DataDir = chainFile, dir
	cfg.NoListen = true
	cfg.RPCListen, cfg.Metrics = "127.0.0.1:0", ""
	cfg.RPCUser, cfg.RPCPass = rpcUser, rpcPass
	cfg.DBCache, cfg.Par = j.DBCache, j.Par
	return cfg
}

// openNode opens a node on the chain c, in a folder that stays when it is
// closed.
func (j Job) openNode(ctx context.Context, c *workload.Chain, dir string) (*node.Node, error) {
	cfg := j.settings(c.ChainFile, dir)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return node.New(ctx, node.Options{
		Config:  cfg,
		Params:  c.Params,
		Dir:     filepath.Join(dir, c.Params.Name),
		Version: version.Number,
		Log:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Now:     time.Now,
		Random:  rand.Reader,
	})
}

// start opens a node and runs it.
func (j Job) start(ctx context.Context, c *workload.Chain, dir string) (*running, error) {
	n, err := j.openNode(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &running{Node: n, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- n.Run(ctx) }()
	return r, nil
}

// close stops the node in order.
func (r *running) close() error {
	r.cancel()
	return errors.Join(<-r.ended, r.Close())
}

// withNode runs fn beside a node, which it stops in order.
func (j Job) withNode(ctx context.Context, c *workload.Chain, dir string, fn func(*running) error) error {
	n, err := j.start(ctx, c, dir)
	if err != nil {
		return err
	}
	return errors.Join(fn(n), n.close())
}

// load imports a file of blocks, as --loadblock does, all of which must be
// accepted.
func (r *running) load(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	im := r.Chain().NewImporter(nil)
	if err := im.Read(ctx, chain.ImportSource{Name: name, R: f, At: f}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if p := im.Progress(); p.Accepted != p.Blocks {
		return fmt.Errorf("%s: of %d blocks %d were accepted: if the file is damaged remove it, the next run makes it again", name, p.Blocks, p.Accepted)
	}
	return nil
}

// inScratch runs fn in a folder of its own, which is removed afterwards.
func (j Job) inScratch(fn func(dir string) error) error {
	if err := os.MkdirAll(j.Scratch, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(j.Scratch, "node-*")
	if err != nil {
		return err
	}
	return errors.Join(fn(dir), os.RemoveAll(dir))
}

// open returns the chain of the job, which is made before the rounds.
func (j Job) open(ctx context.Context) (*workload.Chain, error) {
	return workload.Open(ctx, j.Dir, j.Spec, nil)
}
