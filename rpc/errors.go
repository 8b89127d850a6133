package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
)

// The error codes of Bitcoin Core's protocol.h that are in use here.
const (
	codeInvalidRequest  = -32600
	codeMethodNotFound  = -32601
	codeInvalidParams   = -32602
	codeInternal        = -32603
	codeParse           = -32700
	codeMisc            = -1
	codeType            = -3
	codeAddressOrKey    = -5
	codeInvalidParam    = -8
	codeInSync          = -10
	codeDeserialization = -22
	codeVerify          = -25
	codeRejected        = -26
	codeInChain         = -27
	codeNodeAdded       = -23
	codeNodeNotAdded    = -24
	codeNotConnected    = -29
	codeP2PDisabled     = -31
)

// Error is what a method replies with instead of a result.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

func fail(code int, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// asError turns what a method returned into what goes over the wire.
// Anything but an *Error means that no decision was possible.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return undecided(err)
}

// undecided reports that err says nothing about the caller's input.
//
// A call is cancelled because the node stops, or because its caller hung up,
// who reads no reply.
func undecided(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return fail(codeInternal, "the node is stopping: the call was given up")
	}
	return fail(codeInternal, "could not decide: %v", err)
}

// outOfReach refuses what an operator asked of the best branch where that
// cannot go back so far; other errors it returns as they are.
func outOfReach(err error) error {
	if errors.Is(err, chain.ErrBelowSnapshot) || errors.Is(err, chain.ErrTooDeep) {
		return fail(codeMisc, "%v", err)
	}
	return err
}

// verdict is what the chain or the pool said about a block or transaction.
type verdict struct {
	reason string // short and stable; empty: valid
	detail string // the same with values, for people
	rule   bool   // a consensus rule was broken, so no policy helps
}

// judge translates an error of the chain or the pool. ok is false where no
// decision was possible.
func judge(err error) (v verdict, ok bool) {
	if err == nil {
		return verdict{}, true
	}
	if re := consensus.AsRule(err); re != nil {
		return verdict{re.Reason(), re.Error(), true}, true
	}
	if errors.Is(err, consensus.ErrNotYet) {
		return verdict{reason: "time-too-new", detail: err.Error()}, true
	}
	if errors.Is(err, chain.ErrUnknownParent) {
		return verdict{reason: "prev-blk-not-found", detail: err.Error()}, true
	}
	var policy PolicyError
	if errors.As(err, &policy) {
		return verdict{reason: policy.RejectReason(), detail: err.Error()}, true
	}
	for _, known := range []error{ErrMissingInputs, ErrInMempool, ErrConfirmed} {
		if errors.Is(err, known) {
			// A joined error says the reason in a line of its own.
			detail := strings.TrimPrefix(err.Error(), known.Error()+"\n")
			return verdict{reason: known.Error(), detail: detail}, true
		}
	}
	return verdict{}, false
}
