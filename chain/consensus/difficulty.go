package consensus

import (
	"math/big"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/params"
)

// Ancestry is a branch of the block tree, seen from its last block.
type Ancestry interface {
	// Height is that of the last block; genesis has 0.
	Height() int32
	// At returns what difficulty and times need of the block at height,
	// for 0 <= height <= Height().
	At(height int32) HeaderFields
}

// HeaderFields are the parts of a header that later blocks are judged by.
type HeaderFields struct {
	Time uint32 // seconds since 1970
	Bits uint32 // compact target
}

// medianBlocks is the number of blocks whose median time is the chain's clock.
const medianBlocks = 11

// MedianTimePast is the median of the times of the last 11 blocks of a, or
// of all where there are fewer, in seconds since 1970. For an even number it
// is the later one of the middle (as in Bitcoin).
func MedianTimePast(a Ancestry) int64 { return medianTimeAt(a, a.Height()) }

func medianTimeAt(a Ancestry, height int32) int64 {
	var buf [medianBlocks]uint32
	times := buf[:0]
	for h := height; h >= 0 && len(times) < medianBlocks; h-- {
		times = append(times, a.At(h).Time)
	}
	slices.Sort(times)
	return int64(times[len(times)/2])
}

// NextBits is the compact target that the block after parent must have when
// its time is newTime (which matters only with min_difficulty_after).
func NextBits(parent Ancestry, newTime uint32, p *params.Params) uint32 {
	last := parent.At(parent.Height())
	if after := p.PoW.MinDifficultyAfter; after > 0 && int64(newTime) > int64(last.Time)+seconds(after) {
		if p.PoW.Algorithm != params.AlgorithmBitcoin || (parent.Height()+1)%retargetInterval(p) != 0 {
			return p.PoW.Limit
		}
	}
	switch p.PoW.Algorithm {
	case params.AlgorithmASERT:
		return nextASERT(parent, p)
	case params.AlgorithmBitcoin:
		return nextBitcoin(parent, p)
	default: // params.AlgorithmFixed; Load admits no other
		return p.PoW.Limit
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// retargetInterval is the number of blocks in a window of the bitcoin rule.
func retargetInterval(p *params.Params) int32 {
	return max(1, int32(p.PoW.Timespan/p.PoW.Spacing))
}

// nextBitcoin keeps the bits of the parent except for the first block of a
// window.
func nextBitcoin(parent Ancestry, p *params.Params) uint32 {
	interval, height := retargetInterval(p), parent.Height()
	last := parent.At(height)
	if (height+1)%interval != 0 {
		if p.PoW.MinDifficultyAfter == 0 {
			return last.Bits
		}
		return lastRegularBits(parent, interval, p)
	}
	return retarget(last, parent.At(height-(interval-1)).Time, p)
}

// lastRegularBits is what a block that comes in time has on a chain with
// min_difficulty_after: the bits of the last block that did not use the
// exception, looked for no further back than the start of the window.
func lastRegularBits(parent Ancestry, interval int32, p *params.Params) uint32 {
	height := parent.Height()
	for height > 0 && height%interval != 0 && parent.At(height).Bits == p.PoW.Limit {
		height--
	}
	return parent.At(height).Bits
}

// retarget scales the target of last, which ends a window whose first block
// has firstTime, by how long the window took. That time is clamped to
// between a quarter and four times the timespan.
//
// The window has N blocks and so N-1 intervals, yet the timespan counts N of
// them: Bitcoin's rule does so too.
//
// Bitcoin computes in 256 bits and would wrap where the easiest target times
// four timespans exceeds them; here nothing wraps. Bitcoin's own limits stay
// far below.
func retarget(last HeaderFields, firstTime uint32, p *params.Params) uint32 {
	want := seconds(p.PoW.Timespan)
	took := min(max(int64(last.Time)-int64(firstTime), want/4), want*4)

	target, negative, overflow := CompactToTarget(last.Bits)
	if negative || overflow {
		return p.PoW.Limit // no header with such bits passes CheckHeader
	}
	target.Mul(target, big.NewInt(took))
	target.Quo(target, big.NewInt(want))
	if target.Cmp(p.PoW.LimitTarget) > 0 {
		return TargetToCompact(p.PoW.LimitTarget)
	}
	return TargetToCompact(target)
}
