// Package blocksync decides which block is asked of which peer. It is a pure
// state machine: no clock, no network, no goroutines. Its caller knows the
// chain, tells which blocks are wanted and what happened, and sends the
// requests that come out.
//
// # Rules
//
// The wanted blocks form a path: one branch, in height order, at most
// Config.Window long, so that what arrives out of order stays bounded. It
// moves up as the chain stores blocks.
//
// Each peer has a share: how many blocks it may owe at a time. The share
// starts small and follows what the peer delivers: as many blocks as arrive
// within Config.Horizon at its measured pace, growing by one for each block.
// A block goes to the peer whose share is least used, lowest height first.
//
// When nothing is left to hand out and a peer has room, the lowest block that
// has been waited for longer than Config.MoveAfter moves on to it, and the
// peer that kept us waiting loses half its share. Each further move of the
// same block waits twice as long. What arrives late is still taken.
//
// A peer's Standing says whether it has delivered what it claims to have, so
// that the caller can put the branches of those that have first.
//
// A peer that owes blocks and delivers none for Config.StallAfter is
// reported, for the caller to end the session. A peer that says it does not
// have a block is not asked for it, or for later ones, until it announces something (Announced).
//
// A Scheduler is not safe for concurrent use.
package blocksync
