package consensus

import (
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// CheckHeader checks what a header shows by itself: its bits are a target
// within the chain's limit, and its hash does not exceed it.
func CheckHeader(h *wire.BlockHeader, p *params.Params) error {
	target, negative, overflow := CompactToTarget(h.Bits)
	if negative || overflow || target.Sign() == 0 || target.Cmp(p.PoW.LimitTarget) > 0 {
		return broke(RuleHighHash, "bits %08x are no target up to the limit %08x", h.Bits, p.PoW.Limit)
	}
	hash := h.BlockHash()
	if !meets(&hash, target) {
		return broke(RuleHighHash, "hash %v is above the target of bits %08x", hash, h.Bits)
	}
	return nil
}

// CheckHeaderContext checks a header against the branch it extends.
func CheckHeaderContext(h *wire.BlockHeader, parent Ancestry, p *params.Params) error {
	unix := headerTime(h)
	if want := NextBits(parent, unix, p); h.Bits != want {
		return broke(RuleBits, "bits %08x, want %08x", h.Bits, want)
	}
	if median := MedianTimePast(parent); int64(unix) <= median {
		return broke(RuleTimeTooOld, "time %d, must be after the median %d of the last %d blocks", unix, median, medianBlocks)
	}
	if err := checkWindowTime(unix, parent, p); err != nil {
		return err
	}
	if spacing := seconds(p.PoW.MinSpacing); spacing > 0 {
		if least := int64(parent.At(parent.Height()).Time) + spacing; int64(unix) < least {
			return broke(RuleTimeTooEarly, "time %d, must be at least %d: %d s after the parent", unix, least, spacing)
		}
	}
	return checkVersion(h.Version, parent.Height()+1, p)
}

// checkVersion applies the versions that BIP34, BIP66 and BIP65 made
// obsolete. The version is a signed number.
func checkVersion(version, height int32, p *params.Params) error {
	d := &p.Deployments
	var least int32
	switch {
	case params.Active(d.BIP65, height):
		least = 4
	case params.Active(d.BIP66, height):
		least = 3
	case params.Active(d.BIP34, height):
		least = 2
	default:
		return nil
	}
	if version >= least {
		return nil
	}
	return &RuleError{
		Rule:   RuleVersion,
		Note:   fmt.Sprintf("(0x%08x)", uint32(version)),
		Detail: fmt.Sprintf("version %d, at height %d at least %d", version, height, least),
	}
}

// CheckHeaderTime compares a header's time with the local clock. A block
// that is too far ahead gives an error that wraps ErrNotYet: it breaks no
// rule and may be accepted later.
func CheckHeaderTime(h *wire.BlockHeader, now time.Time, p *params.Params) error {
	unix, most := int64(headerTime(h)), now.Unix()+seconds(p.PoW.MaxFuture)
	if unix > most {
		return fmt.Errorf("%w: block time %d, accepted from %d on (local clock %d, %d s allowed)",
			ErrNotYet, unix, unix-seconds(p.PoW.MaxFuture), now.Unix(), seconds(p.PoW.MaxFuture))
	}
	return nil
}

// MinTime is the least time (seconds since 1970) that the block after
// parent may have.
func MinTime(parent Ancestry, p *params.Params) uint32 {
	least := MedianTimePast(parent) + 1
	if window, rule := minWindowTime(parent, p); rule != "" {
		least = max(least, window)
	}
	if spacing := seconds(p.PoW.MinSpacing); spacing > 0 {
		least = max(least, int64(parent.At(parent.Height()).Time)+spacing)
	}
	return uint32(least)
}

// headerTime is the time as it is encoded: 32 bits, seconds since 1970.
func headerTime(h *wire.BlockHeader) uint32 { return uint32(h.Timestamp.Unix()) }
