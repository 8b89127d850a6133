package miner

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool"
)

// Generate mines n blocks at once that pay to script, and returns their
// hashes. It tries at most maxTries nonces in all and then returns what it
// found so far, without an error. Where the rules ask for time between
// blocks, it waits. With an error come the hashes found before it.
func (m *Miner) Generate(ctx context.Context, n int, script []byte, maxTries uint64) ([]chainhash.Hash, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.end()
	var hashes []chainhash.Hash
	for len(hashes) < n && maxTries > 0 {
		t, err := m.releasable(ctx, script, nil)
		if err != nil {
			return hashes, err
		}
		b, err := m.grind(ctx, t, &maxTries)
		if err != nil {
			return hashes, err
		}
		if b == nil {
			if err := context.Cause(ctx); err != nil {
				return hashes, err
			}
			break
		}
		best, err := m.submit(ctx, b)
		if err != nil {
			return hashes, err
		}
		if best {
			hashes = append(hashes, b.Hash)
		}
	}
	return hashes, nil
}

// GenerateBlock mines one block that pays the subsidy to script and holds
// exactly txs, parents before children; their fees stay unclaimed. With
// submit it is given to the chain. A *consensus.RuleError says that these
// transactions make no valid block here.
func (m *Miner) GenerateBlock(ctx context.Context, script []byte, txs []*consensus.Tx, submit bool) (*consensus.Block, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.end()
	if txs == nil {
		txs = []*consensus.Tx{}
	}
	t, err := m.releasable(ctx, script, txs)
	if err != nil {
		return nil, err
	}
	if err := m.cfg.Chain.CheckProposal(ctx, consensus.NewBlock(t.Block)); err != nil {
		return nil, fmt.Errorf("the block asked for: %w", err)
	}
	b, err := m.grind(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, context.Cause(ctx)
	}
	if !submit {
		return b, nil
	}
	_, err = m.submit(ctx, b)
	return b, err
}

// begin waits for other work on demand to end.
func (m *Miner) begin(ctx context.Context) error {
	select {
	case m.demand <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Miner) end() { <-m.demand }

// releasable returns a template whose time the chain takes now.
func (m *Miner) releasable(ctx context.Context, script []byte, fixed []*consensus.Tx) (*mempool.Template, error) {
	for {
		if err := m.mayDemand(); err != nil {
			return nil, err
		}
		t, err := m.cfg.Pool.Template(ctx, mempool.TemplateOptions{CoinbaseScript: script, Text: m.cfg.Text, Fixed: fixed})
		if err != nil {
			return nil, fmt.Errorf("make a block template: %w", err)
		}
		wait := m.untilRelease(t)
		if wait <= 0 {
			return t, nil
		}
		sleep(ctx, wait, nil)
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
	}
}

// mayDemand says why this miner's key may not seal the next block. Whose turn
// it is and who is present is not asked: who demands a block knows why.
func (m *Miner) mayDemand() error {
	if !m.sealed() {
		return nil
	}
	if m.cfg.Key == nil {
		return ErrNoKey
	}
	next := m.cfg.Chain.Next()
	o := m.outlook(next, next.Permissions, timeOf(next.MinTime))
	o.present = nil
	if t := o.decide(); t.state != StateMining {
		return fmt.Errorf("%w: %s", ErrMayNot, t.reason)
	}
	return nil
}
