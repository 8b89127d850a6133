// Package message holds the messages of the Charter protocol and their
// encodings. p2p/README.md is the specification; the field tables here say
// the same beside the code.
//
// Every message has a Type, a payload and a largest payload that follows
// from the chain file (Limits) and is never tighter than consensus. Encode
// and Decode are inverse: each value has exactly one encoding, and Decode
// refuses every other. Decode checks counts against their bound and the
// bytes left before it allocates, and refuses trailing bytes. What it
// refuses is a *DecodeError and the sender's fault; it has no other errors.
//
// Integers are little-endian. "varint" is Bitcoin's CompactSize in its
// shortest form. Hashes are in internal byte order. Transactions, blocks
// and headers are Bitcoin's, with witnesses; they pass chain/params/scan.
//
// The package keeps no state, knows no clock, network or keys, and does
// not judge what a message says: a decoded block may break every rule.
// Messages are plain values: not to be changed once handed to another
// goroutine.
package message
