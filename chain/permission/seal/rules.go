package seal

import (
	"fmt"

	"github.com/charterchain/charter/chain/consensus"
)

// Rules of the seal of a block.
const (
	RuleMissing      consensus.Rule = "seal-missing"
	RuleMultiple     consensus.Rule = "seal-multiple"
	RuleMalformed    consensus.Rule = "bad-seal"
	RuleSignature    consensus.Rule = "bad-seal-signature"
	RuleCoinbaseSize consensus.Rule = "seal-coinbase-too-large"
	RuleDiversity    consensus.Rule = "seal-diversity"

	// RuleProof speaks of a proof, never of the header that it came with:
	// its errors are marked as those of one copy.
	RuleProof consensus.Rule = "bad-seal-proof"
)

// Rules of a restart certificate. Whether its signers and the members that
// it lists may do so is for package permission.
const (
	RuleRestartMalformed consensus.Rule = "bad-restart"
	RuleRestartMultiple  consensus.Rule = "bad-restart-multiple"
	RuleRestartParent    consensus.Rule = "bad-restart-parent"
	RuleRestartBody      consensus.Rule = "bad-restart-body"
	RuleRestartSignature consensus.Rule = "bad-restart-signature"
	RuleRestartTime      consensus.Rule = "bad-restart-time"
)

// Rules returns every rule of this package, for metrics that need the
// closed set.
func Rules() []consensus.Rule {
	return []consensus.Rule{
		RuleMissing, RuleMultiple, RuleMalformed, RuleSignature, RuleCoinbaseSize, RuleDiversity, RuleProof,
		RuleRestartMalformed, RuleRestartMultiple, RuleRestartParent, RuleRestartBody, RuleRestartSignature, RuleRestartTime,
	}
}

func broke(rule consensus.Rule, format string, args ...any) error {
	return &consensus.RuleError{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}

// badProof is a fault of a proof that says nothing about the header.
func badProof(format string, args ...any) error {
	return &consensus.RuleError{Rule: RuleProof, Detail: fmt.Sprintf(format, args...), Mutated: true}
}
