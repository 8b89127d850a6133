// Package seal reads, makes and checks what a block on a chain that
// restricts mining says about its maker: the seal in its coinbase, the proof
// that takes the seal to those who have the header only, the certificate of
// a restart, and whose turn it is.
//
// Every function is pure: no disk, clock, network or randomness. What is
// returned may be shared between goroutines as long as nobody changes it.
// Whether a key may seal is not known here; package permission says so, by
// the state after the parent.
//
// Proof of work comes on top. The nonce is not sealed, so that it can be
// searched after sealing; it cannot stand in for a seal nor a seal for it.
//
// # Seal
//
// Exactly one output of the coinbase is the seal. Its amount is 0, and its
// script has one form of 103 bytes:
//
//	offset size
//	0      1    OP_RETURN (6a)
//	1      2    OP_PUSHDATA1 (4c), length 100 (64)
//	3      3    magic "CHS" (43 48 53)
//	6      1    type 01
//	7      32   x-only public key
//	39     64   signature: BIP340 over the message
//
// An output of the coinbase claims to be one of this package's if its script
// is OP_RETURN and a push, in any form, of three bytes or more that start
// with the magic; also if the script ends within that push. A claim that is
// not exactly a seal or a certificate breaks a rule, those of other types
// too. Outputs of other transactions are not looked at, nor is genesis.
//
// The message is TaggedHash (BIP340) of the tag "charter/seal/v1" over 112
// bytes, integers little-endian, hashes in internal byte order:
//
//	offset size
//	0      32   genesis hash
//	32     4    header's version
//	36     32   header's previous block
//	68     32   merkle root with the 64 bytes of the signature zero
//	100    4    header's time
//	104    4    header's bits
//	108    4    height
//
// The leaf of the coinbase in the merkle tree is its id, without witness;
// the witnesses of the block are sealed by the commitment of BIP141, which
// is in another output.
//
// The message identifies a block but for its nonce and the signature bytes:
// it is the VariantID, and blocks that share it are variants of one block.
// Nobody but the holder of the key can make a variant with another
// signature, anybody can make one with another nonce. Two messages of one
// member on one parent are double sealing.
//
// # Proof
//
// The coinbase without witness and its merkle branch, as leaf 0, at most
// MaxBranch hashes. A proof that does not lead to the header's merkle root
// says nothing about the header: the error is marked as a fault of the copy
// (consensus.RuleError.Mutated). If it does lead there, no other coinbase
// can, and any other fault is the header's. A coinbase of 64 bytes, which
// might be an inner node of the tree, is taken for a fault of the copy; with
// a seal it could not be that short.
//
// # Restart certificate
//
// At most one output of the coinbase, amount 0. Its data are pushed by
// OP_PUSHDATA1 up to 255 bytes, else by OP_PUSHDATA2; integers
// little-endian:
//
//	field    size
//	magic    3     "CHS"
//	type     1     02
//	parent   32    hash of the previous block
//	count    2     u16: members that mine from now on, 1 to 256
//	members  20    each; ascending, no repetition
//	count    2     u16: signers, 1 to 256
//	signers  116   each; ascending by member, each member once:
//	               member 20, x-only key 32, signature 64
//
// Signers sign TaggedHash of the tag "charter/restart/v1" over genesis hash ‖
// parent hash ‖ members, ascending. No count is needed in there since
// nothing follows the members.
//
// Certificate and seal share the 16,384 bytes of the coinbase, which is room
// for 129 signers, as many as 256 administering members need, and some 55
// members; others can be granted mining afterwards. A chain whose share
// for "admin" or "mine" asks for more than about 138 signatures cannot be
// restarted.
//
// The certificate names a parent and the seal around it signs that parent,
// so it is of no use in another place of the chain. Members that administer
// may sign several lists for one parent; which of these blocks wins is then
// decided by work as between any others.
//
// # Rules
//
//	rule                     what it asks for
//	bad-cb-missing           the proof's transaction is a coinbase (package consensus)
//	seal-coinbase-too-large  the coinbase has 16,384 bytes at most, without witness
//	seal-missing             the coinbase has a seal
//	seal-multiple            and only one
//	bad-seal                 claims have the form above and amount 0
//	bad-seal-signature       the key is on the curve and signed the message
//	bad-seal-proof           the proof leads to the header's root; of the copy
//	seal-diversity           the member sealed none of the w-1 blocks before that count
//	bad-restart              a certificate has the form above and amount 0
//	bad-restart-multiple     there is one at most
//	bad-restart-parent       it names the header's previous block
//	bad-restart-body         the block holds its coinbase only: the branch is empty
//	bad-restart-signature    each signer's key signed
//	bad-restart-time         time is at least the parent's and restart_delay
//
// Find checks the rules of form in the order of the outputs and reports a
// missing seal last; Proof.Check does so after place and size, and then
// checks parent and body of a certificate and the signature of the seal. The
// signatures of a certificate are checked by Certificate.CheckSigs, when
// the signers are known to be such.
//
// # Diversity and turns
//
// Of n members that mine, w = Required(n, share) blocks in a row need
// different ones. Within that rule members take turns by custom: Turns puts
// those that may seal in order, the one that sealed longest ago first, and
// each waits Delay of its rank. At most w-1 members are barred at a time, so
// as long as w of n are alive one of them can always go on, and fewer than w
// stop after at most w-1 blocks.
package seal
