// Package node puts the parts of a full node together: it opens the data
// folder, hands each part what it needs of the others, and owns their life.
//
//	           rpc        p2p       wallet (in the command line only)
//	             \         |
//	adapters      \        |         rpcadapter.go, p2padapter.go, indexes.go
//	               \       |
//	miner ------- mempool  |
//	                   \   |
//	                    chain ---- indexes
//	                      |
//	                    store
//
// # Life
//
// New opens everything in that order, listeners last, and closes again what
// it opened when a part fails. Run starts the parts; the first error that one
// of them returns, a signal (the context) or the RPC method stop ends all.
// Then waiting transactions are saved, and Close closes listeners, chain
// (flush) and store, in the opposite order of opening.
//
//	New ──► Run ──► (ctx done | stop | error) ──► Run returns ──► Close
//
// Stored blocks that wait to be connected, and files to import, come before
// the network: RPC and monitoring answer meanwhile.
//
// # Events
//
// Chain events go to the pool first, then to the peers and the RPC
// notifications, each a quick call; pool events to the peers and the RPC. So a
// WebSocket client sees a payment before the block that confirms it, and no
// template is built on a block that the pool has not heard of.
//
// # Resources
//
// Disk, memory and open files are looked at before anything is opened, and
// every ten seconds while the node runs. A disk that fills up stops mining and
// then the node (resources.go). Low memory flushes the coin cache and keeps it
// at a quarter of its budget until there is room for all of it again
// (memwatch.go). While few more files can be opened, inbound connections are
// closed as they come, peers' before HTTP clients' (filewatch.go). The log
// warns of each once an hour at most.
//
// # Data folder
//
// See ARCHITECTURE.md. One process uses it at a time (store's lock).
//
// Only this package and the commands read the wall clock, open sockets and
// draw random numbers; below, all of that is given.
package node
