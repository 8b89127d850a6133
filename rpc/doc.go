// Package rpc answers JSON-RPC over HTTP POST and WebSocket with Bitcoin
// Core's method names, parameters, result fields and error codes, and sends
// notifications in btcd's shapes.
//
// # Layers
//
// server.go speaks HTTP: authentication, body limits, statuses, batches.
// ws.go does the same for one WebSocket connection, notify.go feeds it from
// chain and pool events. Both hand a request to dispatch.go, which finds the
// method in one table, puts its parameters in order and calls it. The table is
// made of the methods that each area lists (blocks.go, rawtx.go, …): name,
// parameters, help and function stand in one place.
//
// # What it does not do
//
// It decides nothing about validity: blocks and transactions go to Chain and
// Mempool, and their answer is translated. It never sees a private key: a
// descriptor that holds one is refused. It listens on nothing: the node serves
// it as an http.Handler, sets ReadHeaderTimeout, and calls Shutdown before it
// closes the listener, because WebSocket connections are not the HTTP server's.
//
// # Errors
//
// Three outcomes stay apart. Input that breaks a consensus rule is code -26 or
// -25 with the rule's name (or a reject reason where the method has them, as
// submitblock); a refusal by policy is -26 with its reason; an order to go back
// further than blocks and coins are here is -1 with a sentence; everything else
// that Chain or Mempool returns is -32603, "could not decide: …", and says
// nothing about the input.
//
// # Members
//
// Where the chain has members, methods answer about them (governed.go and what
// uses it); elsewhere these reply with -1, "this chain has no members:
// permissions are off". Everything is judged for the next block, or for the
// one at a height that was asked for: an earlier one by the members of its
// time, a later one as things stand now. Names and fields are MultiChain's
// where they fit; what differs: a permission belongs to a member, and an
// address is a key that acts in roles; grant and revoke reply with a PSBT,
// because the node has no keys. Result types that commands read are those of
// package client. Outputs that hold a record have the type "record" and the
// record in words; blocks name who sealed them.
//
// # Numbers
//
// Amounts are JSON numbers with exactly eight decimals, printed from the
// integer; as parameters they may be numbers or strings, and never pass through
// a float. Hashes are 64 hex digits in display order (reversed bytes).
//
// # Limits
//
//	body of a request        hex of the largest valid block, plus 1 MiB
//	nesting of a request     64
//	requests in a batch      1,000
//	reply of a batch         256 MiB; calls beyond it fail by themselves
//	HTTP requests at once    128; beyond it status 503
//	time to send a body      60 s
//	refused logins           answered after 250 ms, each in its own connection
//	WebSocket connections    64, of them 16 not yet authenticated, for 10 s and 4 KiB at most
//	calls at once on one     16; further messages wait unread
//	queue of one             4,096 messages; a client that lets it fill, or takes
//	                         no message within 30 s, is closed and counted
//
// # Concurrency
//
// A Server is safe for concurrent use. HandleChainEvent and HandleTx never
// block: they may be called under the chain's and the pool's locks.
package rpc
