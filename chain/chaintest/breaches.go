package chaintest

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Breach makes a block that would be good break one rule.
type Breach struct {
	Rule   consensus.Rule
	Option Option
}

// Breaches returns blocks that break one rule each. They are for heights from
// 2 on; from, an output that anyone can spend, pays for their transactions.
func Breaches(from Output) []Breach {
	return append(headerBreaches(), append(coinbaseBreaches(from), txBreaches(from)...)...)
}

func headerBreaches() []Breach {
	return []Breach{
		{consensus.RuleBits, Final(func(b *wire.MsgBlock) { b.Header.Bits-- })},
		{consensus.RuleTimeTooOld, Change(func(d *Draft) { d.Block.Header.Timestamp = d.Block.Header.Timestamp.AddDate(-1, 0, 0) })},
		{consensus.RuleVersion, Version(1)},
		{consensus.RuleMerkleRoot, Final(func(b *wire.MsgBlock) { b.Header.MerkleRoot[0] ^= 1 })},
	}
}

func coinbaseBreaches(from Output) []Breach {
	coinbase := func(rule consensus.Rule, change func(*wire.MsgTx, int32)) Breach {
		return Breach{rule, Change(func(d *Draft) { change(d.Coinbase(), d.Height) })}
	}
	// witness changes a block with a witness commitment.
	witness := func(rule consensus.Rule, change func(coinbase *wire.MsgTx)) Breach {
		return Breach{rule, func(d *Draft) {
			Tx(SpendTx(0, 1, from), 0)(d)
			Final(func(b *wire.MsgBlock) {
				change(b.Transactions[0])
				b.Header.MerkleRoot = consensus.MerkleRoot(consensus.TxIDs(consensus.NewBlock(b).Txs))
			})(d)
		}}
	}
	return []Breach{
		coinbase(consensus.RuleCoinbaseAmount, func(tx *wire.MsgTx, _ int32) { tx.TxOut[0].Value++ }),
		coinbase(consensus.RuleCoinbaseHeight, func(tx *wire.MsgTx, height int32) {
			tx.TxIn[0].SignatureScript = append(consensus.CoinbaseHeightScript(height+1), 0)
		}),
		coinbase(consensus.RuleCoinbaseLength, func(tx *wire.MsgTx, _ int32) {
			in := tx.TxIn[0]
			in.SignatureScript = append(in.SignatureScript, make([]byte, 101-len(in.SignatureScript))...)
		}),
		coinbase(consensus.RuleBlockSigOps, func(tx *wire.MsgTx, _ int32) {
			tx.AddTxOut(wire.NewTxOut(0, bytes.Repeat([]byte{txscript.OP_CHECKSIG}, 20_001)))
		}),
		{consensus.RuleCoinbaseMultiple, Change(func(d *Draft) {
			second := d.Coinbase().Copy()
			second.TxIn[0].SignatureScript[0] ^= 1
			d.Block.Transactions = append(d.Block.Transactions, second)
		})},
		witness(consensus.RuleWitnessNonce, func(tx *wire.MsgTx) { tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 31)} }),
		witness(consensus.RuleWitnessMerkle, func(tx *wire.MsgTx) { tx.TxIn[0].Witness[0][0] = 1 }),
		witness(consensus.RuleWitnessUnasked, func(tx *wire.MsgTx) { tx.TxOut = tx.TxOut[:1] }),
	}
}

func txBreaches(from Output) []Breach {
	// spend adds a transaction that is good but for what change does.
	spend := func(rule consensus.Rule, change func(*wire.MsgTx)) Breach {
		tx := SpendTx(0, 1, from)
		change(tx)
		return Breach{rule, Tx(tx, 0)}
	}
	return []Breach{
		spend(consensus.RuleTxNoOutputs, func(tx *wire.MsgTx) { tx.TxOut = nil }),
		spend(consensus.RuleTxOutputNegative, func(tx *wire.MsgTx) { tx.TxOut[0].Value = -1 }),
		spend(consensus.RuleTxDuplicateInputs, func(tx *wire.MsgTx) { tx.AddTxIn(tx.TxIn[0]) }),
		spend(consensus.RuleTxNullInput, func(tx *wire.MsgTx) {
			tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}})
		}),
		spend(consensus.RuleTxMissingInputs, func(tx *wire.MsgTx) { tx.TxIn[0].PreviousOutPoint.Index += 100 }),
		spend(consensus.RuleTxInputsBelowOut, func(tx *wire.MsgTx) { tx.TxOut[0].Value++ }),
		spend(consensus.RuleNonFinal, func(tx *wire.MsgTx) { tx.LockTime, tx.TxIn[0].Sequence = 1_000_000, 0 }),
		spend(consensus.RuleBlockScript, func(tx *wire.MsgTx) { tx.TxIn[0].Witness = wire.TxWitness{{txscript.OP_FALSE}} }),
	}
}
