package record

import (
	"fmt"

	"github.com/charterchain/charter/chain/consensus"
)

// Rules that concern records by themselves (permissions: records and votes).
const (
	// RuleMalformed requires an output that claims to be a record to be
	// one, in its only encoding and without an amount.
	RuleMalformed consensus.Rule = "bad-record"

	// RuleTooMany allows MaxPerTx records in a transaction.
	RuleTooMany consensus.Rule = "too-many-records"

	// RuleNoAuthorityOutput requires an output of amount 0 to each key that
	// a record lets govern.
	RuleNoAuthorityOutput consensus.Rule = "missing-authority-output"

	// RuleSignature requires the signature inside a record to be that of
	// the key it adds, changes or declares ready.
	RuleSignature consensus.Rule = "bad-record-signature"
)

// Bounds of records.
const (
	MaxPerTx   = 8
	MaxSize    = 520 // bytes that one output pushes
	MaxNameLen = 32  // of members and deployments
)

func broke(rule consensus.Rule, format string, args ...any) error {
	return &consensus.RuleError{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
