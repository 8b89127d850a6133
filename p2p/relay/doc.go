// Package relay holds the bookkeeping of transaction gossip: what a peer
// knows, what is still to be told to it, and which peer is asked for a
// transaction that several announced. All of it is plain state without
// clock, network or goroutines, and all of it is bounded.
//
// Transactions are named by wtxid throughout, so that a copy with another
// witness cannot stand in the way of the right one.
//
// Nothing here is safe for concurrent use.
package relay
