// Package chain holds the block index, the set of unspent outputs and the
// best branch: the valid one with the most work, and of equal work the one
// whose body was stored first; where blocks carry seals, see below.
//
// It takes headers ([Chain.AcceptHeaders]) and blocks ([Chain.AcceptBlock])
// from anywhere and in any order, judges them by package consensus, keeps
// them in package store, and tells subscribers each step of the best branch.
// It knows nothing of peers, of waiting transactions and of RPC, and reads no
// clock but Config.Now.
//
// # Outcomes
//
// An error that holds a *consensus.RuleError says that a block breaks a rule.
// It is remembered with its reason, unless the fault may lie in that copy
// only (RuleError.Mutated). Every other error means that no decision was
// possible: ErrUnknownParent, consensus.ErrNotYet, a cancelled context,
// missing or damaged data, a failed disk. Nothing is remembered of the block
// then but the fault itself, for [Chain.Explain].
//
// # From header to tip
//
// A header that passes its rules gets a node in the index. A body that passes
// the rules that need no coins is appended to the block files; once the
// bodies of all its ancestors are there too it is linked, and a candidate if
// it is better than the tip. The best candidate becomes the tip block by
// block: back to the fork by undo data, then forward. Connecting builds a
// view over the coin cache, checks inputs, amounts, locks and signature
// operations, then scripts on all cores, appends undo data, and applies the
// view. A block that breaks a rule on the way is marked with its descendants,
// and the next best candidate is taken.
//
// A branch deeper than the cache or the last flush is no special case: every
// step stands on its own, and an interrupted walk is finished by the next
// call, by Run, or by the next start.
//
// # Looking ahead
//
// Blocks are connected one after the other. What does not depend on that order
// is done before, on all cores, for a window of the next blocks (lookahead.go;
// bounded in bytes by Config.CacheBytes): the rules that need no coins, the
// search for the coins that a block spends, in the cache, on disk and in the
// blocks of the window, and its scripts, which are queued at the Checker. So
// signatures of several blocks are checked in one batch. Connecting applies
// all other rules first and then waits for what was queued. Blocks whose
// parents have not come take half of the window at most: the others find room.
//
// A coin's amount and script are fixed by the transaction id in its outpoint,
// so whether scripts pass depends on the transaction and on the flags only.
// What was found ahead counts if it was found with the same flags for the same
// coins, and only if all scripts pass: else they are checked again, so that no
// outcome and no text depends on what was done ahead. Nothing of it is stored.
//
// [Chain.Ahead] hands a block in: the import, which reads and decodes the next
// blocks of its stream (importread.go), the walk to a tip whose bodies are on
// disk, at the start and after a reorganisation or a rebuild (readahead.go),
// and the peers' code for blocks that wait for their turn. Goroutines of the
// first two end with the call that started them, those of the Checker when
// nothing is queued.
//
// # Permissions and seals
//
// On chains with permissions a block is judged by who might do what after its
// parent (package permission): its transactions side by side, then its records
// in order. The chain keeps that state for the tip, and of the blocks below
// what each changed, so that it can say it of any height of the best branch.
//
// Where mining is restricted each block carries a seal (package seal). Its form
// and signature are checked before a header is kept; whether the member may
// seal it, and not too soon after its last block, once the permissions as of
// the parent are known: at once where the parent is validated, or stored on such
// blocks and without records, else when it is. The best branch is not left for a
// branch before that is known of all its blocks (presume.go).
// Until then the block is undecided. Undecided headers are in memory only, at
// most MaxUndecided of one source and so far above a validated block, and do not
// count for [Chain.BestHeader]; bodies of undecided blocks are stored. A header
// that turns out to break a rule is forgotten, one with a body is remembered.
// Of one member's headers on one parent few are decided before their bodies come:
// what is decided is kept for ever. [Chain.SealProof] has what others need to
// judge a header, also of blocks whose bodies are pruned; of those below a UTXO
// snapshot only once their bodies were here. Rows of proofs: proofs.go.
//
// Which branch is best then is told in forkchoice.go, with what happens where
// histories conflict. A rule that members scheduled and the program does not
// know ends the chain below its height, with ErrUnknownUpgrade: no decision.
//
// # Locks
//
// Chain.change serialises everything that alters the chain and is held while
// disks are read and scripts are run. Chain.mu guards index, best branch and
// the changing fields of nodes; it is held for moments only and never while
// calling out. change is taken before mu. What is written under both may be
// read under either. Subscribers are called under change, without mu: they
// may read the chain, must not change it, and must be quick.
//
// # Disk
//
// A flush freezes the coin cache and the changed index rows at the tip and
// writes them beside validation, in this order: block and undo files synced,
// index rows in one synced batch, coins and commit row in one transaction.
// After the first failed write nothing more is written: every further change
// returns that error, and Run ends with it.
//
// At the start the commit row says where the coins stand. Records of block
// and undo files that have no index row were written after the last flush and
// get one; a record that is damaged loses "have data", so that the block is
// fetched again. Then the tip moves from the committed block to the best one.
//
// Permissions are committed with the coins, as what each block changed
// (history.go). The start goes through all of it from genesis on and compares
// where that leads with the hash in the commit row.
//
// # Hints
//
// The check of a block's scripts also finds its hints: the parity of R's y of
// each ECDSA signature (package sigcheck), with which the next node can check
// them in batches. They are kept in rows beside the index rows until the block
// is pruned, but are no part of the chain's state: written with a flush or
// lost, and made again from block and undo data when somebody asks for them
// ([Chain.MakeHints], [Chain.WantHints]). What others say of a block
// ([Chain.OfferHints], [Chain.Ahead], frames in an import) is tried and not
// believed: see package hints for the formats.
//
// # UTXO snapshots
//
// [Chain.LoadSnapshot] makes the coins of a file, trusted by its digest, the
// chain state at its block, the base. The best branch then goes down to genesis
// as ever, but bodies at and below the base are missing, and its blocks are
// shown as Unchecked. Run connects them one after the other to coins of their
// own, as they are accepted, and keeps their undo data. At the base it compares
// digests: if they are equal the chain is one like any other; if not, or if a
// block breaks a rule on the way, Run ends with a [*SnapshotError], and so does
// New from then on, until the chain state is dropped.
//
// What the check takes of memory comes out of Config.CacheBytes (cachebudget.go).
// Where it cannot go on, say because its database cannot be read, the log and
// [Chain.Warnings] say so and it is tried again; the tip goes on.
//
// Until then the best branch cannot go back below the base: a branch that
// would need that is undecided (ErrBelowSnapshot) and judged again at the end.
// That blocks above the base are valid, or break a rule, is not written to
// their index rows: dropping the chain state leaves nothing that rests on the
// snapshot.
//
// On chains with permissions the file also says who may do what after the base
// and who sealed the last blocks, so that the next ones can be judged. The
// changes of permissions from genesis on, and who sealed the blocks below, come
// from the check: before, nothing but that is known of heights below the base
// ([Chain.PermissionsAt]), and who sealed a block above is no lasting verdict
// either. Headers below the base come without their seals, which are checked
// with the bodies. See snapshotperm.go.
//
// The row format is in row.go, that of a snapshot's row in snapshotrow.go,
// those of records, databases and coins in packages store and utxo.
package chain
