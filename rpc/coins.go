package rpc

import (
	"context"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// coinMethods show unspent outputs.
type coinMethods struct {
	chain Chain
	pool  Mempool
	shape *shaper
}

func (m *coinMethods) methods() []*method {
	return []*method{
		{
			name: "gettxout", area: "Blockchain", run: m.getTxOut,
			params: []param{
				{name: "txid", want: "string, 64 hex digits", help: "The transaction id."},
				{name: "n", want: "number, from 0", help: "The number of the output."},
				{name: "include_mempool", want: "boolean", fallback: "true",
					help: "Whether unconfirmed transactions count: they spend outputs, and have outputs."},
			},
			summary: "Returns an unspent output.",
			result:  "An object, or null where the output was spent or never was.",
		},
		{
			name: "gettxoutsetinfo", area: "Blockchain", run: m.getTxOutSetInfo,
			params: []param{
				{name: "hash_type", want: "string", fallback: `"none"`, help: `Which hash over the set to add; this version has "none".`},
				{name: "hash_or_height", want: "string or number", fallback: "the best block", help: "Another block; not supported by this version."},
				{name: "use_index", want: "boolean", fallback: "true", help: "Not used: there is no index of past sets."},
			},
			summary: "Counts the unspent outputs. It reads all of them: this may take long.",
			result:  "An object.",
		},
	}
}

type txOutJSON struct {
	BestBlock     string           `json:"bestblock"`
	Confirmations int32            `json:"confirmations"`
	Value         Amount           `json:"value"`
	ScriptPubKey  scriptPubKeyJSON `json:"scriptPubKey"`
	Coinbase      bool             `json:"coinbase"`
}

func (m *coinMethods) getTxOut(_ context.Context, c *call) (any, error) {
	op := wire.OutPoint{Hash: c.hash(0), Index: uint32(c.whole(1, 0, 0, math.MaxUint32, codeMisc))}
	withPool := c.flag(2, true)
	if c.err != nil {
		return nil, c.err
	}
	best := m.chain.Best()
	out := txOutJSON{BestBlock: best.Hash.String()}
	if withPool {
		if m.pool.Spends(op) {
			return nil, nil
		}
		if tx, ok := m.pool.Get(op.Hash); ok {
			if uint64(op.Index) >= uint64(len(tx.Msg.TxOut)) {
				return nil, nil
			}
			txOut := tx.Msg.TxOut[op.Index]
			out.Value, out.ScriptPubKey = Amount(txOut.Value), m.shape.scriptPubKey(txOut.PkScript)
			return out, nil
		}
	}
	coin, ok, err := m.chain.Coin(op)
	if err != nil {
		return nil, fmt.Errorf("read output %v: %w", op, err)
	}
	if !ok {
		return nil, nil
	}
	// A block may have come between the two reads.
	out.Confirmations = max(best.Height-coin.Height+1, 1)
	out.Value, out.Coinbase = Amount(coin.Amount), coin.Coinbase
	out.ScriptPubKey = m.shape.scriptPubKey(coin.Script)
	return out, nil
}

type txOutSetJSON struct {
	Height       int32  `json:"height"`
	BestBlock    string `json:"bestblock"`
	TxOuts       int64  `json:"txouts"`
	BogoSize     int64  `json:"bogosize"`
	TotalAmount  Amount `json:"total_amount"`
	Transactions int64  `json:"transactions"`
}

// bogoSize is what Bitcoin Core counts for an output besides its script: a size
// that no database changes.
const bogoSize = 32 + 4 + 4 + 8 + 2

func (m *coinMethods) getTxOutSetInfo(ctx context.Context, c *call) (any, error) {
	hashType := c.text(0, "none")
	c.flag(2, true)
	if c.err != nil {
		return nil, c.err
	}
	switch hashType {
	case "none":
	case "hash_serialized_3", "muhash":
		return nil, fail(codeInvalidParam, "hash_type %q is not supported by this version; use \"none\"", hashType)
	default:
		return nil, fail(codeInvalidParam, "'%.40s' is not a valid hash_type", hashType)
	}
	if c.has(1) {
		return nil, fail(codeInvalidParam, "hash_or_height is not supported by this version: only the set of the best block can be counted")
	}
	var out txOutSetJSON
	var last chainhash.Hash
	info, err := m.chain.EachCoin(ctx, func(op wire.OutPoint, coin consensus.Coin) error {
		if out.TxOuts == 0 || op.Hash != last {
			out.Transactions++
			last = op.Hash
		}
		out.TxOuts++
		out.BogoSize += bogoSize + int64(len(coin.Script))
		out.TotalAmount += Amount(coin.Amount)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the unspent outputs: %w", err)
	}
	out.Height, out.BestBlock = info.Height, info.Hash.String()
	return out, nil
}
