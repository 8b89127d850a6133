// Package workload makes chains to measure with: valid blocks of a chosen
// kind of payment, with real signatures, the same ones for the same Spec.
//
// # Shape
//
// A chain begins with funding blocks: in each a transaction fans a coinbase
// out into coins of the kind, a key each. Then come the full blocks, whose
// payments spend coins of earlier blocks, never of their own:
//
//   - as a rule coins picked at random among all that are unspent, so that a
//     block spends of the last block as well as of the first;
//   - where Spec.Wide is set, coins of the funding blocks only, so that the
//     payments of all full blocks may come in any order.
//
// Every output has a key of its own: the n-th one has the secret
// base + n mod q, so that its public key is one point addition away from that
// before it. Taproot outputs pay to such a key as it is, without a tweak, which
// nobody who checks a signature can tell. Signatures are btcec's, with
// deterministic nonces and not verified again.
//
// # Files
//
// Open keeps a chain in three files of its folder, named after the Spec and
// the version of this package: the chain file NAME.toml, and framed blocks, as
// --loadblock takes them, in NAME.funding.dat and NAME.blocks.dat. They are
// made when one is missing, on all cores. All of it is for one goroutine.
package workload
