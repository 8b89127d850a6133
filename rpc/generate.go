package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// Bounds of the methods that mine at once.
const (
	defaultTries  = 1_000_000
	maxGenerate   = 100_000
	maxGenerateTx = 100_000
)

// generateMethods mine at once, on chains that allow it.
type generateMethods struct {
	chain Chain
	pool  Mempool
	miner Miner
}

func (g *generateMethods) methods() []*method {
	const area = "Generating"
	return []*method{
		{
			name: "generatetoaddress", area: area, run: g.generateToAddress,
			params: []param{
				{name: "nblocks", want: "number, 0 to 100000", help: "How many blocks."},
				{name: "address", want: "string", help: "The address that gets subsidy and fees."},
				{name: "maxtries", want: "number", fallback: "1000000", help: "How many nonces to try in all."},
			},
			summary: "Mines blocks at once. The chain file must have pow.on_demand.",
			result:  "An array of block hashes; it is shorter where maxtries ran out.",
		},
		{
			name: "generateblock", area: area, run: g.generateBlock,
			params: []param{
				{name: "output", want: "string", help: "The address, or a descriptor of one script, that gets subsidy and fees."},
				{name: "transactions", want: "array of strings", help: "Transaction ids of the mempool, or transactions as hex, in block order."},
				{name: "submit", want: "boolean", fallback: "true", help: "false: the block is returned and not added."},
			},
			summary: "Mines one block of exactly these transactions. The chain file must have pow.on_demand.",
			result:  "An object {hash}, and hex where the block was not added.",
		},
	}
}

func (g *generateMethods) allowed() error {
	if g.chain.Params().PoW.OnDemand {
		return mayMine(g.chain)
	}
	if g.chain.Params().Permissions.Restricts(params.PermMine) {
		return fail(codeMisc, "this chain does not allow mining on demand, and its blocks are sealed by members that may mine: "+
			"start the node with --mine; getminingstatus says who mines")
	}
	return fail(codeMisc, "this chain does not allow mining on demand: its chain file would need pow.on_demand = true; "+
		"start the node with --mine, or use getblocktemplate and submitblock")
}

func (g *generateMethods) generateToAddress(ctx context.Context, c *call) (any, error) {
	n := c.integer(0, 0, 0, maxGenerate)
	script := c.address(1, g.chain.Params().Address)
	tries := c.integer(2, defaultTries, 0, 1<<62)
	if c.err != nil {
		return nil, c.err
	}
	if err := g.allowed(); err != nil {
		return nil, err
	}
	hashes, err := g.miner.Generate(ctx, int(n), script, uint64(tries))
	if err != nil {
		return nil, refusedBlock(err)
	}
	return hashTexts(hashes), nil
}

// refusedBlock reports a block that was made here and did not hold.
func refusedBlock(err error) error {
	if why, ok := notSealed(err); ok {
		return why
	}
	v, ok := judge(err)
	if !ok {
		return undecided(err)
	}
	return fail(codeVerify, "%s", v.detail)
}

func (g *generateMethods) generateBlock(ctx context.Context, c *call) (any, error) {
	output, list, submit := c.text(0, ""), c.list(1, maxGenerateTx), c.flag(2, true)
	if c.err != nil {
		return nil, c.err
	}
	if err := g.allowed(); err != nil {
		return nil, err
	}
	script, err := g.output(output)
	if err != nil {
		return nil, err
	}
	txs := make([]*consensus.Tx, len(list))
	for i, raw := range list {
		if txs[i], err = g.transaction(i, raw); err != nil {
			return nil, err
		}
	}
	block, err := g.miner.GenerateBlock(ctx, script, txs, submit)
	if err != nil {
		return nil, refusedBlock(err)
	}
	out := struct {
		Hash string `json:"hash"`
		Hex  string `json:"hex,omitempty"`
	}{Hash: block.Hash.String()}
	if !submit {
		out.Hex = hex.EncodeToString(encodeWith(block.Size(), block.Msg().Serialize))
	}
	return out, nil
}

func (g *generateMethods) output(text string) ([]byte, error) {
	prefixes := g.chain.Params().Address
	if _, _, isDescriptor := cutCall(text); !isDescriptor {
		script, err := prefixes.Decode(text)
		if err != nil {
			return nil, fail(codeAddressOrKey, "Error: Invalid address or descriptor: %v", err)
		}
		return script, nil
	}
	targets, err := expand(text, prefixes)
	switch {
	case err != nil:
		return nil, fail(codeAddressOrKey, "Error: Invalid address or descriptor: %v", err)
	case len(targets) != 1:
		return nil, fail(codeInvalidParam, "output: the descriptor has %d scripts, want one", len(targets))
	}
	return targets[0].script, nil
}

// transaction reads one element of transactions.
func (g *generateMethods) transaction(i int, raw json.RawMessage) (*consensus.Tx, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fail(codeType, "transactions: element %d is of type %s, want a string", i, kindOf(raw))
	}
	if len(text) == chainhash.MaxHashStringSize {
		if hash, err := chainhash.NewHashFromStr(text); err == nil {
			tx, ok := g.pool.Get(*hash)
			if !ok {
				return nil, fail(codeAddressOrKey, "Transaction %v not in mempool.", hash)
			}
			return tx, nil
		}
	}
	tx, err := decodeTx(text)
	if err != nil {
		return nil, fail(codeDeserialization, "transactions: element %d: %s", i, err.Message)
	}
	return tx, nil
}
