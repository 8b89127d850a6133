// Package hints holds the formats in which hints about a block's signatures
// (sigcheck.Hints) are kept beside the block and passed on with it.
//
// Hints are nobody's word: whoever uses them proves what they say, or checks
// the signatures without. So a checksum is all that guards them, and losing
// them loses time only.
//
// # Row
//
// What a node keeps, under the block's hash, in a row that has a checksum of
// its own (package store). Version 1:
//
//	field    type    size  meaning
//	version  u8      1     1
//	inputs   u32 le  4     of the block, the coinbase's not counted
//	bits     bytes   rest  the hints, without the zero bytes at their end
//
// # Frame
//
// What an export writes in front of a block. A reader that looks for the
// chain's magic alone, as Bitcoin's programs do, passes over it. Version 1:
//
//	field    type    size           meaning
//	magic    bytes   4              see Magic
//	length   u32 le  4              bytes that follow
//	version  u8      1              1
//	block    bytes   32             hash of the block that follows, internal byte order
//	inputs   u32 le  4              as above
//	bits     bytes   ⌈inputs / 8⌉   the hints
//	crc      u32 le  4              CRC-32C (Castagnoli) of length to bits
//
// In both a bit behind the last input is 0. Decoders refuse everything else
// that Append does not write.
package hints
