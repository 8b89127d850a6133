package policy

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// What a standard transaction may be at most. The figures are Bitcoin
// Core's.
const (
	MaxTxWeight     = 400_000 // weight units
	MinStripped     = 65      // bytes without witness: 64 could pass for a merkle node
	MaxSigScript    = 1_650   // bytes: 15 signatures and a 15-key redeem script
	MaxMultisigKeys = 3       // of a bare multisignature output
	MaxVersion      = 2       // version 3 has rules of its own (BIP431), which are not applied here
)

// CheckForm refuses transactions that are of non-standard form: it looks at
// nothing but the transaction. pol gives the sizes that a chain file or an
// operator sets. records says that the chain has members, whose records are
// no data that counts. The transaction must have passed consensus.CheckTx.
func CheckForm(tx *consensus.Tx, pol *params.Policy, records bool) error {
	msg := tx.Msg
	if msg.Version < 1 || msg.Version > MaxVersion {
		return refuse(CodeVersion, "version %d is not standard: use 1 or 2", msg.Version)
	}
	if tx.Weight > MaxTxWeight {
		return refuse(CodeTxSize, "weight %d is more than %d", tx.Weight, MaxTxWeight)
	}
	if n := msg.SerializeSizeStripped(); n < MinStripped {
		return refuse(CodeTxSizeSmall, "%d bytes without witness is less than %d", n, MinStripped)
	}
	for i, in := range msg.TxIn {
		if n := len(in.SignatureScript); n > MaxSigScript {
			return refuse(CodeSigScript, "input %d: signature script of %d bytes is more than %d", i, n, MaxSigScript)
		}
		if !txscript.IsPushOnlyScript(in.SignatureScript) {
			return refuse(CodeNotPushOnly, "input %d: signature script does more than push data", i)
		}
	}
	found := 0
	if records {
		found = countRecords(msg)
	}
	if err := checkOutputs(msg, pol, found > 0); err != nil {
		return err
	}
	authority := 0 // outputs of amount 0 that are no dust
	if found > 0 {
		authority = found + len(msg.TxIn)
	}
	return CheckDust(msg, FeeRate(pol.DustRelayFee), authority)
}

// countRecords returns how many outputs claim to be records of members.
func countRecords(msg *wire.MsgTx) (n int) {
	for _, out := range msg.TxOut {
		if record.Claims(out.PkScript) {
			n++
		}
	}
	return n
}

// checkOutputs refuses output scripts of unknown form, and more data in
// OP_RETURN outputs, all together, than pol allows. With records, outputs that
// claim to be some are left to the rules about them.
func checkOutputs(msg *wire.MsgTx, pol *params.Policy, records bool) error {
	data := 0
	for i, out := range msg.TxOut {
		if records && record.Claims(out.PkScript) {
			continue
		}
		if isData(out.PkScript) {
			if data += len(out.PkScript); data > pol.MaxDataBytes {
				return refuse(CodeDataOutput, "OP_RETURN scripts up to output %d take %d bytes, more than %d", i, data, pol.MaxDataBytes)
			}
			continue
		}
		if !standardOutput(out.PkScript) {
			return refuse(CodeOutputScript, "output %d: script of a form that is not standard: %x", i, head(out.PkScript))
		}
	}
	return nil
}

// head shortens a script for messages.
func head(script []byte) []byte { return script[:min(len(script), 40)] }

// isData reports whether a script is OP_RETURN followed by pushes only.
func isData(script []byte) bool {
	return len(script) > 0 && script[0] == txscript.OP_RETURN && txscript.IsPushOnlyScript(script[1:])
}

// standardOutput reports whether an output script is of a known form. A
// witness program of a version to come is: paying to it must work before
// old nodes know what it means. Spending it is another matter.
func standardOutput(script []byte) bool {
	switch txscript.GetScriptClass(script) {
	case txscript.NonStandardTy:
		return txscript.IsWitnessProgram(script)
	case txscript.MultiSigTy:
		keys, _, err := txscript.CalcMultiSigStats(script)
		return err == nil && keys <= MaxMultisigKeys
	case txscript.NullDataTy:
		return false // not of the form isData knows
	default:
		return true
	}
}

// Limits on what spends a coin, as Bitcoin Core's.
const (
	MaxRedeemSigOps  = 15    // of one redeem script
	MaxLegacySigOps  = 2_500 // of all inputs, outside witnesses (BIP54's count)
	MaxSigOpCost     = 16_000
	MaxWitnessScript = 3_600 // bytes (P2WSH)
	MaxWitnessItems  = 100   // beside the witness script
	MaxWitnessItem   = 80    // bytes of one of them, also in tapscript spends
)

