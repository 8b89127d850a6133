// Package store keeps blocks, undo data, the block index and the chain state
// on disk. It is the only user of LevelDB and of block files. It knows plain
// bytes and 32-byte hashes only: what they mean is decided above it.
//
// # Files
//
// Below the data directory of one chain:
//
//	lock                 held (flock) while a process uses the directory; names the process
//	blocks/blkNNNNN.dat  block records, append only
//	blocks/undoNNNNN.dat undo records, append only
//	blocks/pruned        empty; block or undo files were removed
//	index/               LevelDB: rows of blocks, proofs and hints, value ‖ CRC-32C (u32 little-endian) of key ‖ value
//	chainstate/          LevelDB: the caller's rows, commit rows and the best pointer
//	indexes/NAME/        LevelDB: the rows of an optional index, the caller's
//	indexes/drop-NAME    stands while that database is being emptied
//	drop-index           empty; index and chain state are to be dropped: a kill came before that was done
//	drop-chainstate      the same for the chain state alone
//	unfinished-backup    empty; this is a backup that was cut short: Open refuses it
//
// A record of a block or undo file, version 1. Records follow each other
// without gaps; a file grows up to Config.FileSize, or holds one larger record.
//
//	field    type      size  meaning
//	magic    bytes     4     of the chain, as on the wire
//	length   u32 le    4     bytes of payload
//	crc      u32 le    4     CRC-32C (Castagnoli) of length ‖ hash ‖ parent ‖ payload
//	hash     bytes     32    of the block, internal byte order
//	parent   bytes     32    undo records only: hash of the block's parent
//	payload  bytes     length
//
// Keys of index: the hash of a block for its row; 32 bytes 0xff ‖ hash for its
// proof row, which tells others of the block when its body is gone; 33 bytes
// 0xff ‖ hash for its hints (package hints), which go with the body.
//
// Keys of chainstate whose first byte is below 0x10 belong to this package:
//
//	0x00 ‖ generation u64 big-endian  commit row
//	0x01                              best pointer: generation u64 le ‖ SHA-256 of that row's value
//
//	commit row  type    size
//	generation  u64 le  8     1 for the first commit
//	best        bytes   32    hash of the best block
//	height      i32 le  4     of the best block
//	previous    bytes   32    SHA-256 of the previous row's value; zeros for generation 1
//	meta        bytes   rest  the caller's
//
// # Order of writes
//
// The caller (1) appends block and undo records, (2) calls SyncFiles, (3)
// writes index rows, (4) commits the chain state at a block for which 1 to 3
// are done for everything up to it. Each step is durable when its call
// returns, except the first. So a kill, a full disk or a torn write at any
// moment loses nothing that an earlier step reported as done.
//
// Block and undo files are removed last: (5) RemoveFiles, after the caller has
// written index rows that do not refer to them any more. What a kill leaves of
// them is not referred to, and may be removed by the next process.
//
// A commit is one LevelDB transaction. It writes table files and then one
// manifest record, so it is there as a whole or not at all, and the journal of
// chainstate stays empty.
//
// Rows of optional indexes are written at any time, each batch in one step
// and after a sync of the block and undo files. Damage in such a database is
// reported by its own methods and does not concern the rest.
//
// # Backup
//
// A backup reads against that order, so it keeps no writer waiting: a
// snapshot of the chain state first, then one of the index, then the lengths
// of the files. The copy is what a kill could have left: index and files may
// be ahead of the chain state. It is written to a folder of its own, through
// a guard of its own: where that disk fails the store goes on.
//
// # Options of LevelDB
//
// Chosen by BenchmarkOptions: 3.8 million rows as of coins, changed by 300,000
// at a time, 12 MiB of memory, 2 cores of an AMD EPYC that had other work too
// (so the CPU time of the process or thread counts, and only ratios tell):
//
//	go test ./chain/store -run - -bench 'Options/preset$' -benchtime 1x
//
//	options                    CPU per change  written per change  CPU per get  of an absent row  on disk per row
//	as they are                3.5 µs          360 B               13 µs        5 µs              92 B
//	merged from 96 MiB on      2.8 µs          263 B               13 µs        4 µs              95 B
//	merged from 4 tables on    4.1 µs          479 B               12 µs        4 µs              84 B
//	Snappy                     5.6 µs          343 B               19 µs        6 µs              85 B
//	blocks of 16 KiB, not 4    3.7 µs          350 B               23 µs        6 µs              90 B
//	no Bloom filter            3.9 µs          350 B               22 µs        28 µs             90 B
//	with the buffer pool       3.4 µs          344 B               79 µs        77 µs             98 B
//
// Merging later still would pay, but then more tables lie unmerged than should
// be open at once. Tables of 4 MiB instead of 8 make no difference. Without
// the block cache a get takes a quarter less, but then the index and the
// filter of every open table are in memory, and nothing counts them. The first
// level at 64 MiB instead of 10 wrote 7 % more.
//
// # Failure
//
// After the first error of a write, fsync, rename or removal, wherever it
// happened (LevelDB's background work included), the store has failed: nothing
// more reaches the disk, and every later write returns that first error.
// Reads go on. There is no way back but to close, repair the cause and open
// again; an fsync that failed once proves nothing when it is repeated. No call
// waits for LevelDB beyond the first error: what it does then may never end
// (see database.write).
//
// # What Open checks
//
//   - LevelDB opens a manifest or journal with a damaged middle as if that
//     part had never been written. Open therefore reads these logs itself: a
//     damaged chunk with an intact record behind it is damage, one at the end
//     is a write that a crash cut short and is left out.
//   - Commit rows must have consecutive generations, each with the hash of the
//     one before, and the best pointer must name the last. The newest
//     KeepCommits rows are kept and exactly so many must be there (all, while
//     there were fewer commits).
//   - The newest block file and the newest undo file may end in a torn record,
//     which is cut off. If that cannot be decided the file is left as it is
//     and the next record starts a new one.
//
// What does not fit is a *DamageError that names file and place. Nothing is
// repaired by guessing: LevelDB's Recover is never called.
//
// # Concurrency
//
// All methods of Store may be called by any number of goroutines. Appends,
// syncs, index writes and commits exclude each other only among their kind.
// Lock order: commitMu, indexMu, syncMu, then the locks of fileSet, handles
// and guard, which are leaves.
package store
