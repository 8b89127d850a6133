package bench

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/node/bench/workload"
)

// poolSpec is the chain of the instruments that offer payments to a pool: its
// payments spend coins of the funding blocks only.
func poolSpec(o Options, kind workload.Kind) workload.Spec {
	return workload.Spec{Kind: kind, Blocks: or(o.Blocks, 9), Weight: o.Weight, Seed: o.Seed, Wide: true}
}

// rawBlocks returns the full blocks of a chain.
func rawBlocks(c *workload.Chain) ([][]byte, error) {
	var list [][]byte
	for raw, err := range workload.Read(c.Blocks) {
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
	}
	return list, nil
}

// rawPayments returns the transactions of blocks, without coinbases, in
// order.
func rawPayments(c *workload.Chain, blocks [][]byte) ([][]byte, error) {
	var list [][]byte
	for _, raw := range blocks {
		b, err := consensus.DecodeBlock(raw, &c.Params.Limits)
		if err != nil {
			return nil, err
		}
		for _, tx := range b.Txs[1:] {
			var buf bytes.Buffer
			if err := tx.Msg.Serialize(&buf); err != nil {
				return nil, err
			}
			list = append(list, slices.Clip(buf.Bytes()))
		}
	}
	return list, nil
}

// decodeTxs decodes transactions one by one, as they arrive.
func decodeTxs(raws [][]byte) ([]*consensus.Tx, error) {
	list := make([]*consensus.Tx, len(raws))
	for i, raw := range raws {
		tx, err := consensus.DecodeTx(raw)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		list[i] = tx
	}
	return list, nil
}
