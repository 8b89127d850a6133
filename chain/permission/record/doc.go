// Package record holds the records by which a chain with permissions governs
// itself: what they say, how they are written into outputs, who may speak for
// an identity, and what keys sign. It knows no chain state: whether a record
// has authority and what it changes is for package permission.
//
// Everything here is pure and safe for concurrent use as long as callers do
// not change what they passed. No disk, clock, network or randomness.
//
// # A record in a transaction
//
// A record is an output of amount 0 whose script is OP_RETURN and one minimal
// push of at most 520 bytes. An output claims to be a record as soon as the
// first thing after OP_RETURN is a push, minimal or not, whole or cut off,
// whose data begins with "CHR"; then it has to be one, else its transaction
// is invalid ([FromTx]). So nobody can write something that one version of
// the software takes for a record and another for a note. Later pushes of a
// script are never looked at; a transaction has at most 8 records.
//
// The data, integers little-endian, heights as uint32:
//
//	field    bytes  value
//	magic    3      43 48 52, "CHR"
//	version  1      01
//	op       1      see below
//	operands ...    by operation, nothing behind them
//
//	op  operation      operands
//	01  create member  lapse, salt, name, identity, roles, [sig]
//	02  rename member  lapse, salt, member, name
//	03  grant          lapse, salt, member, permissions, from, until
//	04  add key        lapse, salt, member, identity, roles, from, until, [sig]
//	05  change key     lapse, salt, member, identity, roles, from, until, [sig]
//	06  remove key     lapse, salt, member, identity
//	07  ready          member, key, since, sig
//	08  upgrade        lapse, salt, deployment, height
//
//	operand      bytes  type and bounds
//	lapse        4      height, 0 to 2^31-1, after which the vote is forgotten
//	salt         4      any; tells votes apart that say the same
//	member       20     MemberID
//	name         1+n    length, then 1 to 32 of [a-z0-9.-]
//	identity     1+n    length, then a script of one of the five standard kinds
//	roles        2      Set, not 0, no unknown bits
//	permissions  2      Set, not 0, no unknown bits, no manage
//	from, until  4+4    heights: from < until; until may be ffffffff, for ever.
//	                    In a grant 0, 0 is the empty range: it revokes
//	sig          64     BIP340, by the identity's key; present iff roles has
//	                    admin, activate, manage, mine or connect
//	key          32     x-only public key
//	since        4      height, 0 to 2^31-1
//	deployment   1+n    length, then 1 to 32 of [a-z0-9.-]
//	height       4      height, 0 to 2^31-1
//
// Each thing has exactly one encoding: what [Decode] accepts, [Encode] gives
// back byte for byte. testdata/records.txt has one of each as golden vectors.
//
// # Identities
//
// An identity is an output script of a standard kind ([Identity]). Only a P2TR
// identity can have roles other than send and receive: its 32 bytes are a
// point of the curve and sign BIP340 as they stand (the output key, not the
// internal one). An input speaks for its coin's identity under the conditions
// of [Speaks].
//
// # What keys sign
//
// BIP340 signatures over BIP340 tagged hashes; concatenated:
//
//	tag             message
//	charter/key/v1    genesis hash 32, member id 20, length of identity 1,
//	                  identity, roles 2, from 4, until 4
//	charter/ready/v1  genesis hash 32, member id 20, key 32, since 4
//
// A key that creates its member signs the range from 0 for ever. Add and
// change sign the same message: it says what the key agrees to be, not what
// it was before. A member's id is the first 20 bytes of the tagged hash
// charter/member/v1 over its first name and first identity ([NewMemberID]).
// Hashes are in internal byte order.
//
// # Authority outputs
//
// So that nobody needs money to govern, a record that gives a key the role
// admin, activate or manage stands in a transaction that has an output of
// amount 0 to exactly that identity. Records for the same key share one.
//
// # The rules
//
//	bad-record                a claimed record is one: amount 0, one minimal
//	                          push, known version and operation, canonical
//	too-many-records          8 records at most in a transaction
//	missing-authority-output  see above
//	bad-record-signature      the key's own signature fits ([CheckSig])
package record
