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
//	CheckBlockContext   the body and its place: locktimes, height, BIP54's
//	                    form, witness, weight
//	CheckTxInputs,      the body and the coins it spends; the caller adds
//	CheckSequenceLocks, what needs the coin set itself (missing inputs,
//	SigOpCost           BIP30) and the scripts (package sigcheck)
//	CheckCoinbaseAmount the sum of subsidy and fees
//
// A rule that a deployment brings is in force from the height that the chain
// file gives; below it the older rule holds.
//
// # Blocks and transactions in memory
//
// A [Block] and a [Tx] are their fields as package wire has them, and what
// is derived from their bytes once: hashes, sizes, weights. [DecodeBlock] and
// [DecodeTx] make them over the bytes, which they keep: scripts and witness
// items are parts of these, fields lie in slabs of which there are eight
// for a block of any size, and hashes are taken from the bytes without
// encoding anything again. [Block.Raw] gives the bytes back, for the disk and
// for peers. The price is that one script or transaction that is kept keeps
// its whole block in memory: who keeps one takes a copy ([Tx.Clone]).
// [NewBlock] and [NewTx] make them from what this process has built.
//
// A block remembers its merkle trees, and under which params it last passed
// CheckBlock. So [Prepare] can do that work early, on any core, and the
// chain, whose turn it is to judge, finds it done. What is remembered is a
// function of the block and the params; errors are not remembered.
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
//
// # The rules
//
// Every rule has a constant in rules.go, whose text is Bitcoin Core's reject
// reason where Core has one; those of BIP54 are the names of its reference
// implementation. A rule without a BIP is in force from genesis. The column
// "ours" says where a chain differs from Bitcoin; the numbers in brackets are
// Bitcoin's and come from the chain file.
//
//	rule                                   what it asks for                                  BIP, ours
//	high-hash                              hash <= target of bits <= pow.limit
//	bad-diffbits                           bits as pow.algorithm demands                     ours: fixed, asert
//	time-too-old                           time > median of the 11 blocks before
//	time-too-early                         time >= parent's + min_spacing                    ours
//	time-timewarp-attack                   opens a window: time >= parent's - 7,200 s        BIP54; algorithm bitcoin
//	time-negative-interval                 closes a window: time >= its first block's        BIP54; algorithm bitcoin
//	bad-version                            version >= 2, 3, 4; larger and unknown ones pass  BIP34, BIP66, BIP65
//	bad-txnmrklroot                        the header's merkle root is that of the body      may be mutated
//	bad-txns-duplicate                     no repeated part of the tree                      CVE-2012-2459, mutated
//	bad-blk-length                         1 transaction or more; bytes without witness
//	                                       times 4 <= block_weight [4,000,000]
//	bad-blk-txcount                        400,000 transactions at most                      ours; beyond what fits
//	bad-blk-weight                         weight <= block_weight                            BIP141
//	bad-blk-sigops                         sigop cost <= block_sigop_cost [80,000]           BIP16, BIP141
//	bad-txns-nonfinal                      locktimes are over; relative ones too             BIP113, BIP68
//	bad-witness-nonce-size                 reserved value: one item of 32 bytes              BIP141, mutated
//	bad-witness-merkle-match               commitment fits the witnesses                     BIP141, mutated
//	unexpected-witness                     no witness without a commitment                   BIP141, mutated
//	bad-cb-missing, bad-cb-multiple        the first transaction is a coinbase, no other
//	bad-cb-length                          input script of 2 to 100 bytes
//	bad-cb-height                          input script starts with the height               BIP34
//	bad-cb-locktime                        locktime is the height less 1                     BIP54
//	bad-cb-sequence                        sequence is not ffffffff                          BIP54
//	bad-cb-amount                          pays subsidy and fees at most
//	bad-txns-vin-empty                     an input or more
//	bad-txns-vout-empty                    an output or more
//	bad-txns-oversize                      bytes without witness times 4 <= 4,000,000
//	bad-txns-weight                        weight <= 4,000,000                               ours, where blocks are larger
//	bad-txns-size                          not 64 bytes without witness; coinbases too       BIP54
//	bad-txns-vout-negative                 0 <= each amount
//	bad-txns-vout-toolarge                 each amount <= max_money
//	bad-txns-txouttotal-toolarge           their sum <= max_money
//	bad-txns-inputs-duplicate              no output spent twice by one transaction          CVE-2018-17144
//	bad-txns-prevout-null                  only a coinbase spends nothing
//	bad-txns-inputs-missingorspent         what is spent exists                              in package chain
//	bad-txns-premature-spend-of-coinbase   coinbases rest for maturity [100] blocks          not those of genesis
//	bad-txns-inputvalues-outofrange        0 <= sum of inputs <= max_money
//	bad-txns-in-belowout                   inputs hold what outputs do
//	bad-txns-legacy-sigops                 2,500 sigops at most validate a transaction,
//	                                       witnesses apart                                   BIP54
//	bad-txns-fee-outofrange,
//	bad-txns-accumulated-fee-outofrange    0 <= fees <= max_money
//	bad-txns-BIP30                         no unspent output is overwritten                  BIP30, in package chain
//	mandatory-script-verify-flag-failed    scripts succeed (a transaction by itself)         in package sigcheck: BIP16, BIP65,
//	block-script-verify-flag-failed        scripts succeed (in a block)                      BIP66, BIP112, BIP141, BIP143, BIP147,
//	                                                                                         BIP341, BIP342
//
// What stays open for later rules as in Bitcoin breaks none: versions of
// blocks and transactions, witness programs of versions 2 to 16 and those of
// version 1 that are not 32 bytes, annexes, leaf versions, OP_SUCCESS and
// keys of unknown types in tapscript.
//
// # Where a chain differs from Bitcoin
//
//   - BIP30 is never switched off: not by BIP34, as from block 227,931 of
//     Bitcoin, nor by BIP54. The chain file names the blocks that broke it.
//     On the main chain this is what Bitcoin Core itself does again from
//     block 1,983,702 on; before, no valid block tells the two apart.
//   - Outputs of genesis can be spent, at once, where the chain file makes
//     genesis; the genesis block of Bitcoin (genesis.raw) keeps its own unspendable.
//   - Blocks of more than 4,000,000 weight come with BIP54 from genesis, and
//     transactions do not grow: what one of them can cost stays bounded.
//   - BIP54's rules of times guard the retarget of "bitcoin", in windows of
//     timespan/spacing blocks [2,016]. "asert" and "fixed" measure no windows
//     and have none of it. Its 7,200 seconds are the same on every chain:
//     where a window lasts hours rather than weeks, min_spacing is the guard
//     against timewarps, for it lets no block be older than its parent.
//   - A chain file may leave a deployment out for ever (-1). What BIP54 and
//     BIP34 check then simply is not checked.
package consensus
