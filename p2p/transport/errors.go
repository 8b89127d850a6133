package transport

import (
	"errors"
	"fmt"

	"github.com/charterchain/charter/p2p/message"
)

var (
	// ErrClosed: the link was closed by this side.
	ErrClosed = errors.New("transport: link is closed")

	// ErrQueueFull: TrySend found no room in the send queue.
	ErrQueueFull = errors.New("transport: send queue is full")

	// ErrFeature: the peer has not announced the feature that the message needs.
	ErrFeature = errors.New("transport: peer lacks the feature for this message")

	// ErrBudget: no memory for an incoming message came free in time. The
	// link is closed.
	ErrBudget = errors.New("transport: memory budget for peers is exhausted")

	// ErrChainFileServed: Accept answered GetChainFile; there is no session.
	ErrChainFileServed = errors.New("transport: chain file was served")
)

// RefusedError ends a handshake: one side refused the other.
type RefusedError struct {
	ByPeer bool // the peer refused us; else we refused the peer
	Code   message.Code
	Reason string // if ByPeer: the peer's words
	Err    error  // why we refused, if there is more to say than the peer is told
}

func (e *RefusedError) Error() string {
	who := "we refused the peer"
	if e.ByPeer {
		who = "peer refused us"
	}
	s := fmt.Sprintf("%s (%s): %s", who, e.Code, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *RefusedError) Unwrap() error { return e.Err }

// ProtocolError reports that the peer broke the protocol. The link is
// closed.
type ProtocolError struct {
	Code   message.Code // CodeProtocol or CodeTimeout
	Detail string
	Err    error // *message.DecodeError, or nil
}

func (e *ProtocolError) Error() string {
	s := "protocol: " + e.Detail
	if e.Err != nil {
		if e.Detail == "" {
			return "protocol: " + e.Err.Error()
		}
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ProtocolError) Unwrap() error { return e.Err }

// DisconnectedError reports that the peer ended an open link and said why.
type DisconnectedError struct {
	Code   message.Code
	Reason string
}

func (e *DisconnectedError) Error() string {
	return fmt.Sprintf("peer disconnected (%s): %s", e.Code, e.Reason)
}
