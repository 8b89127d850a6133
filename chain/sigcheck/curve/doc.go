// Package curve checks signatures over secp256k1: BIP340 and ECDSA, one by
// one ([Verifier]) or many at once ([Batch]).
//
// It only verifies. Nothing it handles is secret, and all of it takes a time
// that depends on its input: never use it to sign, or on keys.
//
// # Layers
//
//   - fe: integers modulo p in four limbs of 64 bits through math/bits. An
//     element is any representative below 2^256, and is brought below p only
//     for bytes, parity and comparison. (Five limbs of 52 bits, with additions
//     that carry nothing, need products that the compiler makes 1.6 times as
//     slow.) Square roots by an addition chain, inverses by division steps.
//   - [Scalar]: integers modulo the order of the group, always reduced, and
//     their split into two halves by the curve's endomorphism.
//   - affine, jacobian: points. Every addition is complete: equal points,
//     opposite points and infinity give the right sum.
//   - Verifier.sum: a G + b P for single checks, by interleaved non-adjacent
//     forms (Strauss), with tables of G made once by [New].
//   - summer: many lists of points, added up in affine coordinates with one
//     inversion for about a thousand additions.
//   - multi: sums of many multiples (Pippenger), from two rounds of summer
//     for each window of the scalars: into buckets, then out of them.
//
// # Batches
//
// A signature holds if g G + k P = R, for g and k known from the signature,
// the message and the key. A [Batch] adds up all these equations, each times
// 128 bits drawn when all of them are fixed, and checks the one that results.
// If one equation does not hold, that one holds with a chance of 2^-128 at
// most, whatever whoever made the signatures knows. R has 128 bits as its
// factor; P has 256, which the endomorphism splits; equal keys are one P.
//
// BIP340 says which of the two points with its x is R; ECDSA does not, so
// the caller passes the parity of R's y as a hint. A wrong hint makes a batch
// fail and cannot make it pass: x decides, as in a single check. An ECDSA
// signature whose R has an x of the order or more, which nobody can make but
// backwards, for a key that he chooses, passes a single check and no batch.
//
// # Outcomes
//
// A single check is true or false, and nothing else can happen. A batch that
// passes has nothing but valid signatures; one that fails says only that
// single checks must decide. The decoding of DER stays with the caller.
//
// # Concurrency
//
// A [Verifier] is never changed after [New] and serves any number of
// goroutines. A [Batch] serves one at a time. The package starts none, has no
// state of its own that changes, and reads no clock, file or random source
// but the one it is given.
//
// # Speed
//
// In units U, the time of one BIP340 check by btcec, measured by turns on a
// loaded machine with 2 cores, medians; hashing, reading and lifting of keys
// included, each signature by another key:
//
//	                         checks in one U
//	BIP340, single           5.0
//	ECDSA, single            5.1
//	BIP340, batch of 16      7
//	                 64      9
//	                 256     11
//	                 1,024   13
//	                 4,096   14
//	                 16,384  12 to 14
//	                 4,096   30    all by one key
//	ECDSA, batch of  4,096   13 to 14
//
// From: go test -run '^$' -bench 'Single|Batch' ./chain/sigcheck/curve
//
// The same batches over gnark-crypto's MultiExp take 2.7 times as long at
// 1,024 signatures and 1.9 times at 4,096 (-bench AgainstGnark, by turns).
//
// Half of the time of a large batch goes into the two square roots that each
// signature needs, for R and for its key.
package curve
