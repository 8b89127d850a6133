package seal

import (
	"cmp"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/permission/record"
)

// minStagger is the least delay between the starts of two members.
const minStagger = 250 * time.Millisecond

// Turns are the members that may seal the next block, in the order in which
// they start: who sealed longest ago comes first. It is a custom that keeps
// variants few; the rule is only that those in it may seal.
type Turns []record.MemberID

// TurnsFor returns the turns of the next block. miners are the members that
// count there, each once. recent are the sealers of the blocks below it,
// the parent's first, as far back as the caller likes; whoever does not
// appear counts as not having sealed at all. The first barred of them may
// not seal: the height of the next block less the lowest height that counts
// for its diversity, none if that is not positive.
//
// Members that never sealed come first, by id. To turn evenly, recent needs
// as many blocks as it takes each member that is alive to seal once; four
// times the number of miners is ample. The arguments are not changed.
func TurnsFor(miners, recent []record.MemberID, barred int) Turns {
	ago := make(map[record.MemberID]int, len(miners)) // blocks since the last seal
	for i, m := range recent {
		if _, ok := ago[m]; !ok {
			ago[m] = i
		}
	}
	never := len(recent)
	since := func(m record.MemberID) int {
		if n, ok := ago[m]; ok {
			return n
		}
		return never
	}
	turns := make(Turns, 0, len(miners))
	for _, m := range miners {
		if since(m) >= min(barred, never) {
			turns = append(turns, m)
		}
	}
	slices.SortFunc(turns, func(a, b record.MemberID) int {
		return cmp.Or(cmp.Compare(since(b), since(a)), compareMembers(a, b))
	})
	return turns
}

// Rank returns how many members start before member; false if it may not
// seal the next block.
func (t Turns) Rank(member record.MemberID) (rank int, ok bool) {
	rank = slices.Index(t, member)
	return max(rank, 0), rank >= 0
}

// Delay returns how long the member of rank waits from the moment when a
// block may be published: rank times an eighth of the spacing, but of no
// less than 250 ms.
func Delay(rank int, spacing time.Duration) time.Duration {
	return time.Duration(rank) * max(minStagger, spacing/8)
}
