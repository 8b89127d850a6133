package consensus

import (
	"errors"
	"fmt"
)

// Rule names one consensus rule. Its text is stable: RPC replies, logs and
// metric labels use it. Where Bitcoin Core has the rule, the text is Core's
// reject reason.
type Rule string

func (r Rule) Error() string { return string(r) }

// RuleError reports input that broke Rule. Only a RuleError may mark a
// block invalid or count against a peer.
type RuleError struct {
	Rule   Rule
	Detail string // observed and allowed values, for people

	// Note completes the rule's text where Core's reject reason has a
	// variable part: "(0x00000001)", " (Script failed ...)". Else empty.
	Note string

	// Mutated says that the fault may lie in this copy of the block only:
	// another body with the same header may be valid (a merkle root or
	// witness that does not match). The block hash must not be condemned.
	Mutated bool

	// Err is the cause, where another package found it (the script engine).
	Err error
}

func (e *RuleError) Error() string {
	if e.Detail == "" {
		return e.Reason()
	}
	return e.Reason() + ": " + e.Detail
}

// Reason is Bitcoin Core's reject reason in full, as RPC replies show it.
// Unlike Rule it is not from a closed set.
func (e *RuleError) Reason() string { return string(e.Rule) + e.Note }

// Unwrap makes errors.Is work on both the rule and the cause.
func (e *RuleError) Unwrap() []error {
	if e.Err != nil {
		return []error{e.Rule, e.Err}
	}
	return []error{e.Rule}
}

// ErrNotYet reports a block whose time is too far ahead of the local clock.
// It breaks no rule: the same block may be accepted later.
var ErrNotYet = errors.New("time-too-new")

func broke(rule Rule, format string, args ...any) error {
	return &RuleError{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}

// mutated is broke for a fault that may lie in this copy of the block only.
func mutated(rule Rule, format string, args ...any) error {
	return &RuleError{Rule: rule, Detail: fmt.Sprintf(format, args...), Mutated: true}
}

// AsRule returns the RuleError inside err, or nil when err is nil or means
// that no decision was possible.
func AsRule(err error) *RuleError {
	var re *RuleError
	if errors.As(err, &re) {
		return re
	}
	return nil
}
