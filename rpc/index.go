package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/index"
)

// indexMethods answer from the optional indexes.
type indexMethods struct {
	cfg   *Config
	shape *shaper
}

func (m *indexMethods) methods() []*method {
	return append([]*method{
		{
			name: "getindexinfo", area: "Util", run: m.getIndexInfo,
			params: []param{{name: "index_name", want: "string", fallback: "all that are switched on",
				help: "txindex, addrindex or basic block filter index."}},
			summary: "Says how far the indexes are.",
			result:  "An object by name of {synced, best_block_height}, with a message where an index does not go on.",
		},
		{
			name: "getblockfilter", area: "Blockchain", run: m.getBlockFilter,
			params: []param{
				{name: "blockhash", want: "string, 64 hex digits", help: "The block hash."},
				{name: "filtertype", want: `string: "basic"`, fallback: "basic", help: "The kind of filter."},
			},
			summary: "Returns the compact filter of a block (BIP158) and its header (BIP157). Needs --filterindex.",
			result:  "An object {filter, header} of hex.",
		},
	}, m.addressMethods()...)
}

type indexJSON struct {
	Synced  bool   `json:"synced"`
	Height  int32  `json:"best_block_height"`
	Message string `json:"message,omitempty"`
}

func (m *indexMethods) getIndexInfo(_ context.Context, c *call) (any, error) {
	name := c.text(0, "")
	if c.err != nil {
		return nil, c.err
	}
	out := make(map[string]indexJSON)
	for _, s := range m.cfg.Indexes.Status() {
		if name == "" || name == s.Name {
			out[s.Name] = indexJSON{s.Synced, max(s.Height, 0), s.Message}
		}
	}
	return out, nil
}

// notReady translates an error of asking an index.
func notReady(err error) error {
	var building *index.NotReadyError
	if errors.As(err, &building) {
		return fail(codeMisc, "Try again later: %v", building)
	}
	return err
}

func (m *indexMethods) getBlockFilter(ctx context.Context, c *call) (any, error) {
	hash, kind := c.hash(0), c.text(1, "basic")
	if c.err != nil {
		return nil, c.err
	}
	if kind != "basic" {
		return nil, fail(codeAddressOrKey, "Unknown filtertype '%.40s', want basic", kind)
	}
	filters := m.cfg.Indexes.Filter()
	if filters == nil {
		return nil, fail(codeMisc, "Index is not enabled for filtertype basic: start the node with --filterindex")
	}
	info, ok := m.cfg.Chain.Lookup(hash)
	if !ok {
		return nil, fail(codeAddressOrKey, "Block not found")
	}
	f, ok, err := filters.ByHash(hash)
	if err == nil && !ok {
		// It may be one of the last blocks.
		if err = filters.Ready(ctx); err == nil {
			f, ok, err = filters.ByHash(hash)
		}
	}
	switch {
	case err != nil:
		return nil, notReady(err)
	case !ok && info.State != chain.StateValid:
		return nil, fail(codeAddressOrKey, "Filter not found. Block was not connected to active chain.")
	case !ok:
		return nil, fail(codeMisc, "Filter not found. The index has not seen this block on the best branch.")
	}
	return struct {
		Filter string `json:"filter"`
		Header string `json:"header"`
	}{hex.EncodeToString(f.Filter), f.Header.String()}, nil
}

// fromIndex is getrawtransaction for what the pool does not have.
func (m *rawTxMethods) fromIndex(ctx context.Context, txid chainhash.Hash, verbosity int) (any, error) {
	const wallets = "Use gettransaction for wallet transactions."
	if m.txs == nil {
		return nil, fail(codeAddressOrKey, "No such mempool transaction. Start the node with --txindex, "+
			"or give the block as blockhash, to find others. "+wallets)
	}
	found, ok, err := m.txs.Lookup(txid)
	if err == nil && !ok {
		if err = m.txs.Ready(ctx); err == nil {
			found, ok, err = m.txs.Lookup(txid)
		}
	}
	var building *index.NotReadyError
	switch {
	case errors.As(err, &building):
		return nil, fail(codeAddressOrKey, "No such mempool transaction. Blockchain transactions are still in the process of being indexed: %v. "+wallets, err)
	case errors.Is(err, index.ErrNoData):
		return nil, fail(codeMisc, "Block not available (pruned data)")
	case err != nil:
		return nil, err
	case !ok:
		return nil, fail(codeAddressOrKey, "No such mempool or blockchain transaction. "+wallets)
	}
	return m.show(found, verbosity)
}

// show writes a transaction that the index has found.
func (m *rawTxMethods) show(found index.FoundTx, verbosity int) (any, error) {
	if verbosity <= 0 {
		return hex.EncodeToString(encodeTx(found.Tx.Msg)), nil
	}
	opt := txOptions{hex: true, prevouts: true}
	if verbosity >= 2 {
		var err error
		if opt.spent, err = spentBy(m.chain, found.Block, found.Index); err != nil {
			return nil, err
		}
	}
	out := m.shape.tx(found.Tx, opt)
	m.shape.confirmed(out, found.Block)
	return out, nil
}

// spentBy returns the coins that the inputs of a transaction spend; nil for
// a coinbase, and where they are not known.
func spentBy(c Chain, block chainhash.Hash, position int) ([]consensus.Coin, error) {
	if position == 0 {
		return nil, nil
	}
	spent, err := c.ReadSpent(block)
	if errors.Is(err, chain.ErrNoData) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what block %v spends: %w", block, err)
	}
	if position > len(spent) {
		return nil, fmt.Errorf("block %v has no transaction %d", block, position)
	}
	return spent[position-1], nil
}
