// Package keyfile reads and makes the files that hold one secp256k1 private
// key: the identity of a node (node.key) and the key with which it seals
// blocks (miner.key).
//
// A file is 64 hexadecimal digits, the scalar big-endian, and a line feed. It
// must not be readable by others (mode 0600). The identity that belongs to it
// is the P2TR output script whose program is the x-only public key itself,
// without BIP341 tweak.
//
// A file is written as one step: a crash leaves the old one, or none, or the
// new one.
package keyfile
