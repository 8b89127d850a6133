package consensus

// Rules of the header.
const (
	RuleHighHash     Rule = "high-hash"              // hash above the target, or bits that are no target of this chain
	RuleBits         Rule = "bad-diffbits"           // bits other than the difficulty rule demands
	RuleTimeTooOld   Rule = "time-too-old"           // not after the median time of the 11 blocks before
	RuleTimeTooEarly Rule = "time-too-early"         // Charter's: less than min_spacing after the parent
	RuleTimewarp     Rule = "time-timewarp-attack"   // BIP54: opens a retarget window too long before its parent
	RuleTimeNegative Rule = "time-negative-interval" // BIP54: closes a retarget window before its first block
	RuleVersion      Rule = "bad-version"            // BIP34, BIP65, BIP66; RuleError.Note holds the version
)

// Rules of the block's form.
const (
	RuleMerkleRoot     Rule = "bad-txnmrklroot"
	RuleDuplicateTxs   Rule = "bad-txns-duplicate" // CVE-2012-2459
	RuleBlockLength    Rule = "bad-blk-length"
	RuleBlockTxs       Rule = "bad-blk-txcount" // Charter's: more transactions than the chain allows
	RuleBlockWeight    Rule = "bad-blk-weight"
	RuleBlockSigOps    Rule = "bad-blk-sigops"
	RuleNonFinal       Rule = "bad-txns-nonfinal" // locktime, and BIP68 within a block
	RuleWitnessNonce   Rule = "bad-witness-nonce-size"
	RuleWitnessMerkle  Rule = "bad-witness-merkle-match"
	RuleWitnessUnasked Rule = "unexpected-witness"
)

// Rules of the coinbase transaction.
const (
	RuleCoinbaseMissing  Rule = "bad-cb-missing"
	RuleCoinbaseMultiple Rule = "bad-cb-multiple"
	RuleCoinbaseLength   Rule = "bad-cb-length"
	RuleCoinbaseHeight   Rule = "bad-cb-height"   // BIP34
	RuleCoinbaseLockTime Rule = "bad-cb-locktime" // BIP54
	RuleCoinbaseSequence Rule = "bad-cb-sequence" // BIP54
	RuleCoinbaseAmount   Rule = "bad-cb-amount"
)

// Rules of a transaction by itself.
const (
	RuleTxNoInputs        Rule = "bad-txns-vin-empty"
	RuleTxNoOutputs       Rule = "bad-txns-vout-empty"
	RuleTxOversize        Rule = "bad-txns-oversize"
	RuleTxWeight          Rule = "bad-txns-weight" // Charter's: weight with witness, where blocks are larger than that
	RuleTxSize            Rule = "bad-txns-size"   // BIP54: as long as an inner node of the merkle tree
	RuleTxOutputNegative  Rule = "bad-txns-vout-negative"
	RuleTxOutputTooLarge  Rule = "bad-txns-vout-toolarge"
	RuleTxOutputsTooLarge Rule = "bad-txns-txouttotal-toolarge"
	RuleTxDuplicateInputs Rule = "bad-txns-inputs-duplicate" // CVE-2018-17144
	RuleTxNullInput       Rule = "bad-txns-prevout-null"
)

// Rules of a transaction and the coins it spends.
const (
	RuleTxMissingInputs  Rule = "bad-txns-inputs-missingorspent"
	RuleTxImmature       Rule = "bad-txns-premature-spend-of-coinbase"
	RuleTxInputValues    Rule = "bad-txns-inputvalues-outofrange"
	RuleTxInputsBelowOut Rule = "bad-txns-in-belowout"
	RuleTxSigOps         Rule = "bad-txns-legacy-sigops" // BIP54
	RuleTxFee            Rule = "bad-txns-fee-outofrange"
	RuleBlockFees        Rule = "bad-txns-accumulated-fee-outofrange"
	RuleTxOverwrite      Rule = "bad-txns-BIP30"
)

// Rules of scripts. RuleError.Note holds the reason in parentheses.
const (
	RuleTxScript    Rule = "mandatory-script-verify-flag-failed" // a transaction by itself
	RuleBlockScript Rule = "block-script-verify-flag-failed"     // a transaction of a block
)

// Rules returns every rule of this package, for metrics that need the
// closed set.
func Rules() []Rule {
	return []Rule{
		RuleHighHash, RuleBits, RuleTimeTooOld, RuleTimeTooEarly, RuleTimewarp, RuleTimeNegative, RuleVersion,
		RuleMerkleRoot, RuleDuplicateTxs, RuleBlockLength, RuleBlockTxs, RuleBlockWeight,
		RuleBlockSigOps, RuleNonFinal, RuleWitnessNonce, RuleWitnessMerkle, RuleWitnessUnasked,
		RuleCoinbaseMissing, RuleCoinbaseMultiple, RuleCoinbaseLength, RuleCoinbaseHeight,
		RuleCoinbaseLockTime, RuleCoinbaseSequence, RuleCoinbaseAmount,
		RuleTxNoInputs, RuleTxNoOutputs, RuleTxOversize, RuleTxWeight, RuleTxSize, RuleTxOutputNegative,
		RuleTxOutputTooLarge, RuleTxOutputsTooLarge, RuleTxDuplicateInputs, RuleTxNullInput,
		RuleTxMissingInputs, RuleTxImmature, RuleTxInputValues, RuleTxInputsBelowOut,
		RuleTxSigOps, RuleTxFee, RuleBlockFees, RuleTxOverwrite, RuleTxScript, RuleBlockScript,
	}
}
