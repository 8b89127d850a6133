package rpc

import (
	"context"
	"math"
	"sort"

	"github.com/charterchain/charter/chain"
)

// pruneMethods remove old blocks from the disk.
type pruneMethods struct{ chain Chain }

func (m *pruneMethods) methods() []*method {
	return []*method{{
		name: "pruneblockchain", area: "Blockchain", run: m.pruneBlockchain,
		params: []param{{name: "height", want: "number",
			help: "Up to this height; above 1,000,000,000 a time in seconds since 1970: up to the blocks that are two hours older."}},
		summary: "Removes block files that hold nothing above a height, where charterd was started with --prune. The last 288 blocks always stay.",
		result:  "The height of the last block that is pruned; -1 while none is. Files are removed as a whole, so it may be less than was asked for.",
	}}
}

// Bounds of what pruneblockchain takes for a height, and for how long before a
// given time blocks are kept, seconds: block times may lie that far ahead.
const (
	greatestHeight = 1_000_000_000
	timeWindow     = 2 * 60 * 60
)

func (m *pruneMethods) pruneBlockchain(_ context.Context, c *call) (any, error) {
	asked := c.whole(0, 0, math.MinInt64, math.MaxInt64, codeType)
	if c.err != nil {
		return nil, c.err
	}
	if !m.chain.PruneStatus().On {
		return nil, fail(codeMisc, "Cannot prune blocks because node is not in prune mode.")
	}
	if asked < 0 {
		return nil, fail(codeInvalidParam, "Negative block height.")
	}
	best := m.chain.Best().Height
	if asked > greatestHeight {
		height, ok := m.firstAt(asked-timeWindow, best)
		if !ok {
			return nil, fail(codeInvalidParam, "Could not find block with at least the specified timestamp.")
		}
		asked = int64(height)
	}
	switch {
	case best < chain.MinKeep:
		return nil, fail(codeMisc, "Blockchain is too short for pruning.")
	case asked > int64(best):
		return nil, fail(codeInvalidParam, "Blockchain is shorter than the attempted prune height.")
	}
	return m.chain.PruneTo(c.serving, int32(asked))
}

// firstAt returns the height of the first block of the best branch whose time
// is at least unix, going by the latest time up to each block.
func (m *pruneMethods) firstAt(unix int64, best int32) (height int32, ok bool) {
	// Median times never fall and lie behind block times: from the first block
	// at which they have come that far it is no more than eleven blocks back.
	at := sort.Search(int(best)+1, func(h int) bool {
		info, ok := m.chain.AtHeight(int32(h))
		return !ok || info.MedianTime.Unix() >= unix
	})
	for h := max(0, at-11); h <= int(best); h++ {
		info, ok := m.chain.AtHeight(int32(h))
		if !ok {
			break
		}
		if info.Header.Timestamp.Unix() >= unix {
			return int32(h), true
		}
	}
	return 0, false
}
