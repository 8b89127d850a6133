// Package sigcheck runs the scripts of transactions, those of a block on all
// cores, through the script engine of txscript.
//
// It decides nothing but scripts: coins, flags and everything else about a
// transaction come from the caller, who has checked the rules of package
// consensus before.
//
// # Outcomes
//
// nil means that all scripts succeed. A *consensus.RuleError (RuleTxScript or
// RuleBlockScript) means that one fails; of several it is the first in block
// order, whatever the scheduling. Any other error means that no decision was
// possible: the context ended, or the engine panicked ([PanicError]).
//
// A panic of the engine on somebody's input is a bug of the engine. It is
// caught, since otherwise one transaction could stop every node of a chain
// at once; and it is undecided, since nothing is known about the scripts.
// The caller must treat it like a failed disk: not accept, not condemn, and
// show it to the operator. A broken script elsewhere in the block is
// reported all the same.
//
// # What is remembered
//
// A Checker remembers which transactions succeeded with which flags, so that
// a block whose transactions were in the pool connects without running their
// scripts again. The key is the wtxid, which commits to all scripts,
// witnesses and, through the outpoints, to the coins. A success with the
// flags of policy also counts for those of consensus, which they contain:
// each rule of scripts only ever adds a way to fail. Failures are never
// remembered. Memory is bounded by CacheEntries, at about 100 bytes each.
//
// # Where the engine differs from Bitcoin Core
//
// Before BIP66, Core reads ECDSA signatures with a parser that also takes
// lengths in the long form of BER, lengths that do not add up, and numbers
// of more than 32 bytes; the engine's parser takes wrong padding and signs,
// and bytes behind the signature, but not those. Such a signature fails here
// and could succeed there, where bip66 is not yet in force. Chains with bip66
// from genesis are not concerned.
//
// # Concurrency
//
// All methods are safe for concurrent use. There are no goroutines outside
// of calls; a call uses at most Workers of them and has ended them all when
// it returns.
package sigcheck
