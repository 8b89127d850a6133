// Package scan checks encoded transactions, blocks and headers from outside
// (peers, RPC, files) before the wire package decodes them.
//
// The wire package allocates by the counts that a message announces and
// keeps the scripts of a transaction in one slab of 4 MiB. A few bytes can
// therefore cost it tens of megabytes, and it leaves trailing bytes to its
// caller. Tx and Block walk the bytes once, allocate nothing where the
// bytes are well formed, and accept exactly one encoding of each thing:
//
//   - every variable-length integer is as short as possible;
//   - every count times the least size of what is counted fits into the
//     bytes that are left, before anything is allocated by it;
//   - the witness marker is followed by flag 1, and at least one input has
//     a witness (else the marker is superfluous);
//   - nothing follows the last field.
//
// What they accept, wire decodes, and encodes again to the same bytes.
//
// They check form only. A transaction without outputs, one that is too
// heavy for the chain, or a block without transactions passes, so that
// chain/consensus can name the rule it breaks. Two sizes are refused all
// the same, because no chain allows them and wire cannot hold them: a
// transaction of more than MaxTxSize bytes, and a block of more than
// params.Limits.BlockSerialized bytes or MaxBlockTxs transactions. A
// transaction without inputs is refused too: BIP144 gives its encoding
// another meaning.
//
// # Decoding
//
// DecodeTx and DecodeHeader keep nothing of the bytes they are given, nor
// does DecodeBlock, whose transactions wire decodes one by one. A Decoder is
// for blocks in numbers: the walk that checks them counts what they hold, so
// that everything is decoded into a few slabs of the right size, and scripts
// stay where they are in the bytes. What it hands out is what wire would.
//
// # Formats
//
// All integers are little-endian. "var" is Bitcoin's variable-length
// integer: one byte below 0xfd, else 0xfd, 0xfe or 0xff and 2, 4 or 8 bytes.
//
//	transaction            bytes  content
//	version                4      signed
//	marker, flag           2      00 01; only with witnesses (BIP144)
//	input count            var
//	  previous txid        32
//	  previous index       4
//	  script               var+n
//	  sequence             4
//	output count           var
//	  amount               8      signed, smallest unit
//	  script               var+n
//	per input, with marker:
//	  item count           var
//	  item                 var+n
//	lock time              4
//
//	block                  bytes  content
//	header                 80     version, parent, merkle root, time, bits, nonce
//	transaction count      var
//	transactions
//
// All functions are pure and safe for concurrent use.
package scan
