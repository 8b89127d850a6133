package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/charterchain/charter/chain"
)

// hintMethods show what lets the signatures of blocks be checked in batches.
type hintMethods struct{ chain Chain }

func (m *hintMethods) methods() []*method {
	return []*method{{
		name: "getblockhints", area: "Blockchain", run: m.getBlockHints,
		params: []param{{name: "blockhash", want: "string, 64 hex digits", help: "The block hash."}},
		summary: "Returns the hints of a block: one bit for each input after the coinbase's, lowest bit of the first byte first, " +
			"1 where the input has one ECDSA signature and R's y coordinate is odd. " +
			"Whoever uses them proves them: wrong ones cost time. Where the node does not have them it checks the block's signatures once more.",
		result: "An object: inputs, their number; hints, the bits as hex. " +
			"null where it cannot be told what the block spends: it was never connected, or that was pruned before the block.",
	}}
}

type hintsJSON struct {
	Inputs int    `json:"inputs"`
	Hints  string `json:"hints"`
}

func (m *hintMethods) getBlockHints(_ context.Context, c *call) (any, error) {
	hash := c.hash(0)
	if c.err != nil {
		return nil, c.err
	}
	info, err := lookupBlock(m.chain, hash)
	if err != nil {
		return nil, err
	}
	f, err := m.chain.MakeHints(c.serving, hash)
	switch {
	case errors.Is(err, chain.ErrNoData) && info.HaveData:
		return nil, nil // nothing tells which coins it spends
	case errors.Is(err, chain.ErrNoData):
		return nil, noBody(&info, err)
	case err != nil:
		return nil, fmt.Errorf("hints of block %v: %w", hash, err)
	}
	return hintsJSON{Inputs: f.Inputs, Hints: hex.EncodeToString(f.Hints)}, nil
}
