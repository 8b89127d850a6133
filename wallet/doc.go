// Package wallet keeps keys away from nodes: it holds one seed, follows the
// chain through a node's RPC, and makes and signs payments itself.
//
// # Keys
//
// A wallet is a BIP39 mnemonic of 24 words (a restored one may have 12 to
// 24; no second passphrase). Its keys are those of BIP86,
// m/86'/coin_type'/0'/{0,1}/index: P2TR outputs without a script tree, with
// the coin type and the address prefix of the chain. The mnemonic's entropy
// is sealed in wallet.keys by package keystore. Private keys exist between
// Unlock and Keys.Zero only; everything but signing works without.
//
// # State
//
// wallet.state holds what can be shown without the passphrase: the public
// account key, the output keys of used addresses and of the next 20 (BIP44's
// gap limit), the wallet's transactions, and marks of blocks that were
// scanned, dense near the tip and ever sparser down to genesis. It is text:
// a line with the SHA-256 of the rest, and a JSON document. It is replaced
// as a whole (write, fsync, rename, fsync of the folder), so a crash leaves
// the old or the new one. A state belongs to one genesis block, which the
// first Sync decides; against another chain the wallet refuses to work.
// A lost or damaged state is made anew from the seed by Rebuild.
//
// # Following the chain
//
// Sync asks the node for its best branch, goes back to the newest mark that
// is on it, makes what happened above pending again, and reads the blocks up
// to the tip. Then it takes over from the node's pool what concerns the
// wallet. Of two transactions that spend the same coin the confirmed one
// stays, else the one in the pool; the other leaves with all that spends
// from it. Payments from others that are neither in a block nor in the pool
// leave; own ones are offered to the node again.
//
// A restored wallet reads from genesis. A new one reads genesis, which may
// hold an allocation to it, and then blocks from a day before its creation.
// Outputs of the genesis block are ordinary coins; of other coinbases they
// have to mature.
//
// # Payments
//
// Prepare chooses coins (package coins), fee and change, Sign signs and
// checks the result as a node would, Send records it and hands it to the
// node. An own payment's change may be spent unconfirmed; others' payments
// may not.
//
// # Members and permissions
//
// On a chain with permissions an organisation is a member by addresses of its
// wallet. Their outputs of amount 0, authority outputs, are known to the
// wallet but are neither money nor shown as such: it spends them in
// transactions with records only, which make a new one for each (package
// packet). Several wallets may have to sign such a transaction. A wallet signs nothing
// but a Review, which says every record in words; it refuses what it cannot
// read, and what would take money from it.
//
// Key cards (Card) prove that a key agrees to act for a member.
//
// Where only members may be paid the wallet receives, and gets its change, at
// an own address that may; where only members may pay it spends the coins of
// such addresses. It asks the node (verifypermission), and says beforehand who
// is missing which permission and whom to ask (PermissionError).
//
// # What it refuses
//
// The package imports nothing of the node's, writes no log and prints
// nothing. Disk, clock, randomness and RPC are handed in. A Wallet is used
// by one goroutine; a lock file keeps other processes out.
package wallet
