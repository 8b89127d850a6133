// Package utxo keeps the set of unspent transaction outputs (coins): a cache
// over the committed set, a view for the changes of one block, undo data, and
// the encodings of all of them. It decides no consensus rule and writes
// nothing itself: a frozen part of the cache hands its changes to whoever
// commits them.
//
// # Layers
//
//	View     changes of one block (or a few), one goroutine, applied as a whole
//	active   generation of the cache that changes
//	frozen   generation that is being committed; read only; there during a flush
//	recent   coins as they are committed, by a flush or read, while there is room
//	older    and those before them, which make way first
//	Backend  the committed set
//
// A lookup takes the first layer that knows the outpoint; a spent entry says
// "no coin" and ends it. An entry of a generation is fresh when no layer below
// it has an unspent coin there: when it is spent it just goes, so that coins
// created and spent between two flushes never reach the disk. A coin that the
// frozen generation or the backend holds is never fresh in the active one.
// recent and older hold no outpoint that active knows: of one that frozen
// knows they get what it says once that is committed, unless active says more.
//
// # Memory
//
// A generation is 64 tables, by the first bits of the txid, without pointers:
// 8 bytes per slot, four of five slots taken at most, and a record (outpoint,
// size, value) in chunks of 64 KiB. A P2TR coin takes some 90 bytes. A table
// grows by half when it is full, without a look at its records, while readers
// of that shard wait. Chunks of coins that make way are used again for those
// that come, so that a cache at its budget leaves the garbage collector alone.
// The place in a table comes from a hash with a secret seed: whoever makes
// txids can fill one shard, but not one place of it.
//
// All of it counts: changed coins (active and frozen) may take 7/8 of the
// budget, and the rest is always there for what is read ahead. Beside it are
// the table of one view, at most 8 MiB, and what a flush needs to sort one
// shard at a time.
//
// BenchmarkConnectBlock: a block of 4,000 payments takes some 60 allocations
// from look-up to Apply, undo data included, none of them for one payment.
//
// # Rows of the committed set
//
//	key     type     size     meaning
//	prefix  u8       1        'C'
//	txid    bytes    32       internal byte order
//	index   ordered  1, 3, 5  of the output: below 0xfd one byte; else 0xfd ‖ u16 be; else 0xfe ‖ u32 be; shortest form
//
// The key order is txid, then index ascending.
//
//	value   type     meaning
//	code    varint   height·2 + 1 for a coinbase output
//	amount  varint   compressed, smallest unit
//	script  varint   form: 0 P2PKH, 1 P2SH, 2 and 3 P2PK with a key that starts with 0x02 or 0x03,
//	                 4 P2WPKH, 5 P2WSH, 6 P2TR, 7+n any other script of n bytes
//	        bytes    20 or 32 bytes of hash or key, or the n bytes
//
// A varint has 7 bits per byte, the most significant first; bit 7 says that
// more follow, and each continued byte adds one, so that every number has
// exactly one form (Bitcoin Core's VARINT). An amount n with k trailing
// decimal zeros, k at most 9, becomes: 0 for 0; for k < 9, with d the last
// digit of n/10^k and m the digits before it, 1 + 10·(9·m + d - 1) + k; for
// k = 9, 1 + 10·(n/10^9 - 1) + 9 (Bitcoin Core's CompressAmount). Amounts
// above 2^59, where that would overflow, become n - 2^59 + 9·2^59 + 16.
// Exactly one encoding of a coin decodes.
//
// # Undo data
//
//	count   varint   transactions after the coinbase
//	per transaction:
//	count   varint   inputs
//	coins   value    as above, one per input, in input order
//
// # Concurrency
//
// A Cache may be read by any number of goroutines. Apply and Freeze are for
// one writer at a time; Release and Frozen.Each may run beside it. A View
// belongs to one goroutine.
//
// Apply changes shard after shard, each under its lock, and until it is done
// readers look into the view first: so they see all of its changes at once,
// and wait for one shard at most. One call of Coin, and each 128 outpoints of
// Lookup, see one state. Locks: Cache.gate, then that of one shard, then that
// of the pool of chunks.
package utxo
