package consensus

import (
	"math/big"

	"github.com/charterchain/charter/chain/params"
)

// Coefficients of the cubic that aserti3-2d uses for 2^x - 1 with
// 0 <= x < 1, x in units of 2^-16, the result in units of 2^-16 after the
// shift by 48 bits.
const (
	asertLinear = 195766423245049
	asertSquare = 971821376
	asertCube   = 5127
)

// nextASERT is aserti3-2d: the target moves exponentially with how far the
// chain is ahead of or behind an ideal schedule, by a factor of two per half
// life. Only the anchor, the parent's time and its height matter.
//
// The anchor is genesis; its parent is taken to be one spacing older.
//
// Source: Bitcoin Cash upgrade specification of 2020-11-15, "ASERT".
func nextASERT(parent Ancestry, p *params.Params) uint32 {
	anchor := parent.At(0)
	target, negative, overflow := CompactToTarget(anchor.Bits)
	if negative || overflow {
		return p.PoW.Limit // params admits no such genesis
	}
	spacing, height := seconds(p.PoW.Spacing), int64(parent.Height())
	sinceAnchorParent := int64(parent.At(parent.Height()).Time) - (int64(anchor.Time) - spacing)
	return asertBits(target, sinceAnchorParent, height, spacing, seconds(p.PoW.HalfLife), p)
}

// asertBits computes the bits of a block from the target of the anchor, the
// time from the anchor's parent to the block's parent (seconds) and the
// number of blocks from the anchor to the block's parent.
func asertBits(anchor *big.Int, timeDelta, heightDelta, spacing, halfLife int64, p *params.Params) uint32 {
	// exponent = (timeDelta - spacing*(heightDelta+1)) * 2^16 / halfLife,
	// truncated towards zero. Big, because a spacing of a day and two
	// billion blocks do not fit 64 bits.
	e := new(big.Int).Mul(big.NewInt(spacing), big.NewInt(heightDelta+1))
	e.Sub(big.NewInt(timeDelta), e)
	e.Lsh(e, 16)
	e.Quo(e, big.NewInt(halfLife))

	// Floor to whole doublings; the fraction is then never negative.
	frac := new(big.Int).And(e, big.NewInt(0xffff)).Uint64()
	shift := new(big.Int).Rsh(e, 16)
	if !shift.IsInt64() || shift.Int64() > 256 {
		return TargetToCompact(p.PoW.LimitTarget)
	}
	if shift.Int64() < -512 {
		return TargetToCompact(big.NewInt(1))
	}

	factor := 65536 + (asertLinear*frac+asertSquare*frac*frac+asertCube*frac*frac*frac+1<<47)>>48
	next := new(big.Int).Mul(anchor, new(big.Int).SetUint64(factor))
	if n := shift.Int64() - 16; n <= 0 {
		next.Rsh(next, uint(-n))
	} else {
		next.Lsh(next, uint(n))
	}
	switch {
	case next.Sign() == 0:
		next.SetInt64(1)
	case next.Cmp(p.PoW.LimitTarget) > 0:
		next = p.PoW.LimitTarget
	}
	return TargetToCompact(next)
}
