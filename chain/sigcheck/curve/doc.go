// Package curve checks signatures over secp256k1: BIP340 and ECDSA, one by
// one or many at once.
//
// It only verifies. Nothing it handles is secret, and all of it takes a time
// that depends on its input: never use it to sign, or on keys.
//
// # Layers
//
//   - fe: integers modulo p, four limbs of 64 bits through math/bits, lazily
//     reduced (measured against five limbs of 52 bits, which the compiler
//     turns into code 1.6 times as slow). Square roots by an addition chain,
//     inverses by division steps (inverse.go).
//   - [Scalar]: integers modulo the order of the group, and their split into
//     two halves by the curve's endomorphism (split.go).
//   - affine, jacobian: points, with complete case distinctions: equal
//     points, opposite points and infinity give the right sum everywhere.
//   - a G + b P for single checks: interleaved non-adjacent forms (Strauss),
//     with tables of G made once by [New].
//   - [Verifier]: the checks.
//
// # Outcomes
//
// A check says true or false, and nothing can fail otherwise. The decoding
// of DER stays with the caller.
//
// # Concurrency
//
// A [Verifier] is never changed after [New] and serves any number of
// goroutines. The package starts none, has no package-level state that
// changes, and reads no clock, file or random source but the one it is given.
package curve
