// Package params reads the chain file: everything that all nodes of a chain
// must agree on, and how it is written for people. It builds the genesis
// block, and encodes addresses with the chain's own prefixes.
//
// Load reads a file, Build makes a chain from fields, NewOpen and NewPermissioned from a few
// options; Render writes one as a file with every key and a comment. A
// loaded Params never changes and is safe for concurrent use.
//
// The package refuses a file as a whole, with all its faults at once
// (FileError): unknown keys, values out of range, and keys that do not fit
// together. It touches no clock, disk or network. Package scan, below this
// one, checks encoded transactions and blocks from outside.
//
// # Keys
//
// configs/chains/consortium.toml shows and explains every key with its
// default; the tables in keys.go are what the code follows. Durations are
// integers of seconds. Compact difficulties and version bytes of extended
// keys are text of eight hexadecimal digits (an integer is read too).
// format and name are required; where mining or administration is
// restricted, so are members that may do it. Two decisions of format 1:
//
//   - Defaults are those of a new open chain under all of Bitcoin's rules of
//     today from the first block. bip54 alone is off, as on Bitcoin's main
//     chain, so that blocks made by today's software stay valid; NewOpen
//     writes it down as 0.
//   - The permissions admin and activate are restricted even where the file
//     does not list them: a chain that everybody administers has no members.
//
// A default never changes within a format, and a key that is added gets the
// default that means what was before. So a file keeps its hashes for ever.
//
// # Rules hash
//
// RulesHash is SHA-256 over the following bytes. Integers are
// little-endian; "bytes" is a length of 4 bytes and as many bytes.
//
//	field            size  content
//	format           4     1
//	per pair, sorted by the bytes of the key:
//	  key            bytes full name, such as pow.spacing
//	  value          bytes see below
//
// A pair stands for each consensus key whose value is not the default that
// the other keys give it: name, and everything in [genesis] but the nonce,
// [pow], [subsidy], [limits], [deployments] and [permissions]; and one for
// each of the arrays genesis.allocation, genesis.member and exception that
// is not empty. [address], [network], [[snapshot]] and [policy] are not
// hashed. Nor is genesis.nonce: it is searched after the hash is known, and
// the genesis hash covers it.
//
//	value               form
//	number              8, two's complement; durations in seconds
//	true, false         1: 01 or 00
//	text                its UTF-8 bytes
//	genesis.raw         the block's bytes
//	set of names        count (4), then each as bytes, sorted, none twice
//	genesis.allocation  count (4), each: script (bytes), amount (8)
//	genesis.member      count (4), each: name (bytes), permissions (set),
//	                    key count (4), each: script (bytes), roles (set)
//	exception           count (4), each: block hash (32, internal order),
//	                    rules (set); sorted by these hashes
//
// Allocations, members and keys keep the order of the file, which the
// genesis outputs and the members' ids follow. Sets have no order: the same
// rules give the same hash however they are written.
//
// # Genesis block
//
// Where genesis.raw is absent, the block at height 0 has version, time, bits
// and nonce of the file, no parent, and one transaction:
//
//	field          content
//	version        1
//	input          no previous output; sequence ffffffff; script: OP_0 (the
//	               height), then a push of the message
//	output 0       amount 0: OP_RETURN, push of 36 bytes: "CHG1", rules hash
//	outputs 1 …    one for each allocation, in the order of the file
//	outputs …      amount 0, one for each key with role admin, activate or
//	               manage, in the order of the file: the authority outputs
//	               with which governing keys speak
//	lock time      0
//
// Pushes are the shortest: a length byte below 76, else OP_PUSHDATA1. The
// nonce is the first from 0 with which the block hash meets bits.
//
// Output 0 is unspendable; the others enter the UTXO set as ordinary coins
// of height 0, which need not mature (GenesisCoins). A raw genesis block
// adds no coins: Bitcoin's first coinbase cannot be spent.
package params
