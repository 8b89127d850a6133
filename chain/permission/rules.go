package permission

import (
	"fmt"

	"github.com/charterchain/charter/chain/consensus"
)

// Rules of what a transaction moves.
const (
	// RuleSend requires each spent coin to lie on an identity that may send.
	RuleSend consensus.Rule = "send-not-permitted"

	// RuleReceive requires each output to go to an identity that may
	// receive, or to hold data and no amount.
	RuleReceive consensus.Rule = "receive-not-permitted"
)

// Rules of records, as judged by the state after the parent.
const (
	RuleRecordInCoinbase consensus.Rule = "record-in-coinbase"
	RuleNoAuthority      consensus.Rule = "record-no-authority"     // nobody who speaks may ask for it
	RuleLapse            consensus.Rule = "record-lapse"            // lapse is past, or too far ahead
	RuleUpgradeSoon      consensus.Rule = "upgrade-too-soon"        // less than MinUpgradeNotice ahead
	RuleNotReady         consensus.Rule = "ready-not-mining"        // no such key, or time of the permission
	RuleReadyAgain       consensus.Rule = "ready-again"             // the member was declared ready before
	RuleTooManyLone      consensus.Rule = "too-many-lone-decisions" // of an activator, within LoneWindow
	RuleTooManyOpen      consensus.Rule = "too-many-open-records"   // opened by one administering member
	RuleUnknownMember    consensus.Rule = "unknown-member"          // the rules from here on are those of changes, this one of ready too
	RuleMemberExists     consensus.Rule = "member-exists"           // the id is taken
	RuleNameTaken        consensus.Rule = "name-taken"              //
	RuleIdentityTaken    consensus.Rule = "identity-taken"          // it belongs to a member already
	RuleUnknownKey       consensus.Rule = "unknown-key"             // the member has no such key
	RuleTooManyKeys      consensus.Rule = "too-many-keys"           //
	RuleTooManyMembers   consensus.Rule = "too-many-members"        //
	RuleTooManyMining    consensus.Rule = "too-many-mining"         //
	RuleTooManyAdmins    consensus.Rule = "too-many-administering"  //
	RuleUpgradeInForce   consensus.Rule = "upgrade-in-force"        // its height has come
	RuleLastAdmin        consensus.Rule = "last-admin"              // one member at least administers without end
	RuleLastMiner        consensus.Rule = "last-miner"              // one member at least mines without end
)

// Rules of who seals a block.
const (
	RuleSealNoMember  consensus.Rule = "seal-no-member"  // the key is nobody's
	RuleSealNotMining consensus.Rule = "seal-not-mining" // the key or its member may not mine
	RuleSealNotActive consensus.Rule = "seal-not-active" // the member was not declared ready, or not long enough ago
)

// Rules of restart certificates that ask who has which permission.
const (
	RuleRestartMember  consensus.Rule = "bad-restart-member"  // a listed member does not exist
	RuleRestartSigner  consensus.Rule = "bad-restart-signer"  // a signer or its key does not administer
	RuleRestartSigners consensus.Rule = "bad-restart-signers" // too few of them
)

// Rules returns every rule of this package, for metrics that need the
// closed set.
func Rules() []consensus.Rule {
	return []consensus.Rule{
		RuleSend, RuleReceive, RuleRecordInCoinbase, RuleNoAuthority, RuleLapse, RuleUpgradeSoon, RuleNotReady, RuleReadyAgain,
		RuleTooManyLone, RuleTooManyOpen, RuleUnknownMember, RuleMemberExists, RuleNameTaken, RuleIdentityTaken, RuleUnknownKey,
		RuleTooManyKeys, RuleTooManyMembers, RuleTooManyMining, RuleTooManyAdmins, RuleUpgradeInForce, RuleLastAdmin, RuleLastMiner,
		RuleSealNoMember, RuleSealNotMining, RuleSealNotActive, RuleRestartMember, RuleRestartSigner, RuleRestartSigners,
	}
}

// Bounds of the state.
const (
	MaxKeys          = 64     // of a member, in force or to come
	MaxMembers       = 10_000 //
	MaxMining        = 256    // members that may mine now or later
	MaxAdministering = 256    // members that may administer now or later
	MaxOpen          = 32     // pending records opened by one administering member

	MaxLapse         = 100_000 // blocks that a vote can wait
	MinUpgradeNotice = 1_000   // blocks between a decision and its rule

	LoneDecisions = 10    // that an activator takes alone
	LoneWindow    = 1_000 // in as many blocks
)

func broke(rule consensus.Rule, format string, args ...any) error {
	return &consensus.RuleError{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
