// Package snapshot is the file format of UTXO snapshots: the set of unspent
// outputs as of one block, from which a node can start before it has checked
// the blocks below. It reads and writes streams; whether a snapshot is to be
// trusted is decided above it, by the digest.
//
// # Format, version 1
//
// A head, then sections, then nothing. All numbers are little-endian.
//
//	field    type   size  meaning
//	magic    bytes  8     "CHRTSNAP"
//	version  u32    4     1
//	genesis  bytes  32    hash of the chain's genesis block, internal byte order
//	rules    bytes  32    hash of the chain's rules
//	crc      u32    4     CRC-32C (Castagnoli) of what is before it
//
//	section  type   size    meaning
//	type     u8     1       see below
//	length   u64    8       bytes of data
//	data     bytes  length
//	crc      u32    4       CRC-32C of type ‖ length ‖ data
//
// Sections come in the order of their types. A type that this version does
// not know is refused.
//
//	type  name         how often  length at most  data
//	1     base         1          44              hash of the block (32), height (u32, at least 1), transactions up to and with it (u64)
//	2     headers      1 or more  2 MiB           block headers of 80 bytes each, from height 1 up to the base
//	3     coins        any        2 MiB           count (u32, at least 1), then so many coins
//	4     permissions  0 or 1     64 MiB          canonical permission state
//	5     sealers      0 or 1     2 MiB           who sealed the last blocks, 20 bytes each, the oldest first
//	255   end          1          48              headers (u64), coins (u64), digest (32)
//
// Coins are in ascending order of transaction id (internal byte order) and
// output index over all their sections, in the form of utxo.AppendEntry. None
// is unspendable or was made above the base.
//
// # Digest
//
//	SHA-256( block hash, 32 bytes, internal byte order
//	       ‖ height, i32 little-endian
//	       ‖ MuHash3072 of the coins (package utxo/muhash), 32 bytes
//	       ‖ SHA-256 of the canonical permission state
//	       ‖ the sealers of section 5 )
//
// Where a chain has no permissions there are no sections 4 and 5, and the last
// two parts are left out. The digest in the end section is what the writer
// computed, for people; a reader computes its own.
//
// # Bounds
//
// No more memory is taken than for one section, and that grows as its bytes
// arrive, whatever length is announced. Every error about the content is a
// *FormatError that says where.
package snapshot
