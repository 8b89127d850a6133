// Package model is the state machine of package permission once more, written
// from the rules of members and permissions and from how package permission
// says it reads them, without looking at how that package does it: plain maps,
// a whole copy for each block, every question answered by going through
// everything. It is there to be compared with; only tests import it.
//
// It shares no code with package permission. Records and ids are those of
// package record; signatures and scripts are not looked at: a Tx says which
// of its inputs speak and whether a signature inside it fits.
//
// Where a block breaks rules, the model names all that the first bad
// transaction breaks at the point where it is refused: which one of them is
// reported is no matter of consensus.
package model
