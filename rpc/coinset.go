package rpc

import (
	"context"
	"fmt"

	"github.com/charterchain/charter/chain/utxo"
)

// coinSetMethods add up the whole set of unspent outputs.
type coinSetMethods struct{ chain Chain }

func (m *coinSetMethods) methods() []*method {
	return []*method{{
		name: "gettxoutsetinfo", area: "Blockchain", run: m.getTxOutSetInfo,
		params: []param{
			{name: "hash_type", want: "string", fallback: `"hash_serialized_3"`,
				help: `Which hash over the set to add: "hash_serialized_3", "muhash" (on all cores) or "none".`},
			{name: "hash_or_height", want: "string or number", fallback: "the best block", help: "Another block; this node keeps no index of past sets."},
			{name: "use_index", want: "boolean", fallback: "true", help: "Not used: there is no index of past sets."},
		},
		summary: "Counts and hashes the unspent outputs. It reads all of them: this may take long.",
		result: "An object with height, bestblock, txouts, bogosize, the hash, total_amount, transactions and disk_size. " +
			"Equal sets have equal hashes, whatever node they are on.",
	}}
}

type coinSetJSON struct {
	Height       int32  `json:"height"`
	BestBlock    string `json:"bestblock"`
	TxOuts       int64  `json:"txouts"`
	BogoSize     int64  `json:"bogosize"`
	Serialized   string `json:"hash_serialized_3,omitempty"`
	MuHash       string `json:"muhash,omitempty"`
	TotalAmount  Amount `json:"total_amount"`
	Transactions int64  `json:"transactions"`
	DiskSize     int64  `json:"disk_size"`
}

func (m *coinSetMethods) getTxOutSetInfo(ctx context.Context, c *call) (any, error) {
	hashType := c.text(0, "hash_serialized_3")
	c.flag(2, true)
	if c.err != nil {
		return nil, c.err
	}
	var hashes utxo.SetHashes
	switch hashType {
	case "none":
	case "muhash":
		hashes = utxo.WithMuHash
	case "hash_serialized_3":
		hashes = utxo.WithSerialized
	default:
		return nil, fail(codeInvalidParam, "'%.40s' is not a valid hash_type", hashType)
	}
	switch {
	case c.has(1) && hashType == "hash_serialized_3":
		return nil, fail(codeInvalidParam, "hash_serialized_3 hash type cannot be queried for a specific block")
	case c.has(1):
		return nil, fail(codeInvalidParam, "Querying specific block heights requires coinstatsindex, which this node does not have")
	}
	set, err := m.chain.SummariseCoins(ctx, hashes)
	if err != nil {
		return nil, fmt.Errorf("read the unspent outputs: %w", err)
	}
	out := coinSetJSON{
		Height:       set.Block.Height,
		BestBlock:    set.Block.Hash.String(),
		TxOuts:       set.Coins,
		BogoSize:     set.BogoSize,
		TotalAmount:  Amount(set.Total),
		Transactions: set.Txs,
		DiskSize:     set.DiskSize,
	}
	switch hashes {
	case utxo.WithMuHash:
		out.MuHash = set.MuHash.String()
	case utxo.WithSerialized:
		out.Serialized = set.Serialized.String()
	}
	return out, nil
}