// CheckInputs refuses spends of coins whose scripts are of unknown form, and
// those that make nodes check more signatures than a standard spend needs.
// coins holds the spent coin of each input, in input order.
func CheckInputs(tx *consensus.Tx, coins []consensus.Coin) error {
	legacy := 0
	for i, in := range tx.Msg.TxIn {
		script := coins[i].Script
		if txscript.GetScriptClass(script) == txscript.NonStandardTy {
			return refuse(CodeInputs, "input %d spends a script of a form that is not standard: %x", i, head(script))
		}
		sigOps := txscript.GetPreciseSigOpCount(in.SignatureScript, script, true)
		if txscript.IsPayToScriptHash(script) {
			if redeemScript(in.SignatureScript) == nil {
				return refuse(CodeInputs, "input %d shows no redeem script", i)
			}
			if sigOps > MaxRedeemSigOps {
				return refuse(CodeInputs, "input %d: redeem script with %d signature checks is more than %d", i, sigOps, MaxRedeemSigOps)
			}
		}
		legacy += sigOps + txscript.GetPreciseSigOpCount(nil, in.SignatureScript, true)
		if legacy > MaxLegacySigOps {
			return refuse(CodeInputs, "more than %d signature checks outside of witnesses up to input %d", MaxLegacySigOps, i)
		}
	}
	return nil
}

// CheckSigOps refuses transactions with too many signature operations.
func CheckSigOps(cost int64) error {
	if cost > MaxSigOpCost {
		return refuse(CodeSigOps, "signature operation cost %d is more than %d", cost, MaxSigOpCost)
	}
	return nil
}

// redeemScript returns what a push-only signature script pushes last, nil
// when it pushes nothing or does not parse.
func redeemScript(sigScript []byte) []byte {
	var last []byte
	tok := txscript.MakeScriptTokenizer(0, sigScript)
	for tok.Next() {
		if tok.Opcode() > txscript.OP_16 {
			return nil
		}
		last = tok.Data()
	}
	if tok.Err() != nil {
		return nil
	}
	return last
}

// CheckWitness refuses witnesses with more or larger items than a standard
// spend needs: they could be stuffed by anybody on the way. coins is as for
// CheckInputs.
func CheckWitness(tx *consensus.Tx, coins []consensus.Coin) error {
	for i, in := range tx.Msg.TxIn {
		if len(in.Witness) == 0 {
			continue
		}
		script, nested := coins[i].Script, false
		if txscript.IsPayToScriptHash(script) {
			script, nested = redeemScript(in.SignatureScript), true
		}
		var fault string
		switch {
		case txscript.IsPayToAnchorScript(script):
			fault = "an anchor needs no witness"
		case !txscript.IsWitnessProgram(script):
			fault = "a witness for a coin that has no witness program"
		case txscript.IsPayToWitnessScriptHash(script):
			fault = witnessScriptFault(in.Witness)
		case txscript.IsPayToTaproot(script) && !nested:
			fault = taprootFault(in.Witness)
		}
		if fault != "" {
			return refuse(CodeWitness, "input %d: %s", i, fault)
		}
	}
	return nil
}

func witnessScriptFault(w wire.TxWitness) string {
	if len(w[len(w)-1]) > MaxWitnessScript {
		return "witness script is longer than standard"
	}
	if len(w)-1 > MaxWitnessItems {
		return "more witness items than standard"
	}
	return itemsFault(w[:len(w)-1])
}

// The parts of a taproot script path witness (BIP341).
const (
	annexTag     = 0x50
	leafMask     = 0xfe
	tapscriptTag = 0xc0
)

func taprootFault(w wire.TxWitness) string {
	if len(w) >= 2 && bytes.HasPrefix(w[len(w)-1], []byte{annexTag}) {
		return "an annex has no meaning yet"
	}
	if len(w) < 2 {
		return ""
	}
	control := w[len(w)-1]
	if len(control) == 0 {
		return "empty control block"
	}
	if control[0]&leafMask != tapscriptTag {
		return ""
	}
	return itemsFault(w[:len(w)-2])
}

func itemsFault(items wire.TxWitness) string {
	for _, item := range items {
		if len(item) > MaxWitnessItem {
			return "witness item is longer than standard"
		}
	}
	return ""
}
