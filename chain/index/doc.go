// Package index keeps the optional indexes of a node: transactions by id,
// history and coins of every script, and compact block filters. They are
// made from blocks and undo data in the background, whatever the chain is
// doing, and say how far they are.
//
// It decides nothing about validity and does not hold up validation: each
// index follows the best branch in a goroutine of its own and is woken by
// Wake. Blocks that left the best branch are taken away again with their own
// data, which stays in the block files. An index that was switched off for a
// while goes on where it stopped.
//
// # Rows
//
// Each index is one database of chain/store, in indexes/FOLDER. Integers in
// keys are big-endian, so that order of keys is order in the chain; amounts
// are in the smallest unit; hashes in internal byte order.
//
//	key                                         value
//	00                                          position: format u32 le ‖ height i32 le ‖ hash of the last block
//	01 ‖ height u32                             hash of the block
//
//	tx:
//	10 ‖ txid[:8] ‖ height u32 ‖ index u24      offset uvarint ‖ size uvarint, of the transaction in its block
//
//	addr; script is the first 20 bytes of SHA-256 of the output script:
//	20 ‖ script ‖ height u32 ‖ index u24        what a transaction did: received uvarint ‖ spent uvarint
//	21 ‖ height u32 ‖ index u24                 txid
//	22 ‖ script ‖ height u32 ‖ txid ‖ vout u32  coin: uvarint of amount·2, plus 1 for a coinbase's
//	23 ‖ script                                 totals: transactions uvarint ‖ balance uvarint ‖
//	                                            received, low 64 bits, uvarint ‖ high 64 bits, uvarint, left out if 0
//
//	basicfilter:
//	30 ‖ block hash                             filter header (BIP157) ‖ filter (BIP158): uvarint of elements, set
//
// A key of tx holds a part of the id only: lookups read the transaction and
// compare. Filters of blocks that left the best branch stay.
//
// The outputs of the genesis block are in addr as far as they are coins;
// outputs that nothing can ever spend (OP_RETURN) are not.
//
// # Order of writes
//
// A batch holds whole blocks, their hashes and the position that they lead
// to, and is written in one synced step; before that the store syncs the
// block files. So at whatever instant a process or machine dies, the rows
// are those of exactly the blocks up to the position, and the chain has
// these blocks.
//
// # When something is missing
//
//   - Data of a block is not there (not fetched, pruned, damaged), or the disk
//     does not read: the index waits, tries again at every change of the
//     chain and every ten seconds, and says so in its Status.
//   - The last block of the index is on no branch whose data is there, and
//     the best branch is as high: the index is built again from the start.
//   - Rows are damaged: that index stops, with the reason in its Status and
//     the log; the node goes on. Removing its folder builds it again.
//   - A write fails: the store fails, and Run says so.
//
// # Cost
//
// BenchmarkBuild, blocks of 1,000 transactions with one input and two
// outputs, one of them to a script that is new; two cores of an AMD EPYC:
//
//	index         bytes on disk         built per second
//	tx            26 per transaction    770,000 transactions
//	addr          197 per transaction   23,000 transactions
//	basicfilter   5.5 per transaction   1,200,000 transactions
//
// (without reading the blocks from disk). BenchmarkPage: 100 entries of a history of 200,000 take 0.2 to 0.8 ms wherever they lie,
// a balance 5 µs.
package index
