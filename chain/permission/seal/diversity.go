package seal

import (
	"iter"

	"github.com/charterchain/charter/chain/permission/record"
)

const million = 1_000_000

// Required returns w: the number of blocks in a row that need as many
// different members, where n members mine and diversityPPM (parts per
// million, at most 1,000,000) is the chain's share of them. It is
// ⌈share·n⌉, at least 1 and at most n; 0 for n = 0.
func Required(n int, diversityPPM uint32) int {
	if n <= 0 {
		return 0
	}
	w := (uint64(n)*uint64(diversityPPM) + million - 1) / million
	return int(min(max(w, 1), uint64(n)))
}

// CheckDiversity checks that member, who sealed the block at height, is none
// of previous: the sealers of those blocks below it that count, the parent's
// first. These are at most w-1, without those of the set-up and those below
// the last restart. The error is a *consensus.RuleError.
func CheckDiversity(member record.MemberID, height int32, previous iter.Seq[record.MemberID]) error {
	for m := range previous {
		height--
		if m == member {
			return broke(RuleDiversity, "member %v sealed block %d already, others have to come first", member, height)
		}
	}
	return nil
}
