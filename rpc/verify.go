package rpc

import (
	"context"
	"errors"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
)

// verifyMethods check what is stored, and say what is known of a block.
type verifyMethods struct{ chain Chain }

func (m *verifyMethods) methods() []*method {
	const area = "Blockchain"
	hash := []param{{name: "blockhash", want: "string, 64 hex digits", help: "The block hash."}}
	return []*method{
		{name: "verifychain", area: area, run: m.verifyChain,
			params: []param{
				{name: "checklevel", want: "number, 0 to 4", fallback: "3",
					help: "0: read the blocks from disk; 1: and check their rules; 2: and their undo data; 3: and disconnect them, in memory; 4: and connect them again, with all scripts."},
				{name: "nblocks", want: "number", fallback: "6", help: "How many blocks, from the best one down; 0: all."},
			},
			summary: "Checks the stored blocks, undo data and coins. The node goes on working meanwhile.",
			result:  "true, or false where something is wrong or not everything could be checked: the log names it, and explainblock shows what is wrong with a block."},
		{name: "explainblock", area: area, run: m.explainBlock, params: hash,
			summary: "Says what this node knows of a block, and why.",
			result: "An object: verdict is unknown, orphan, header, stored, valid, active, invalid or bad-ancestor; why holds sentences; " +
				"rule, detail and culprit say what is broken and by which block; fault is what last went wrong with it, without making it invalid."},
		{name: "preciousblock", area: area, run: m.preciousBlock, params: hash,
			summary: "Treats a block as if it had come before all others of equal work, until the node restarts.", result: "null."},
	}
}

func (m *verifyMethods) verifyChain(ctx context.Context, c *call) (any, error) {
	// As in Bitcoin Core, what is out of range is the nearest value in it.
	level := c.integer(0, 3, math.MinInt32, math.MaxInt32)
	depth := c.integer(1, 6, math.MinInt32, math.MaxInt32)
	if c.err != nil {
		return nil, c.err
	}
	report, err := m.chain.VerifyChain(ctx, int(min(max(level, 0), 4)), int(max(depth, 0)), nil)
	if err != nil {
		return nil, err
	}
	return report.Complete, nil
}

func (m *verifyMethods) preciousBlock(_ context.Context, c *call) (any, error) {
	hash := c.hash(0)
	if c.err != nil {
		return nil, c.err
	}
	err := m.chain.Precious(c.serving, hash)
	if errors.Is(err, chain.ErrUnknownBlock) {
		return nil, fail(codeAddressOrKey, "Block not found")
	}
	return nil, outOfReach(err)
}

type explanationJSON struct {
	Hash          string         `json:"hash"`
	Verdict       string         `json:"verdict"`
	Why           []string       `json:"why"`
	Known         bool           `json:"known"`
	Height        *int32         `json:"height,omitempty"`
	Confirmations *int32         `json:"confirmations,omitempty"`
	Previous      string         `json:"previousblockhash,omitempty"`
	ChainWork     string         `json:"chainwork,omitempty"`
	OnBest        bool           `json:"on_best_branch"`
	Sealer        *sealerJSON    `json:"sealer,omitempty"`
	Fork          *blockNameJSON `json:"fork,omitempty"`
	HaveBody      bool           `json:"have_body"`
	HaveUndo      bool           `json:"have_undo"`
	Precious      bool           `json:"precious"`
	Rule          string         `json:"rule,omitempty"`
	Detail        string         `json:"detail,omitempty"`
	ByOperator    bool           `json:"by_operator"`
	Culprit       *blockNameJSON `json:"culprit,omitempty"`
	Missing       *blockNameJSON `json:"missing,omitempty"`
	Fault         *faultJSON     `json:"fault,omitempty"`
}

type blockNameJSON struct {
	Hash   string `json:"hash"`
	Height int32  `json:"height"`
}

type faultJSON struct {
	Error       string `json:"error"`
	Rule        string `json:"rule,omitempty"`
	Time        int64  `json:"time"`
	Times       int    `json:"times"`
	VerifyLevel *int   `json:"verify_level,omitempty"`
}

func blockName(info *chain.BlockInfo) *blockNameJSON {
	if info == nil {
		return nil
	}
	return &blockNameJSON{info.Hash.String(), info.Height}
}

func (m *verifyMethods) explainBlock(_ context.Context, c *call) (any, error) {
	hash := c.hash(0)
	if c.err != nil {
		return nil, c.err
	}
	return m.explain(hash), nil
}

// explain never fails: a block that is not known is an answer too.
func (m *verifyMethods) explain(hash chainhash.Hash) explanationJSON {
	e := m.chain.Explain(hash)
	out := explanationJSON{
		Hash:       hash.String(),
		Verdict:    string(e.Verdict),
		Why:        e.Why,
		Known:      e.Known,
		OnBest:     e.Block.OnBest,
		HaveBody:   e.Block.HaveData,
		HaveUndo:   e.HaveUndo,
		Precious:   e.Precious,
		Rule:       string(e.Rule),
		Detail:     e.Detail,
		ByOperator: e.ByOperator,
		Culprit:    blockName(e.Culprit),
		Missing:    blockName(e.Missing),
	}
	if e.Known {
		confirmed := confirmations(m.chain, &e.Block)
		out.Height, out.Confirmations = &e.Block.Height, &confirmed
		out.ChainWork, out.Fork = bigHex(e.Block.Work), blockName(&e.Fork)
		out.Sealer = sealerOf(m.chain, &e.Block)
		if e.Block.Height > 0 {
			out.Previous = e.Block.Header.PrevBlock.String()
		}
	}
	if f := e.Fault; f != nil {
		out.Fault = &faultJSON{Error: f.Err, Rule: string(f.Rule), Time: f.At.Unix(), Times: f.Times}
		if f.VerifyLevel >= 0 {
			out.Fault.VerifyLevel = &f.VerifyLevel
		}
	}
	return out
}
