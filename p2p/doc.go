// Package p2p keeps sessions with other nodes: it dials and listens, moves
// headers, blocks, transactions and addresses, and cuts peers that break the
// protocol or a consensus rule.
package p2p
