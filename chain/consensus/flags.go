package consensus

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/params"
)

// ScriptFlags are the script rules in force in the block at height with the
// given hash (all zeros for a block that does not exist yet).
//
//	BIP16            ScriptBip16
//	BIP66            ScriptVerifyDERSignatures
//	BIP65            ScriptVerifyCheckLockTimeVerify
//	BIP112           ScriptVerifyCheckSequenceVerify
//	BIP141, BIP143   ScriptVerifyWitness
//	BIP147           ScriptStrictMultiSig
//	BIP341, BIP342   ScriptVerifyTaproot
//
// Witness programs need BIP16 and taproot needs BIP141, so an exception or a
// missing deployment of the former switches the latter off too.
func ScriptFlags(height int32, hash chainhash.Hash, p *params.Params) txscript.ScriptFlags {
	d, except := &p.Deployments, p.Exceptions[hash]
	var flags txscript.ScriptFlags
	set := func(activation int32, f txscript.ScriptFlags) bool {
		if !params.Active(activation, height) {
			return false
		}
		flags |= f
		return true
	}
	set(d.BIP66, txscript.ScriptVerifyDERSignatures)
	set(d.BIP65, txscript.ScriptVerifyCheckLockTimeVerify)
	set(d.CSV, txscript.ScriptVerifyCheckSequenceVerify)
	set(d.Segwit, txscript.ScriptStrictMultiSig)
	if except.BIP16 || !set(d.BIP16, txscript.ScriptBip16) {
		return flags
	}
	if set(d.Segwit, txscript.ScriptVerifyWitness) && !except.Taproot {
		set(d.Taproot, txscript.ScriptVerifyTaproot)
	}
	return flags
}

// StandardScriptFlags are all script rules and all script policies: what a
// node asks of a transaction before it relays it. It contains every value
// that ScriptFlags can return. A transaction that fails with these but passes
// with those of the next block breaks no rule.
func StandardScriptFlags() txscript.ScriptFlags { return txscript.StandardVerifyFlags }
