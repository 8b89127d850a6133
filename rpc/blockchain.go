package rpc

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// blockchainMethods show and steer the chain as a whole.
type blockchainMethods struct{ cfg *Config }

func (b *blockchainMethods) methods() []*method {
	const area = "Blockchain"
	hash := []param{{name: "blockhash", want: "string, 64 hex digits", help: "The block hash."}}
	return []*method{
		{name: "getblockchaininfo", area: area, run: b.getBlockchainInfo,
			summary: "Returns the state of the chain.", result: "An object."},
		{name: "getblockcount", area: area, run: b.getBlockCount,
			summary: "Returns the height of the best block; genesis has height 0.", result: "A number."},
		{name: "getbestblockhash", area: area, run: b.getBestBlockHash,
			summary: "Returns the hash of the best block.", result: "A string of 64 hex digits."},
		{name: "getchaintips", area: area, run: b.getChainTips,
			summary: "Returns all leaves of the block tree, the highest first.",
			result:  "An array of {height, hash, branchlen, status}; status is active, valid-fork, valid-headers, headers-only or invalid."},
		{name: "getdifficulty", area: area, run: b.getDifficulty,
			summary: "Returns the difficulty of the best block, as a multiple of Bitcoin's easiest.", result: "A number."},
		{name: "invalidateblock", area: area, params: hash, run: b.invalidateBlock,
			summary: "Treats a block, and all that build on it, as if it broke a rule, until reconsiderblock.", result: "null."},
		{name: "reconsiderblock", area: area, params: hash, run: b.reconsiderBlock,
			summary: "Lifts what is held against a block and its relatives and judges them again.", result: "null."},
	}
}

type chainInfoJSON struct {
	Chain                string          `json:"chain"`
	Blocks               int32           `json:"blocks"`
	Headers              int32           `json:"headers"`
	BestBlockHash        string          `json:"bestblockhash"`
	Bits                 string          `json:"bits"`
	Target               string          `json:"target"`
	Difficulty           realNumber      `json:"difficulty"`
	Time                 int64           `json:"time"`
	MedianTime           int64           `json:"mediantime"`
	VerificationProgress realNumber      `json:"verificationprogress"`
	InitialBlockDownload bool            `json:"initialblockdownload"`
	ChainWork            string          `json:"chainwork"`
	SizeOnDisk           *int64          `json:"size_on_disk,omitempty"`
	Pruned               bool            `json:"pruned"`
	PruneHeight          *int32          `json:"pruneheight,omitempty"`
	AutomaticPruning     *bool           `json:"automatic_pruning,omitempty"`
	PruneTargetSize      *int64          `json:"prune_target_size,omitempty"`
	Background           *backgroundJSON `json:"backgroundvalidation,omitempty"`
	// A string, as in Bitcoin Core before 28: client libraries of either
	// age read it, and many cannot read an array.
	Warnings string `json:"warnings"`
}

func (b *blockchainMethods) getBlockchainInfo(context.Context, *call) (any, error) {
	c := b.cfg.Chain
	best, headers := c.Best(), c.BestHeader()
	out := chainInfoJSON{
		Chain:                chainName(c.Params()),
		Blocks:               best.Height,
		Headers:              headers.Height,
		BestBlockHash:        best.Hash.String(),
		Bits:                 fmt.Sprintf("%08x", best.Header.Bits),
		Target:               targetHex(best.Header.Bits),
		Difficulty:           realNumber(consensus.Difficulty(best.Header.Bits)),
		Time:                 best.Header.Timestamp.Unix(),
		MedianTime:           best.MedianTime.Unix(),
		VerificationProgress: progress(&best, &headers),
		InitialBlockDownload: c.InitialSync(),
		ChainWork:            bigHex(best.Work),
		Warnings:             b.cfg.warnings(),
	}
	if b.cfg.SizeOnDisk != nil {
		size := b.cfg.SizeOnDisk()
		out.SizeOnDisk = &size
	}
	out.Background = backgroundOf(c)
	if pruning := c.PruneStatus(); pruning.On {
		first, automatic := pruning.Height+1, pruning.Target > 0
		out.Pruned, out.PruneHeight, out.AutomaticPruning = true, &first, &automatic
		if automatic {
			out.PruneTargetSize = &pruning.Target
		}
	}
	return out, nil
}

// progress is the share of known blocks that are connected.
func progress(best, headers *chain.BlockInfo) realNumber {
	if headers.Height <= best.Height {
		return 1
	}
	return realNumber(best.Height+1) / realNumber(headers.Height+1)
}

// The genesis blocks of Bitcoin's own chains, in display order.
const (
	bitcoinMainGenesis    = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
	bitcoinRegtestGenesis = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
)

// chainName is the chain file's name; on Bitcoin's own chains it is what
// programs for Bitcoin expect.
func chainName(p *params.Params) string {
	switch p.GenesisHash.String() {
	case bitcoinMainGenesis:
		return "main"
	case bitcoinRegtestGenesis:
		return "regtest"
	}
	return p.Name
}

func (b *blockchainMethods) getBlockCount(context.Context, *call) (any, error) {
	return b.cfg.Chain.Best().Height, nil
}

func (b *blockchainMethods) getBestBlockHash(context.Context, *call) (any, error) {
	return b.cfg.Chain.Best().Hash.String(), nil
}

func (b *blockchainMethods) getDifficulty(context.Context, *call) (any, error) {
	return realNumber(consensus.Difficulty(b.cfg.Chain.Best().Header.Bits)), nil
}

type tipJSON struct {
	Height    int32  `json:"height"`
	Hash      string `json:"hash"`
	BranchLen int32  `json:"branchlen"`
	Status    string `json:"status"`
}

func (b *blockchainMethods) getChainTips(context.Context, *call) (any, error) {
	tips := b.cfg.Chain.Tips()
	slices.SortStableFunc(tips, func(x, y chain.Tip) int { return cmp.Compare(y.Height, x.Height) })
	out := make([]tipJSON, len(tips))
	for i, t := range tips {
		out[i] = tipJSON{t.Height, t.Hash.String(), t.BranchLen, t.Status}
	}
	return out, nil
}

func (b *blockchainMethods) invalidateBlock(_ context.Context, c *call) (any, error) {
	return nil, b.steer(c, b.cfg.Chain.Invalidate)
}

func (b *blockchainMethods) reconsiderBlock(_ context.Context, c *call) (any, error) {
	return nil, b.steer(c, b.cfg.Chain.Reconsider)
}

func (b *blockchainMethods) steer(c *call, change func(context.Context, chainhash.Hash) error) error {
	hash := c.hash(0)
	if c.err != nil {
		return c.err
	}
	info, err := lookupBlock(b.cfg.Chain, hash)
	if err != nil {
		return err
	}
	if info.Height == 0 && c.method.name == "invalidateblock" {
		return fail(codeInvalidParam, "the genesis block cannot be invalid")
	}
	if err := change(c.serving, hash); err != nil {
		if v, ok := judge(err); ok {
			return fail(codeVerify, "%s", v.detail)
		}
		return outOfReach(err)
	}
	return nil
}
