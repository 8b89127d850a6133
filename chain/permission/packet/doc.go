// Package packet holds a transaction with records while it is made and signed:
// by one wallet, or by those of several members that vote together. It lays
// the transaction out, puts signatures together, and reads and writes its text
// form, a PSBT. It holds no keys and knows no chain state.
//
// Everything here is pure: no disk, clock, network or randomness. A Packet is
// used by one goroutine at a time.
//
// # PSBT
//
// A packet is written as a PSBT of version 0 (BIP174, with BIP371's fields of
// P2TR inputs) in base64. After the magic come maps: a global one, one for each
// input, one for each output. A map is pairs of key and value, each behind its
// length as CompactSize, and a zero byte; the first byte of a key is its type.
//
//	map     type  value
//	global  00    transaction without signatures and witnesses
//	global  fb    version, uint32 little-endian: 0 or left out
//	input   01    amount (int64 little-endian), length, script
//	input   03    signature hash, uint32 little-endian: 0 or left out
//	input   08    final witness: one signature (read only)
//	input   13    BIP340 signature for the key path, 64 bytes
//
// Other pairs are kept as they are; those of a type that package psbt knows
// have to be as that type asks for. A PSBT that does not say which coins it
// spends, spends other than P2TR coins, asks for another signature hash, or
// holds a signature that does not fit, is refused.
//
// Package psbt of btcsuite reads and writes the pairs. Before it reads, the
// maps are split and looked through here, because it trusts announced lengths
// and passes over some faults; pairs.go says which.
package packet
