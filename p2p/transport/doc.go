// Package transport turns a net.Conn into an authenticated, encrypted link
// between two Charter nodes: TLS 1.3, the Hello handshake, frames, send
// queues and the memory budget. p2p/README.md is the specification.
//
// A Transport is made once from a Config. Dial and Accept run the handshake
// and return a Conn, or an error that says who refused whom and why:
//
//   - *RefusedError: one side refused the other, with a code and a reason;
//   - *ProtocolError: the peer broke the protocol;
//   - *DisconnectedError: the peer ended an open link with Disconnect;
//   - ErrClosed, ErrBudget, ErrQueueFull, ErrChainFileServed, context and
//     I/O errors: nobody is at fault, or it cannot be told.
//
// A Conn is used by three parties: one goroutine in Run (writes what is
// queued), one in Receive, any number in Send, TrySend and Close. Close, or
// the end of Run's context, ends all of them.
//
// The certificate is thrown away with the process and proves nothing:
// identity is a BIP340 signature bound to the TLS session by the exporter
// of RFC 9266. A listener shows its key only to those that MayConnect
// allows. What a peer says before that is at most 1 KiB within five seconds.
//
// The package dials and listens nowhere, asks no clock and no randomness
// but those of Config, and keeps no state outside its values.
package transport
