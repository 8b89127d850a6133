// Package p2p keeps sessions with other nodes: it dials and listens, moves
// headers, blocks, transactions and addresses, and cuts peers that break the
// protocol or a consensus rule. p2p/README.md specifies the protocol and
// lists every bound.
//
// # Parts
//
// A Network holds the sessions (network.go: which are admitted; dial.go,
// listen.go: how they begin; peer.go: how one runs and ends). A session has
// a goroutine each for reading (handle.go sorts what comes), for writing
// (p2p/transport), for answering requests (serve.go) and for what is due
// from time to time (ping.go). Shared by all sessions are:
//
//   - the syncer: asks for headers (headers.go), chooses the branch to fetch
//     and asks for its blocks (sync.go, with the rules in p2p/blocksync), and
//     brings them to the chain in height order, from one goroutine (blocks.go);
//     another shows it those that wait for their turn (ahead.go);
//   - the transaction relay (tx.go, with the rules in p2p/relay), which feeds
//     the pool from one goroutine;
//   - what differs where headers carry seals and are undecided at first
//     (undecided.go);
//   - the announcer of new tips (announce.go);
//   - who may connect, judged again by Recheck (permit.go);
//   - which nodes are up, here or elsewhere (presence.go);
//   - the address book (addr.go, p2p/addrbook).
//
// # Blame
//
// Three outcomes are kept apart. Only a message that breaks the protocol, or
// a block, header or transaction that breaks a consensus rule by itself,
// counts against a peer: the session ends, and the identity is refused for a
// while (refuse.go). Slowness ends a session without a refusal. What could
// not be decided (disk, clock, missing data) counts against nobody and is
// tried again. A header that stands on a block found invalid earlier is not
// blamed either: the operator may have declared that block invalid.
//
// # Never stuck
//
// Each request has a deadline, after which another peer is asked. The branch
// to fetch is the one with the most work that a connected peer claims to
// have, so that headers nobody can back with bodies do not bind this node.
// Of several, those come first whose peers have delivered blocks, or were
// dialled or pinned by this node.
// Peers are asked for headers again from time to time, whatever they
// announced, and blocks counted as stored are checked to be there.
//
// # Locking
//
// Network.mu, syncer.mu, txRelay.mu, presence.mu and peer.mu guard the fields
// that follow them, none is held while another part is called, and no two of them at a
// time, except that Network.mu may be held while a session is told to stop or
// the refusals are looked at.
// NewTip, Recheck and TxAccepted take nothing that is held for long, so that
// the chain and the pool can call them under their own locks. Recheck calls
// Config.MayConnect, which must not wait for such a lock.
//
// The package imports neither chain nor mempool: Chain and Pool say what it
// needs of them.
package p2p
