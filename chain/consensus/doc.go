// Package consensus holds the rules that decide whether a header, a
// transaction or a block is valid: Bitcoin's, with the limits and the
// activation heights of a chain file (package params), and the few that
// Charter adds (least spacing of blocks, larger blocks).
//
// Every function is pure: coins, ancestors and the time are arguments. The
// package never reads a clock, a disk or the network, keeps no state, and is
// safe for concurrent use as long as callers do not change what they pass.
//
// # Three outcomes
//
// nil means that no rule was broken. A [*RuleError] names the broken rule;
// only such an error may condemn a block or count against a peer, and where
// its Mutated field is set the fault may lie in this copy of the body alone.
// Any other error means that no decision was possible; [ErrNotYet] is one.
//
// # Order of the checks of a block
//
//	CheckHeader         proof of work against the header's own bits
//	CheckHeaderContext  bits, times and version against the parent's branch
//	CheckHeaderTime     against the local clock; never a broken rule
//	CheckBlock          the body alone: merkle root, sizes, each transaction
//	CheckBlockContext   the body and its place: locktimes, height, witness, weight
//	CheckTxInputs,      the body and the coins it spends; the caller adds
//	CheckSequenceLocks, what needs the coin set itself (missing inputs,
//	SigOpCost           BIP30) and the scripts (package sigcheck)
//	CheckCoinbaseAmount the sum of subsidy and fees
//
// A rule that a deployment brings is in force from the height that the chain
// file gives; below it the older rule holds.
//
// # Numbers
//
// Amounts are int64 in the smallest unit. Times are seconds since 1970, in
// headers as uint32. Hashes are in internal byte order: the value that
// proof of work compares is the hash read as a little-endian integer.
//
// # Difficulty
//
// "fixed" always asks for the limit. "bitcoin" is Bitcoin's rule including
// its off-by-one: a window of N blocks is measured over N-1 intervals.
// "asert" is aserti3-2d with the genesis block as anchor; the anchor's
// parent, which a chain does not have, is taken to be one spacing older than
// genesis, so that block 1 has the bits of genesis. Where the chain file
// sets min_difficulty_after, a block later than that after its parent has
// the limit as its bits under every algorithm.
package consensus
