package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
)

// blockMethods show single blocks.
type blockMethods struct {
	chain Chain
	shape *shaper
}

func (b *blockMethods) methods() []*method {
	blockHash := param{name: "blockhash", want: "string, 64 hex digits", help: "The block hash."}
	return []*method{
		{
			name: "getblock", area: "Blockchain",
			params: []param{blockHash, {name: "verbosity|verbose", want: "number, 0 to 3", fallback: "1",
				help: "0: the block as hex; 1: an object with transaction ids; 2: with transactions; 3: with the outputs they spend too."}},
			summary: "Returns a block.",
			result:  "A string of hex, or an object.",
			run:     b.getBlock,
		},
		{
			name: "getblockheader", area: "Blockchain",
			params: []param{blockHash, {name: "verbose", want: "boolean", fallback: "true",
				help: "true: an object; false: the 80 bytes as hex."}},
			summary: "Returns a block header.",
			result:  "An object, or a string of hex.",
			run:     b.getBlockHeader,
		},
		{
			name: "getblockhash", area: "Blockchain",
			params:  []param{{name: "height", want: "number, 0 to the best height", help: "The height on the best branch."}},
			summary: "Returns the hash of the block at a height of the best branch.",
			result:  "A string of 64 hex digits.",
			run:     b.getBlockHash,
		},
	}
}

type headerJSON struct {
	Hash          string     `json:"hash"`
	Confirmations int32      `json:"confirmations"`
	Height        int32      `json:"height"`
	Version       int32      `json:"version"`
	VersionHex    string     `json:"versionHex"`
	MerkleRoot    string     `json:"merkleroot"`
	Time          int64      `json:"time"`
	MedianTime    int64      `json:"mediantime"`
	Nonce         uint32     `json:"nonce"`
	Bits          string     `json:"bits"`
	Target        string     `json:"target"`
	Difficulty    realNumber `json:"difficulty"`
	ChainWork     string     `json:"chainwork"`
	NTx           int        `json:"nTx"`
	Previous      string     `json:"previousblockhash,omitempty"`
	Next          string     `json:"nextblockhash,omitempty"`

	Sealer *sealerJSON `json:"sealer,omitempty"` // where blocks carry seals
}

type blockJSON struct {
	headerJSON
	StrippedSize int   `json:"strippedsize"`
	Size         int   `json:"size"`
	Weight       int64 `json:"weight"`
	Tx           []any `json:"tx"`
}

// header describes a block header. confirmations is -1 off the best branch.
func (b *blockMethods) header(info *chain.BlockInfo) headerJSON {
	h := &info.Header
	out := headerJSON{
		Hash:          info.Hash.String(),
		Confirmations: confirmations(b.chain, info),
		Height:        info.Height,
		Version:       h.Version,
		VersionHex:    fmt.Sprintf("%08x", uint32(h.Version)),
		MerkleRoot:    h.MerkleRoot.String(),
		Time:          h.Timestamp.Unix(),
		MedianTime:    info.MedianTime.Unix(),
		Nonce:         h.Nonce,
		Bits:          fmt.Sprintf("%08x", h.Bits),
		Target:        targetHex(h.Bits),
		Difficulty:    realNumber(consensus.Difficulty(h.Bits)),
		ChainWork:     bigHex(info.Work),
		NTx:           info.TxCount,
	}
	if info.Height > 0 {
		out.Previous = h.PrevBlock.String()
	}
	if info.Next != nil {
		out.Next = info.Next.String()
	}
	out.Sealer = sealerOf(b.chain, info)
	return out
}

func confirmations(c Chain, info *chain.BlockInfo) int32 {
	if !info.OnBest {
		return -1
	}
	// The best block may have changed since info was read.
	return max(c.Best().Height-info.Height+1, 1)
}

func targetHex(bits uint32) string {
	target, _, _ := consensus.CompactToTarget(bits)
	return bigHex(target)
}

