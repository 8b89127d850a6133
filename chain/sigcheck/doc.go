// Package sigcheck checks the scripts and signatures of transactions, on all
// cores and in batches.
//
// It decides nothing but scripts: coins, flags and everything else about a
// transaction come from the caller, who has checked the rules of package
// consensus before.
//
// # How an input is checked
//
// Package fastpath tells of the standard kinds of spends which signatures
// they need, without running their scripts. BIP340 signatures, and ECDSA
// signatures whose [Hints] are known, are collected and checked many at once
// by package curve; other ECDSA signatures, and those of multisig that needs
// some of several keys, one by one at once. All other inputs, and all that
// seem to fail, go through the interpreter of txscript: its word is final, and
// its error is what is reported. It checks signatures with btcec, apart from
// one that is easy to find in a witness script and holds by package curve,
// which stands in its signature cache. So what is quick can only ever say yes,
// and a batch that fails means no more than that single checks have to tell:
// it is halved until they do.
//
// A check by itself of an ECDSA signature tells the parity that a batch needs
// to know. These are the hints that [Pending.Hints] gives for the next time
// somebody checks the block. A wrong hint makes a batch fail, the single
// check decides, and no other hint of that block is used: hints cost or save
// time, and nothing else.
//
// # Queue and workers
//
// [Checker.Begin], [Checker.CheckBlock] and [Checker.CheckTx] put inputs into
// one queue, first in, first out; what [Pending.Wait] is called for goes to
// its head, since what was queued ahead can wait. A worker takes slices of it,
// over the borders of blocks, until it has a fair share of what is queued or
// about 4,096 inputs, checks their signatures as one batch, and begins again.
// Callers that wait are workers themselves where there is room, so that a
// transaction that comes to an idle node is checked at once in its caller's
// goroutine; those that come when all workers are busy share a batch later.
//
// A block is done when all batches with its signatures are, or as soon as
// nothing before a known failure is left to check. What the outcome is
// depends on neither the order of all this nor on the hints.
//
// # Outcomes
//
// nil means that all scripts succeed. A *consensus.RuleError (RuleTxScript or
// RuleBlockScript) means that one fails; of several it is the first in block
// order, whatever the scheduling. Any other error means that no decision was
// possible: the context ended, the check was abandoned, or something panicked
// ([PanicError]).
//
// A panic of the interpreter, or of what takes its place, on somebody's input
// is a bug. It is caught, since otherwise one transaction could stop every
// node of a chain at once; and it is undecided, since nothing is known about
// the scripts. The caller must treat it like a failed disk: not accept, not
// condemn, and show it to the operator. A broken script elsewhere in the
// block is reported all the same. So is a batch found to have passed with a
// signature that btcec refuses, where Recheck has them compared: undecided.
//
// # What is remembered
//
// A Checker remembers which transactions succeeded with which flags, so that
// a block whose transactions were in the pool connects without checking their
// scripts again, and has its hints. The key is the wtxid, which commits to
// all scripts, witnesses and, through the outpoints, to the coins. A success
// with the flags of policy also counts for those of consensus, which they
// contain: each rule of scripts only ever adds a way to fail. Failures are
// never remembered. Memory is bounded by CacheEntries, at about 120 bytes
// each, and as many bits for each input beyond the 64th of a transaction with
// ECDSA signatures.
//
// # Where the interpreter differs from Bitcoin Core
//
// Before BIP66, Core reads ECDSA signatures with a parser that also takes
// lengths in the long form of BER, lengths that do not add up, and numbers
// of more than 32 bytes; the interpreter's parser takes wrong padding and
// signs, and bytes behind the signature, but not those. Such a signature
// fails here and could succeed there, where bip66 is not yet in force. Chains
// with bip66 from genesis are not concerned.
//
// In legacy scripts Core hashes for OP_CHECKMULTISIG the script without the
// pushes of all its signatures, those of an empty one (OP_0) and of one byte
// from 0 to 16 included. The interpreter leaves these two in. No such signature
// holds, so the operation fails either way; but whether Core then meets another
// one that is not DER, and fails the script, can depend on it. So a script that
// asks for the failure (OP_CHECKMULTISIG OP_NOT), has such a push, and is
// spent with such a signature and a malformed one can succeed here and fail
// there, or the other way round. It is refused by policy, and nobody's coins
// are at stake but those of who made it; but on a chain shared with Core nodes
// it can part this node from them.
//
// A BIP340 signature's s that is not below the order fails with Core and in
// package curve; btcec, which has the last word here, takes it modulo the
// order. To sign so that s has another form below 2^256 takes about 2^127
// attempts.
//
// # Concurrency
//
// All methods are safe for concurrent use. At most Workers goroutines check
// at a time, callers who help included. They are started when something is
// queued and end when nothing is. One that is in the middle of a batch ends
// it even if nobody waits any more; transactions and coins that were handed
// over must therefore never change.
//
// Checker.mu guards the queue and what of a Pending nobody took yet,
// Pending.mu its failures; neither is held while anything is checked, and
// Pending.mu is never held while Checker.mu is taken.
//
// # Speed
//
// In units U, the time of one BIP340 check by btcec, on one core, everything
// but the look-up of coins included: p2tr, and p2wpkh with hints, 10 inputs;
// p2wpkh without, 4 to 5. Nothing is allocated per input.
//
// From: go test -run '^$' -bench Blocks ./chain/sigcheck (checks/cpuU)
package sigcheck
