// Package mempool holds the transactions that wait for a block, and makes
// block templates of them.
//
// Whatever lies in the pool could go into the next block as it stands:
// every input is a coin of the best block's set or an output of another
// transaction in the pool, no two spend the same coin, scripts have been
// checked under the flags of the next block, and locktimes are over. Beyond
// the consensus rules the pool asks for what package policy describes.
//
// # Outcomes
//
// [Pool.Accept] returns nil, a *consensus.RuleError (no block may ever hold
// this transaction with this witness: it may be held against whoever sent
// it; the fault may lie in the witness, so it condemns the wtxid, never the
// txid), a *policy.Error (this node does not want it now), one of
// [ErrInPool], [ErrSameTxID] and [ErrInChain], a *[MissingInputsError], or
// any other error: no decision was possible (context, disk).
//
// # The pool's tip
//
// The pool follows the chain by events ([Pool.HandleEvent]) and remembers
// the block of the last one. What it reads from the chain (coins, median
// time) is used only when the chain's best block is that block before and
// after the reading, and no reorganisation is under way; else it waits for
// the event. So nothing in the pool was judged by a state the pool has not
// heard of. Scripts are checked without the lock. Afterwards everything is
// judged again if the pool heard of another event meanwhile, else only what
// else came and went: second spends, parents, the fee floor, relatives.
//
// When blocks are disconnected, their transactions and everything in the
// pool that descends from them are set aside, and brought back in block
// order at the end of the reorganisation (chain.Settled), as far as they
// still fit. They are judged as at first, but for fee, and their scripts are
// not run again where they were checked under at least the same flags.
//
// # Members and permissions
//
// On chains with permissions the pool judges by the state that will judge the
// next block (chain.NextBlock.Permissions). What only the present state
// forbids is a *policy.Error whose code is the rule's name and that wraps the
// rule: a peer that is a block ahead or behind has done nothing wrong. Only the
// form of records and the signatures inside them can be wrong for ever.
//
// Transactions with records are also tried in an empty block, after what they
// depend on, so that one which could never take effect is refused. If a member
// speaks in them they need no fee, up to 100,000 weight units; their records
// do not count as data and their authority outputs, as many as there are
// inputs and records, are no dust. A full pool lets go of them last. Each
// member can have 16 of them waiting.
//
// After each block records are tried again, and after one that changed
// permissions everything is judged again; what is not allowed any more leaves
// with its descendants (ReasonPermission).
//
// A quarter of each block is kept for transactions in which members speak,
// one of each member in turn; more of them compete by fee, and what they leave
// is for all. They are tried in the order of the block: one that fails after
// others stays out, with all that depends on it, and is judged again when the
// block is there. The coinbase pays only who may receive, else it claims
// nothing, and has room for the seal ([Template.Seal]).
//
// # Locks
//
// Chain change lock, then the pool's event lock (order of subscribers'
// calls), then the pool's lock, then the chain's read lock. The pool calls
// nobody but the chain's readers while it holds its own lock; subscribers
// are called under the event lock only. They may read the pool, must not
// change pool or chain, and must be quick.
//
// Whoever only judges or chooses holds the pool's lock for reading: any number
// of newcomers are judged side by side, and enter one by one. Looking up a
// transaction or a spent output takes a lock of the lookup tables alone, which
// is held for moments: it does not wait while a block or a template is worked
// on. Generation waits for nothing.
//
// # Order
//
// The pool keeps its entries in two rankings, which are heaps: by what an entry
// pays together with its ancestors, for templates, and by what it is worth
// keeping for, for eviction. An entry that leaves or changes only voids its
// place, and void places are removed when they are many. A template walks down
// the first ranking, and keeps beside it what its own choice changed: what is
// related to the transactions picked so far. So it looks at what it picks and
// little more, however full the pool is, and picks exactly what sorting all
// would (a test compares both). Of equals the one that came first goes first:
// the choice depends on the pool's content and order of arrival alone.
//
// # Speed
//
// In U, the time of one btcec Schnorr check on one core (151 to 199 µs here: a
// cloud machine with 2 cores of an AMD EPYC). Medians of 3 rounds, of 5 for
// templates (--rounds 5):
//
//	what                                             time       U      with
//	p2tr payments accepted, by as many goroutines    38,157/s   5.81   charterd bench accept
//	as there are cores: rate, and payments by U
//	computing for one, signature and all             45 µs      0.29
//	one that comes alone                             48 µs      0.31
//	the same by sendrawtransaction on 8              12,887/s   2.19   charterd bench rpc
//	connections, with the client's part
//	computing for one                                145 µs     0.86
//	a full block of payments known to the pool       31 ms      167    charterd bench connect
//	connects, with all that follows
//	a new template of a full pool (300 MB, 237,500   13.7 ms    75     charterd bench template
//	transactions; 7,090 in the block)
//	the first one                                    17.2 ms    103
//	following a full block of known payments, in a   -          65     BenchmarkTemplateFull/connect
//	full pool
//	judging and taking in one payment, beside its    -          0.05   BenchmarkJudge
//	signature
//
// The benchmarks run by
//
//	go test ./mempool -run - -bench 'TemplateFull|Connect|Judge|Accept' -benchtime 30x
//
// Judging takes hardly anything beside the signature, so the rate of
// newcomers is that of sigcheck, which checks signatures of several together
// when all cores are busy. The template's time goes to the two merkle trees
// (side by side), the walk, and to memory that was not looked at lately.
// Following a block is bound by memory as well: three lookup tables hold each
// transaction.
//
// # Bounds
//
//   - transactions: Config.Policy.MempoolBytes of estimated memory; what
//     pays least, together with its descendants, goes first, and the rate
//     then asked of newcomers halves every 12 hours (6 or 3 when the pool is
//     half or quarter full)
//   - time in the pool: Config.Policy.MempoolExpiry
//   - relatives: 25 transactions and 101,000 virtual bytes, of ancestors and
//     of descendants, each with the transaction itself
//   - records: 16 transactions with records that wait, per member that speaks
//   - orphans (transactions whose inputs are unknown): 100 in all, 4 MiB in
//     all, 25 a peer, 100 kB each, 20 minutes
//
// # File format
//
// [Pool.Save] writes, all integers little-endian:
//
//	field      type      meaning
//	magic      [8]byte   "CHPOOL" 0x00 0x01: kind and version 1
//	genesis    [32]byte  hash of the chain's genesis block
//	count      uint64    transactions that follow, parents before children
//	 time      int64     when it entered the pool: seconds since 1970
//	 size      uint32    bytes of the transaction
//	 tx        []byte    with witness, as on the wire
//	checksum   [32]byte  SHA-256 of everything before
package mempool
