package rpc

import (
	"context"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/wire/v2"
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
