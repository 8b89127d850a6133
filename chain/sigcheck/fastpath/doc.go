// Package fastpath tells which signatures the scripts of an input need to
// succeed, for the standard kinds of spends, without running the scripts.
//
// It decides nothing. It checks no signature but in [Multi.Check], never says
// that a script fails, and leaves everything but the plainest form of each
// kind to the interpreter, txscript's engine. What it says, it says for the
// flags it was asked with: where it says that a spend needs some signatures,
// the interpreter accepts it with those flags if they hold, and not if one
// does not.
//
// # Kinds
//
//	P2TR            by the output key, without annex; hash type DEFAULT or
//	                ALL, NONE, SINGLE (with its output), by anyone or not
//	P2WPKH          by itself and in P2SH; the same types but DEFAULT
//	P2PKH, P2PK     hash type ALL; compressed and uncompressed keys
//	multisig        m of n, 1 <= m <= n <= 16: as the coin's own script and in
//	                P2SH with ALL; in P2WSH and P2SH-P2WSH as P2WPKH
//
// n of n is n signatures that all have to hold, each by its key. Of fewer, it
// is not known which key is whose: that is a [Multi], which tries them in the
// interpreter's order.
//
// # What is left to the interpreter
//
// Programs and scripts whose rule is not in force; unknown flags and sets that
// contradict each other; an annex, script paths, other witness programs and
// scripts; OP_CODESEPARATOR, which is in none of the scripts above; hash types
// that are not defined, and in legacy inputs all but ALL; hybrid keys, and in
// witnesses uncompressed ones where policy refuses them; signatures that are
// not strict DER, have numbers that are 0 or not below the order, or a high s
// where policy refuses it; pushes that are not the shortest; a dummy that is
// not empty; items too many or too few; a witness where there should be none;
// hashes that do not match. Most of them fail anyhow.
//
// All of this is checked whatever the flags, though many sets of flags would
// let it pass: so flags matter only where they switch a kind on, or refuse
// high s or uncompressed keys. Legacy rules that cut signatures out of the
// script that is hashed never apply: a strict signature is neither a key nor
// the hash of one.
//
// # Hashes
//
// Hashes over all inputs, coins and outputs are computed once for a
// transaction, when an input first needs them; BIP143 hashes once more what
// BIP341 signs. Legacy inputs hash the whole transaction each, as they must,
// but for the part before the input when inputs come in order. Nothing is
// allocated once the buffers of a [Tx] have grown, apart from two pieces for a
// Multi. Buffers that a huge transaction made larger than a mebibyte are
// dropped.
//
// # Concurrency
//
// A [Tx] serves one goroutine at a time; a [Multi] any number. There is no
// other state.
//
// # Speed
//
// For a transaction with two outputs, in thousandths of U, the time of one
// BIP340 check by btcec; the smallest of several runs, without the checks:
//
//	                1 input   2 inputs
//	P2TR            4.5       7
//	P2WPKH          8         13
//	P2SH-P2WPKH     10        17
//	P2PKH           4.5       10
//	P2PK            2.3       5
//	P2WSH 2 of 3    11        17
//
// BenchmarkInterpreter, with the check, is about 1,000 for an input.
//
// From: go test -run '^$' -bench . ./chain/sigcheck/fastpath
package fastpath
