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
// # Seals and turns
//
// Where mining is restricted, blocks carry the seal of a member (package
// chain/permission/seal), made with Config.Key. The seal covers the header but
// for its nonce, so it comes first, with the time of the block, and then the
// nonce; every ten seconds, or when nonces run out, another seal is made. What
// would be an extra nonce elsewhere is the randomness of the signature.
//
// Members take turns: of those that the diversity rule lets seal, the one that
// sealed longest ago starts at the least time that the rules allow
// (min_spacing), each other one a stagger later (seal.Delay) than the one
// before. A member that sealed none of the last n+2 blocks, of n that mine,
// counts as asleep and comes last, so that nobody waits for it; when it is
// back, it counts itself as awake, seals beside whoever's turn it is in the
// eyes of the others, and the lower hash decides between the two blocks.
// Whoever was kept from mining by something else (isolation, rest, an error)
// counts its stagger from the end of that: else all would start at once.
// make sim runs this custom for 1 to 20 members that come and go.
//
// Run does not seal
//
//   - without a key, with a key that is nobody's or may not mine, or before
//     its member is active;
//   - while fewer than w (Required) of the members that mine, this one
//     included, were seen within three times the spacing (Config.Present): on
//     its side of a split it would make blocks that are undone;
//   - while there is a conflicting history (chain.Conflict), and while
//     Config.Hold says so (syncing, coins of a snapshot not checked yet).
//
// Status and the metric charter_miner_state say which ([State]).
//
// [Miner.SubmitRestart] takes the certificate by which administering members
// restart a chain that has lost its miners. Its block is made like any other,
// by the turns and the presence of the members that it lists.
//
// # Empty blocks
//
// With Config.SkipEmpty, Run rests when the pool has nothing for a block and
// the last w blocks (six where mining is everybody's) hold nothing but their
// coinbases and restart nothing: the last payment has then one confirmation
// more than it takes to be safe, and a member declared ready in that block may
// seal the next one. Blocks go on, within a moment, as soon as a transaction
// waits. What waits for a height does not end the rest: ranges of permissions
// begin and end, votes lapse, subsidies mature, and locktimes pass by height
// as further blocks come; a locktime by height may wait for ever. Who needs a
// height leaves SkipEmpty off at one of the members.
//
// # Concurrency
//
// All methods are safe for concurrent use. Run may run once at a time;
// Generate and GenerateBlock go on beside it, one at a time.
package miner
