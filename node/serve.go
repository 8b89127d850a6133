package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool"
	"github.com/charterchain/charter/node/miner"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/rpc"
)

// openRPC makes the RPC server and its listener.
func (n *Node) openRPC(context.Context) error {
	users, err := n.credentials()
	if err != nil {
		return err
	}
	number, err := versionNumber(n.opts.Version)
	if err != nil {
		return err
	}
	n.rpc, err = rpc.New(rpc.Config{
		Chain:           rpcChain{n.chain, n.syncing},
		Indexes:         n.indexes,
		Mempool:         rpcPool{n.pool, n.poolLoaded.Load},
		Miner:           rpcMiner{n.miner, n.pool},
		Peers:           rpcPeers{n.peers},
		Users:           users,
		Backup:          n.backup,
		Snapshots:       snapshotFiles{n},
		Stop:            func() { n.stop(errStopped) },
		Now:             n.opts.Now,
		Log:             n.opts.Log,
		Metrics:         rpc.NewMetrics(n.registry),
		UserAgent:       "/Charter:" + n.opts.Version + "/",
		Version:         number,
		ProtocolVersion: int(message.Version),
		MiningStatus:    n.miningStatus,
		Entrance:        n.entrance,
		Warnings:        func() string { return strings.Join(n.shortages(), "; ") },
		SizeOnDisk:      func() int64 { return sizeOf(n.path(blocksName)) },
	})
	if err != nil {
		return err
	}
	n.chain.Subscribe(n.rpc.HandleChainEvent)
	n.pool.Subscribe(func(ev mempool.TxEvent) {
		if ev.Kind == mempool.Added && !ev.Returned {
			n.rpc.HandleTx(ev.Tx)
		}
	})
	return n.addHTTP("rpclisten", n.opts.Config.RPCListen, n.rpc)
}

// credentials are the logins of the settings and the cookie of this run.
func (n *Node) credentials() ([]rpc.Credential, error) {
	cfg := n.opts.Config
	cookie, err := rpc.WriteCookie(n.path(cookieName), n.opts.Random)
	if err != nil {
		return nil, err
	}
	n.onClose(cookie.Remove)
	users := []rpc.Credential{cookie.Credential}
	if cfg.RPCAuth != "" {
		info, err := os.Stat(cfg.RPCAuth)
		if err != nil {
			return nil, fmt.Errorf("rpcauth: %w", err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("rpcauth: %s can be read by others (mode %04o); run: chmod 600 %s", cfg.RPCAuth, info.Mode().Perm(), cfg.RPCAuth)
		}
		text, err := os.ReadFile(cfg.RPCAuth)
		if err != nil {
			return nil, fmt.Errorf("rpcauth: %w", err)
		}
		list, err := rpc.ParseCredentials(text, cfg.RPCAuth)
		if err != nil {
			return nil, fmt.Errorf("rpcauth: %w", err)
		}
		users = append(users, list...)
	}
	if cfg.RPCUser != "" {
		n.log.Warn("the RPC password is on the command line or in the environment, where other users may see it; prefer the cookie file or --rpcauth")
		user, err := rpc.PasswordCredential(cfg.RPCUser, cfg.RPCPass)
		if err != nil {
			return nil, fmt.Errorf("rpcuser: %w", err)
		}
		users = append(users, user)
	}
	return users, nil
}

// shutdownRPC ends long polls and WebSocket connections, which the HTTP
// server's own shutdown does not know.
func (n *Node) shutdownRPC() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
	defer cancel()
	if err := n.rpc.Shutdown(ctx); err != nil {
		n.log.Debug("WebSocket clients did not take their last messages", "err", err)
	}
}

// openMonitoring makes the listeners of metrics, health and profiles.
func (n *Node) openMonitoring(context.Context) error {
	cfg := n.opts.Config
	if cfg.Metrics != "" {
		h := &health{
			sync:     n.peers.SyncStatus,
			height:   func() int32 { return n.chain.Best().Height },
			catchUp:  n.chain.InitialSync,
			wantPeer: n.peersConfigured(),
			refused:  n.refusal,
			free:     func() (uint64, error) { return n.opts.FreeSpace(n.opts.Dir) },
			short:    n.shortBesideDisk,
		}
		if err := n.addHTTP("metrics", cfg.Metrics, monitoring(n.registry, h)); err != nil {
			return err
		}
	}
	if cfg.PProf != "" {
		return n.addHTTP("pprof", cfg.PProf, profiler())
	}
	return nil
}

// versionNumber turns "1.2.3-suffix" into 10203, as getnetworkinfo has it.
func versionNumber(version string) (int, error) {
	var major, minor, patch int
	base, _, _ := strings.Cut(version, "-")
	if _, err := fmt.Sscanf(base, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return 0, fmt.Errorf("version %q is not of the form 1.2.3: %w", version, err)
	}
	return 10000*major + 100*minor + patch, nil
}

// rpcMiner shows the miner to the RPC methods.
type rpcMiner struct {
	m    *miner.Miner
	pool *mempool.Pool
}

func (a rpcMiner) Template(ctx context.Context) (*rpc.Template, error) {
	t, err := a.pool.Template(ctx, mempool.TemplateOptions{})
	if err != nil {
		return nil, err
	}
	return &rpc.Template{
		Block:         t.Block,
		Fees:          append([]int64{0}, t.Fees...), // the coinbase has none
		SigOpCosts:    append([]int64{0}, t.SigOpCosts...),
		Height:        t.Height,
		MinTime:       t.MinTime,
		CoinbaseValue: t.CoinbaseValue,
	}, nil
}

func (a rpcMiner) Generate(ctx context.Context, count int, script []byte, maxTries uint64) ([]chainhash.Hash, error) {
	hashes, err := a.m.Generate(ctx, count, script, maxTries)
	return hashes, minerError(err)
}

func (a rpcMiner) GenerateBlock(ctx context.Context, script []byte, txs []*consensus.Tx, submit bool) (*consensus.Block, error) {
	b, err := a.m.GenerateBlock(ctx, script, txs, submit)
	return b, minerError(err)
}

// loadPool reads the transactions that waited at the last stop. What is
// wrong with the file costs these transactions only. A stop before the end
// leaves the file as it is.
func (n *Node) loadPool(ctx context.Context) {
	defer func() { n.poolLoaded.Store(ctx.Err() == nil) }()
	f, err := os.Open(n.path(poolName))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		n.log.Warn("waiting transactions of the last run cannot be read", "err", err)
		return
	}
	defer f.Close()
	result, err := n.pool.Load(ctx, f)
	if err != nil && ctx.Err() == nil {
		n.log.Warn("waiting transactions of the last run are lost", "file", f.Name(), "err", err)
		return
	}
	n.log.Debug("waiting transactions of the last run read", "accepted", result.Accepted, "refused", result.Refused)
}
