// Package permission decides who may do what on a chain with permissions: a
// pure state machine, moved from block to block by the records in their
// transactions (package record). It also answers who may seal a block, and
// judges certificates that restart a chain (package seal).
//
// A [State] is immutable and safe for concurrent use. The state after a block
// shares with the state before it whatever the block left alone, so that
// every block can have its own; a block without records that do something has
// the very state of its parent. No disk, clock, log, network or goroutine; the
// one random thing is a seed of hash tables, which decides nothing that can be
// seen.
//
// # Judging a block
//
//	p := state after the parent
//	j, delta = p.Restart(h, c)   a restart block only: j is judged by, and is the state after
//	j.CheckSealer, LookBack      the seal; the blocks before are the caller's
//	j.CheckCoinbase              the first transaction
//	j.CheckTx                    each other one, side by side
//	s, delta = j.Apply           all records, in order
//	s.Undo(delta), p.Redo(delta) back and forth, byte by byte
//
// Every height that is an argument is that of the block to be judged by the
// state: one more than that of the block after which it is. All of block h is
// judged by the state after its parent; only what changes come to (a name is
// taken, a bound is reached, somebody remains to govern) is judged by the
// running state. A [Draft] is a block in the making, for templates.
//
// # How the rules are read
//
// Where the rules of members and permissions leave a choice:
//
// Roles and permissions. The permission admin is all permissions; the role
// admin is that role alone: a key acts in the roles that it has. Members that
// hold admin or mine hold connect, yet connecting takes a key with the role
// connect. manage is a role without a permission. admin, activate and manage
// are never everybody's. A permission has one range per member; a grant
// replaces it. A range that begins at or below the height of the block that
// decides it begins with the next block. A grant whose range would then be
// over revokes; a key whose range would be over is removed or not kept.
//
// Identities. A key holds its identity while it is in force or to come. Once it
// is over, the identity is free: the key does not count, cannot be changed,
// and disappears when its member's keys change or another takes the identity.
//
// Votes. Who has a say is judged by the state after the parent, for each record
// by itself, and so is how many it takes; a record in which none of the
// speakers has a say breaks record-no-authority, whatever the other records
// of the transaction. All keys that speak and administer are noted as voters,
// and the activator that decides a record alone; others are not, though they
// may administer later. Any arrival of the record
// with such a voter brings about a count, also by one that voted before. An
// administering member that is the first to speak among its kind for a record
// that nobody has voted for opens it; 32 records that it opened may be
// pending. What is done keeps its row and its voters until lapse. A record
// with lapse L can be voted for in block L still; rows are removed by the
// first block above L that holds a record. Whether the change can be made
// (the member exists, the name is free, bounds) is judged when it takes effect,
// so that a member and its permissions can be voted on together; the
// transaction that completes an impossible vote is invalid. The least height of
// an upgrade is judged at each vote.
//
// How many it takes. A grant takes the most that one of its permissions does;
// member create what connect does; rename and upgrade what admin does; a key
// record by others than its member what the share key says, more than half in
// any case.
//
// A member's own keys. A key record that a key with manage of the same member
// speaks for takes effect at once. It is no vote: it leaves no row, but a row
// that is there becomes done, with the first such key among its voters. What
// happens twice is refused, not ignored, unless the record's row is done: then
// nobody's record does anything.
//
// Subjects. Two records are about the same if they grant the same member a
// common permission; add, change or remove the same identity; create the same
// name or id; give the same member a name, or give the same name; schedule the
// same deployment. What takes effect drops the other pending votes about the
// same.
//
// Taking away. A grant takes away if some height after its block was in the
// present range and is not in the new one: a shorter range does, not only the
// empty one. An activator alone may take away from a member only if that
// holds neither admin nor mine nor activate at the height of the block.
//
// Activators. A member whose key has the role activate, and which holds
// activate or admin, alone decides member create and grants of nothing but
// connect, send and receive. The votes of administrators count first. Its
// decision counts against the first activator in the order of inputs that has
// one left; 10 in this block and the 999 before.
//
// Set-up. In blocks 1 to setup_blocks one administering member decides every
// record alone, but for upgrades, grants that take admin or mine away, and
// records that end or shorten the role admin or mine of a key of a member that
// does not speak itself.
//
// Mining. The permission to mine is held while mine or admin is in force; the
// time without a break in which it is held is one period. A period that is
// granted in the set-up or in the chain file is active at once; any other from
// r+w+1 on, where r is the height of its ready record and w that of block r.
// Ready is declared while the permission is in force, once; Since is the
// height at which the period began. A grant that makes a period longer or
// shorter leaves it active from where it was, also one that is still to come
// if it has heights in common with what it was; a gap ends it. So does a
// revocation that is taken back in the same block. Of two periods that one
// member has before it, only the earlier is noted: what follows a gap between
// the ranges of mine and admin is declared ready when it comes, also if it was
// granted in the set-up. Who has the key and the permission that a ready record
// speaks of is judged by the parent's state; whether the period is still the
// same, and nobody was faster, by the running one.
//
// Guards. After each record that takes effect there is a member that holds
// admin by name at the next height and for ever, with one key that has the
// role likewise; and, where mine is restricted, one that mines likewise and
// is active at the next height. Bounds on members that mine or administer count
// those that may now or later, as far as ranges say, active or not: with
// something left of the range of the permission and of that of a key, whether or
// not they overlap.
//
// Moving coins. In a transaction with records no permission is asked of an
// input that has a say in one of them, nor of the outputs to its script; in
// one with a ready record the inputs of that member's keys count as such. An
// input that speaks without a say gets no exemption, else any record would
// let everybody's coins move. Outputs of amount 0 to a governing key that a
// record adds need no permission either. Where neither send nor receive is
// restricted, scripts may be of any form; where one is, the other side's too
// are of the standard kinds.
//
// Upgrades. A scheduled one can be moved until its height has come.
//
// Restart. Mine ends for the members that are not listed also where admin
// includes it, until they are granted mine, or admin anew; then they declare
// themselves ready. Those listed hold mine from the restart block on for ever
// and are active. The certificate takes as many as need(admin) and need(mine).
//
// # Encoding of the state
//
// Integers are little-endian; rows ascend by their first field, a vote by the
// SHA-256 of its record; "n×" stands for a count of 4 bytes and as many rows,
// "n₁×" for one of 1 byte; "text" is a length of 1 byte and as many bytes.
//
//	field        size  content
//	version      1     01
//	restart      4     height of the last restart block, 0: none
//	members      n×    id (20), member
//	votes        n×    length of record (2), record, vote
//	upgrades     n×    deployment (text), height (4)
//	lone         n×    id (20), n₁× height (4), ascending: lone decisions
//
//	member:
//	name         text
//	flags        1     01: no mine since a restart; 02: has a period
//	permissions  1     bits of those whose range is not empty
//	ranges       8 each, from (4), until (4), in the order of bits
//	period       12    if flag 02: since (4), until (4), active from (4)
//	keys         n₁×   identity (text), roles (2), from (4), until (4); by identity
//
//	vote:
//	done         1     00 or 01
//	opener       20    if not done
//	voters       n×    member (20), key (32), ascending
//
// A delta has old and new values:
//
//	version      1     01
//	restart      4+4   old, new
//	members      n×    id (20), rows (1: 01 old, 02 new, 03 both), member each
//	votes        n×    length of record (2), record, rows (1), vote each
//	upgrades     n×    deployment (text), old (4), new (4); 0: none
//	lone         n×    id (20), old n₁× height, new n₁× height
//
// Each has one encoding. testdata/codec.txt has golden vectors.
//
// # Bounds
//
// Members, keys, mining and administering members, open records and lone
// decisions are bounded by rules.go; a pending vote has at most the keys of all
// that administer as voters. Done votes stay until their lapse, 100,000
// blocks at most; each took a decision, and those of a member about its own
// keys leave none. Dropping votes and counting open ones looks at every
// pending vote, at most 256 times 32.
package permission
