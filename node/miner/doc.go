// Package miner finds blocks with the processor of this machine.
//
// [Miner.Run] mines for as long as it is told to; [Miner.Generate] and
// [Miner.GenerateBlock] mine on demand, for tests and development chains. A
// round starts with a block template of the pool. Its threads divide the
// nonces of one extra nonce among them, and go on to the next extra nonce, so
// that a round never runs out of work; after a few thousand hashes each looks
// whether the round is over. It is over when the best block changes, and,
// not more often than Config.Refresh, when the pool does. What is found goes
// to the chain like a block from anybody else.
//
// # Time
//
// A block is stamped with the time of the node's clock, or the least time the
// rules allow when that is later, and is not given to the chain before the
// clock has come so far that others will take it: on chains with min_spacing
// not before its own time, on others not more than max_future ahead of it.
// Config.BlockTime slows mining down further: a new round begins no sooner
// than that after the last block of the chain arrived here, so that a chain
// with trivial work has a steady beat.
//
// # Concurrency
//
// All methods are safe for concurrent use. Run may run once at a time;
// Generate and GenerateBlock go on beside it, one at a time.
package miner
