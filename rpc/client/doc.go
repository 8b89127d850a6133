// Package client calls a node's JSON-RPC, over HTTP POST with Client or over
// one WebSocket connection with WS, which also receives notifications.
//
// A reply that carries an error is an *RPCError with the server's code; every
// other error means that no reply arrived or that it could not be read, and
// then it is not known whether the call took effect.
//
// The package depends on nothing of the node, so that programs that only
// speak RPC (the wallet, the command line) stay small. Replies are bounded by
// MaxReply bytes. Amounts should be decoded into json.Number or a type of the
// caller's own, never into a float.
//
// Client and WS are safe for concurrent use.
package client