// bigHex writes 32 bytes, most significant first.
func bigHex(n *big.Int) string {
	if n == nil || n.Sign() < 0 {
		n = new(big.Int)
	}
	return fmt.Sprintf("%064x", n)
}

func (b *blockMethods) lookup(hash chainhash.Hash) (chain.BlockInfo, error) {
	return lookupBlock(b.chain, hash)
}

func lookupBlock(c Chain, hash chainhash.Hash) (chain.BlockInfo, error) {
	info, ok := c.Lookup(hash)
	if !ok {
		return info, fail(codeAddressOrKey, "Block not found")
	}
	return info, nil
}

// noBody translates an error of reading a block.
func noBody(info *chain.BlockInfo, err error) error {
	switch {
	case !errors.Is(err, chain.ErrNoData):
		return fmt.Errorf("read block %v: %w", info.Hash, err)
	case info.TxCount > 0:
		return fail(codeMisc, "Block not available (pruned data)")
	}
	return fail(codeMisc, "Block not available (not fully downloaded)")
}

func (b *blockMethods) getBlockHash(_ context.Context, c *call) (any, error) {
	height := c.whole(0, 0, math.MinInt32, math.MaxInt32, codeMisc)
	if c.err != nil {
		return nil, c.err
	}
	info, ok := b.chain.AtHeight(int32(height))
	if height < 0 || !ok {
		return nil, fail(codeInvalidParam, "Block height out of range: height is %d, want 0 to %d", height, b.chain.Best().Height)
	}
	return info.Hash.String(), nil
}

func (b *blockMethods) getBlockHeader(_ context.Context, c *call) (any, error) {
	hash, verbose := c.hash(0), c.flag(1, true)
	if c.err != nil {
		return nil, c.err
	}
	info, err := b.lookup(hash)
	if err != nil {
		return nil, err
	}
	if !verbose {
		return hex.EncodeToString(encodeHeader(&info.Header)), nil
	}
	return b.header(&info), nil
}

func (b *blockMethods) getBlock(_ context.Context, c *call) (any, error) {
	hash, verbosity := c.hash(0), c.verbosity(1, 1)
	if c.err != nil {
		return nil, c.err
	}
	info, err := b.lookup(hash)
	if err != nil {
		return nil, err
	}
	if verbosity <= 0 {
		raw, err := b.chain.ReadRawBlock(hash)
		if err != nil {
			return nil, noBody(&info, err)
		}
		return hex.EncodeToString(raw), nil
	}
	block, err := b.chain.ReadBlock(hash)
	if err != nil {
		return nil, noBody(&info, err)
	}
	out := blockJSON{
		headerJSON:   b.header(&info),
		StrippedSize: int(block.Weight()-int64(block.Size())) / 3,
		Size:         block.Size(),
		Weight:       block.Weight(),
	}
	// A body may have come after the index was looked up.
	out.NTx = len(block.Txs)
	if out.Tx, err = b.transactions(block, verbosity); err != nil {
		return nil, err
	}
	return out, nil
}

func (b *blockMethods) transactions(block *consensus.Block, verbosity int) ([]any, error) {
	list := make([]any, len(block.Txs))
	if verbosity == 1 {
		for i, tx := range block.Txs {
			list[i] = tx.TxID.String()
		}
		return list, nil
	}
	// Blocks that were never connected have no undo data; then fees and
	// spent outputs are left out, as in Bitcoin Core.
	spent, err := b.chain.ReadSpent(block.Hash)
	if err != nil && !errors.Is(err, chain.ErrNoData) {
		return nil, fmt.Errorf("read what block %v spends: %w", block.Hash, err)
	}
	for i, tx := range block.Txs {
		opt := txOptions{hex: true, prevouts: verbosity >= 3}
		if i > 0 && len(spent) == len(block.Txs)-1 {
			opt.spent = spent[i-1]
		}
		list[i] = b.shape.tx(tx, opt)
	}
	return list, nil
}

func encodeHeader(h *wire.BlockHeader) []byte {
	return encodeWith(wire.MaxBlockHeaderPayload, h.Serialize)
}
