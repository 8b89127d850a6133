package consensus

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// multiSigMax is what an OP_CHECKMULTISIG counts where its number of keys is
// not read.
const multiSigMax = 20

// SigOpCost is the cost of the signature operations of tx (BIP141): those in
// its own scripts as Bitcoin always counted them and those in redeem scripts
// (BIP16) count four, those of witnesses one. coins[i] is the coin of input
// i; a coinbase has none.
//
// coins must match the inputs; a wrong number of them is a bug of the caller
// and panics.
func SigOpCost(tx *Tx, coins []Coin, flags txscript.ScriptFlags) int64 {
	cost := legacySigOps(tx) * WitnessScale
	if tx.IsCoinbase() || flags&txscript.ScriptBip16 == 0 {
		return cost // BIP141 is only ever in force together with BIP16
	}
	for i, in := range tx.Msg.TxIn {
		script := coins[i].Script
		redeem, isP2SH := []byte(nil), txscript.IsPayToScriptHash(script)
		if isP2SH {
			redeem = lastPush(in.SignatureScript)
			cost += countSigOps(redeem, true) * WitnessScale
			script = redeem
		}
		if flags&txscript.ScriptVerifyWitness != 0 {
			cost += witnessSigOps(script, in.Witness)
		}
	}
	return cost
}

// legacySigOps counts in all input and output scripts of tx, without
// looking at what is spent and without reading numbers of keys.
func legacySigOps(tx *Tx) int64 {
	var n int64
	for _, in := range tx.Msg.TxIn {
		n += countSigOps(in.SignatureScript, false)
	}
	for _, out := range tx.Msg.TxOut {
		n += countSigOps(out.PkScript, false)
	}
	return n
}

// countSigOps counts up to the first byte that does not parse. accurate
// makes an OP_CHECKMULTISIG that follows a small number count as that many.
func countSigOps(script []byte, accurate bool) int64 {
	var n int64
	var last byte = txscript.OP_INVALIDOPCODE
	for len(script) > 0 {
		op, _, rest, ok := nextOp(script)
		if !ok {
			return n
		}
		switch op {
		case txscript.OP_CHECKSIG, txscript.OP_CHECKSIGVERIFY:
			n++
		case txscript.OP_CHECKMULTISIG, txscript.OP_CHECKMULTISIGVERIFY:
			if accurate && last >= txscript.OP_1 && last <= txscript.OP_16 {
				n += int64(last - txscript.OP_1 + 1)
			} else {
				n += multiSigMax
			}
		}
		last, script = op, rest
	}
	return n
}

// lastPush is the data that the last operation of a script pushes: nil where
// it pushes a small number, where the script does anything but push, and
// where it does not parse.
func lastPush(script []byte) []byte {
	var data []byte
	for len(script) > 0 {
		op, pushed, rest, ok := nextOp(script)
		if !ok || op > txscript.OP_16 {
			return nil
		}
		data, script = pushed, rest
	}
	return data
}

// nextOp takes the first operation off a script that is not empty, with the
// data that it pushes (nil: none). ok is false where the data is cut short.
func nextOp(script []byte) (op byte, data, rest []byte, ok bool) {
	op, rest = script[0], script[1:]
	if op == txscript.OP_0 || op > txscript.OP_PUSHDATA4 {
		return op, nil, rest, true
	}
	n, size := uint64(op), 0
	switch op {
	case txscript.OP_PUSHDATA1:
		size = 1
	case txscript.OP_PUSHDATA2:
		size = 2
	case txscript.OP_PUSHDATA4:
		size = 4
	}
	if size > 0 {
		if len(rest) < size {
			return op, nil, nil, false
		}
		n = 0
		for i := size - 1; i >= 0; i-- {
			n = n<<8 | uint64(rest[i])
		}
		rest = rest[size:]
	}
	if n > uint64(len(rest)) {
		return op, nil, nil, false
	}
	return op, rest[:n], rest[n:], true
}

// witnessSigOps counts for a program of version 0; later versions have their
// own limits (BIP342) and count nothing.
func witnessSigOps(program []byte, witness wire.TxWitness) int64 {
	switch {
	case txscript.IsPayToWitnessPubKeyHash(program):
		return 1
	case txscript.IsPayToWitnessScriptHash(program) && len(witness) > 0:
		return countSigOps(witness[len(witness)-1], true)
	}
	return 0
}
