// Package muhash computes MuHash3072, a hash of a set whose elements come and
// go in any order: elements can be removed, and hashes of parts combined, so
// that many goroutines can work on one set. It is the "muhash" of Bitcoin
// Core's gettxoutsetinfo.
//
// An element becomes a number of 3072 bits: its SHA-256 is the key of a
// ChaCha20 stream (nonce and counter zero) whose first 384 bytes are that
// number, little-endian. The set is the product of its elements modulo the
// prime 2^3072 - 1103717; what was removed is kept as a second product and
// divided by in the end. The hash is the SHA-256 of the quotient's 384 bytes,
// little-endian.
//
// Finding two sets with one hash is as hard as a discrete logarithm modulo
// the prime, about 128 bits. A multiset counts each copy of an element.
//
// Sources: Bellare and Micciancio, "A New Paradigm for Collision-free
// Hashing", 1997; Wuille, bitcoin-dev, May 2017.
package muhash
