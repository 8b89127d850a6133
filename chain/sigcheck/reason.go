package sigcheck

import (
	"errors"

	"github.com/btcsuite/btcd/txscript/v2"
)

// undecidable reports errors of the engine that say nothing about a script:
// it was called wrongly, or noticed a bug of its own.
func undecidable(err error) bool {
	return txscript.IsErrorCode(err, txscript.ErrInternal) ||
		txscript.IsErrorCode(err, txscript.ErrInvalidFlags) ||
		txscript.IsErrorCode(err, txscript.ErrInvalidIndex)
}

// reason is what Bitcoin Core calls the failure of a script, since RPC
// clients compare these texts. Errors of the engine without a code come from
// parsing keys and signatures of taproot.
func reason(err error) string {
	var failed txscript.Error
	if !errors.As(err, &failed) {
		return "Invalid Schnorr signature"
	}
	for _, of := range []func(txscript.ErrorCode) string{operationReason, signatureReason, witnessReason, policyReason} {
		if text := of(failed.ErrorCode); text != "" {
			return text
		}
	}
	return "unknown error"
}

// operationReason names what an operation or a limit of scripts refuses.
func operationReason(code txscript.ErrorCode) string {
	switch code {
	case txscript.ErrEvalFalse, txscript.ErrEmptyStack:
		return "Script evaluated without error but finished with a false/empty top stack element"
	case txscript.ErrEarlyReturn:
		return "OP_RETURN was encountered"
	case txscript.ErrVerify:
		return "Script failed an OP_VERIFY operation"
	case txscript.ErrEqualVerify:
		return "Script failed an OP_EQUALVERIFY operation"
	case txscript.ErrNumEqualVerify:
		return "Script failed an OP_NUMEQUALVERIFY operation"
	case txscript.ErrCheckSigVerify:
		return "Script failed an OP_CHECKSIGVERIFY operation"
	case txscript.ErrCheckMultiSigVerify:
		return "Script failed an OP_CHECKMULTISIGVERIFY operation"
	case txscript.ErrScriptTooBig:
		return "Script is too big"
	case txscript.ErrElementTooBig:
		return "Push value size limit exceeded"
	case txscript.ErrTooManyOperations:
		return "Operation limit exceeded"
	case txscript.ErrStackOverflow:
		return "Stack size limit exceeded"
	case txscript.ErrInvalidPubKeyCount:
		return "Pubkey count negative or limit exceeded"
	case txscript.ErrInvalidSignatureCount:
		return "Signature count negative or greater than pubkey count"
	case txscript.ErrNumberTooBig:
		return "Script number overflowed or is non-minimally encoded"
	case txscript.ErrDisabledOpcode:
		return "Attempted to use a disabled opcode"
	case txscript.ErrReservedOpcode, txscript.ErrMalformedPush:
		return "Opcode missing or not understood"
	case txscript.ErrInvalidStackOperation:
		return "Operation not valid with the current stack size"
	case txscript.ErrUnbalancedConditional:
		return "Invalid OP_IF construction"
	case txscript.ErrNegativeLockTime:
		return "Negative locktime"
	case txscript.ErrUnsatisfiedLockTime:
		return "Locktime requirement not satisfied"
	}
	return ""
}

// signatureReason names what is wrong with an ECDSA signature or its key.
func signatureReason(code txscript.ErrorCode) string {
	switch code {
	case txscript.ErrSigTooShort, txscript.ErrSigTooLong, txscript.ErrSigInvalidSeqID,
		txscript.ErrSigInvalidDataLen, txscript.ErrSigMissingSTypeID, txscript.ErrSigMissingSLen,
		txscript.ErrSigInvalidSLen, txscript.ErrSigInvalidRIntID, txscript.ErrSigZeroRLen,
		txscript.ErrSigNegativeR, txscript.ErrSigTooMuchRPadding, txscript.ErrSigInvalidSIntID,
		txscript.ErrSigZeroSLen, txscript.ErrSigNegativeS, txscript.ErrSigTooMuchSPadding:
		return "Non-canonical DER signature"
	case txscript.ErrInvalidSigHashType:
		return "Signature hash type missing or not understood"
	case txscript.ErrSigHighS:
		return "Non-canonical signature: S value is unnecessarily high"
	case txscript.ErrNotPushOnly:
		return "Only push operators allowed in signatures"
	case txscript.ErrSigNullDummy:
		return "Dummy CHECKMULTISIG argument must be zero"
	case txscript.ErrPubKeyType:
		return "Public key is neither compressed or uncompressed"
	case txscript.ErrNullFail:
		return "Signature must be zero for failed CHECK(MULTI)SIG operation"
	}
	return ""
}

// witnessReason names what the rules of witness programs refuse.
func witnessReason(code txscript.ErrorCode) string {
	switch code {
	case txscript.ErrWitnessMalleated:
		return "Witness requires empty scriptSig"
	case txscript.ErrWitnessMalleatedP2SH:
		return "Witness requires only-redeemscript scriptSig"
	case txscript.ErrWitnessProgramEmpty:
		return "Witness program was passed an empty witness"
	case txscript.ErrWitnessProgramMismatch, txscript.ErrTaprootMerkleProofInvalid, txscript.ErrTaprootOutputKeyParityMismatch:
		return "Witness program hash mismatch"
	case txscript.ErrWitnessProgramWrongLength:
		return "Witness program has incorrect length"
	case txscript.ErrWitnessUnexpected:
		return "Witness provided for non-witness script"
	case txscript.ErrTaprootSigInvalid:
		return "Invalid Schnorr signature"
	case txscript.ErrInvalidTaprootSigLen:
		return "Invalid Schnorr signature size"
	case txscript.ErrControlBlockTooSmall, txscript.ErrControlBlockTooLarge, txscript.ErrControlBlockInvalidLength:
		return "Invalid Taproot control block size"
	case txscript.ErrTaprootMaxSigOps:
		return "Too much signature validation relative to witness weight"
	case txscript.ErrTapscriptCheckMultisig:
		return "OP_CHECKMULTISIG(VERIFY) is not available in tapscript"
	case txscript.ErrTaprootPubkeyIsEmpty:
		return "Empty public key in tapscript"
	}
	return ""
}

// policyReason names what only StandardScriptFlags refuse.
func policyReason(code txscript.ErrorCode) string {
	switch code {
	case txscript.ErrMinimalData:
		return "Data push larger than necessary"
	case txscript.ErrCleanStack:
		return "Stack size must be exactly one after execution"
	case txscript.ErrMinimalIf:
		return "OP_IF/NOTIF argument must be minimal"
	case txscript.ErrDiscourageUpgradableNOPs:
		return "NOPx reserved for soft-fork upgrades"
	case txscript.ErrDiscourageUpgradableWitnessProgram:
		return "Witness version reserved for soft-fork upgrades"
	case txscript.ErrDiscourageUpgradeableTaprootVersion:
		return "Taproot version reserved for soft-fork upgrades"
	case txscript.ErrDiscourageOpSuccess:
		return "OP_SUCCESSx reserved for soft-fork upgrades"
	case txscript.ErrDiscourageUpgradeablePubKeyType:
		return "Public key version reserved for soft-fork upgrades"
	case txscript.ErrWitnessPubKeyType:
		return "Using non-compressed keys in segwit"
	case txscript.ErrNonConstScriptCode:
		return "Signature is found in scriptCode"
	case txscript.ErrCodeSeparator:
		return "Using OP_CODESEPARATOR in non-witness script"
	}
	return ""
}
