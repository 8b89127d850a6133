package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/node/miner"
)

// openMiner makes the miner, which mines on demand too.
func (n *Node) openMiner(context.Context) error {
	payout, err := n.payout()
	if err != nil {
		return err
	}
	key, err := n.minerKey()
	if err != nil {
		return err
	}
	var extra [8]byte
	if _, err := io.ReadFull(n.opts.Random, extra[:]); err != nil {
		return fmt.Errorf("draw an extra nonce: %w", err)
	}
	n.miner = miner.New(miner.Config{
		Chain:        n.chain,
		Pool:         n.pool,
		Params:       n.opts.Params,
		Now:          n.opts.Now,
		Key:          key,
		Present:      n.peers.Present,
		SkipEmpty:    !n.opts.Config.MineEmpty,
		PayoutScript: payout,
		Threads:      n.opts.Config.MineThreads,
		BlockTime:    n.opts.BlockTime,
		ExtraNonce:   binary.BigEndian.Uint64(extra[:]),
		Hold:         n.hold,
		Log:          n.opts.Log,
		Metrics:      miner.NewMetrics(n.registry),
	})
	return nil
}

// sealed reports whether blocks of this chain carry seals.
func (n *Node) sealed() bool { return n.opts.Params.Permissions.Restricts(params.PermMine) }

// payout is the script that mined blocks pay to; nil: they claim nothing.
func (n *Node) payout() ([]byte, error) {
	cfg := n.opts.Config
	if cfg.MineAddress == "" {
		if cfg.Mine && !n.sealed() {
			return nil, errors.New("--mine needs an address to pay to, --mine-address; `charter wallet address` prints one")
		}
		return nil, nil
	}
	script, err := n.opts.Params.Address.Decode(cfg.MineAddress)
	if err != nil {
		return nil, fmt.Errorf("mine-address: %w", err)
	}
	return script, nil
}

// minerKey is the key that seals blocks; nil: there is none, and none is
// needed.
func (n *Node) minerKey() (*btcec.PrivateKey, error) {
	cfg := n.opts.Config
	if !n.sealed() {
		if cfg.MinerKey != "" {
			return nil, fmt.Errorf("miner-key = %q: chain %s does not restrict mining, its blocks carry no seals; leave the setting out", cfg.MinerKey, n.opts.Params.Name)
		}
		return nil, nil
	}
	path := cfg.MinerKey
	if path == "" {
		path = n.path(minerName)
	}
	key, err := keyfile.Load(path)
	if errors.Is(err, fs.ErrNotExist) && cfg.MinerKey == "" && !cfg.Mine {
		return nil, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("mining on chain %s needs a key that seals blocks, and there is no file %s; `charter key new` makes one, which a member then registers with role mine", n.opts.Params.Name, path)
	}
	if err != nil {
		return nil, fmt.Errorf("miner-key: %w", err)
	}
	return key, nil
}
