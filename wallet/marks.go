package wallet

import (
	"math/bits"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// blockMark is a block that was scanned.
type blockMark struct {
	height int32
	hash   chainhash.Hash
}

// denseMarks is how many blocks below the tip are all remembered. Below
// them the distance between marks doubles with the depth, down to genesis,
// so a fork at any depth is found in a list of bounded length; where it
// falls between two marks some blocks are read again.
const denseMarks = 64

// addMark appends the next block to the list and drops marks that are too
// dense for their depth now. The list is ascending and starts at height 0.
func addMark(marks []blockMark, next blockMark) []blockMark {
	marks = append(marks, next)
	return slices.DeleteFunc(marks, func(m blockMark) bool {
		depth := next.height - m.height
		if depth < denseMarks || m.height == 0 {
			return false
		}
		// The spacing is a power of two, so what is kept at a depth was
		// kept at every smaller one.
		spacing := int32(1) << (bits.Len32(uint32(depth/denseMarks)) - 1)
		return m.height%spacing != 0
	})
}
