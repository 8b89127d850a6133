package consensus

import (
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// WitnessScale is how much a byte outside the witness weighs (BIP141).
const WitnessScale = 4

// Lengths of the script of a coinbase input, in bytes.
const (
	minCoinbaseScript = 2
	maxCoinbaseScript = 100
)

// IsCoinbase reports whether tx has the form of a coinbase: a single input
// that spends nothing.
func (tx *Tx) IsCoinbase() bool {
	return len(tx.Msg.TxIn) == 1 && isNull(&tx.Msg.TxIn[0].PreviousOutPoint)
}

func isNull(op *wire.OutPoint) bool {
	return op.Index == math.MaxUint32 && op.Hash == chainhash.Hash{}
}

// strippedSize is the size in bytes without witness.
func (tx *Tx) strippedSize() int64 {
	return (tx.Weight - int64(tx.Size)) / (WitnessScale - 1)
}

// CheckTx checks what a transaction shows by itself, apart from its witness.
// A coinbase passes as such; whether it may stand where it does is for the
// caller.
func CheckTx(tx *Tx, p *params.Params) error {
	switch {
	case len(tx.Msg.TxIn) == 0:
		return broke(RuleTxNoInputs, "transaction %v has no input", tx.TxID)
	case len(tx.Msg.TxOut) == 0:
		return broke(RuleTxNoOutputs, "transaction %v has no output", tx.TxID)
	case tx.strippedSize()*WitnessScale > p.Limits.TxWeight:
		return broke(RuleTxOversize, "%d bytes without witness, at most %d", tx.strippedSize(), p.Limits.TxWeight/WitnessScale)
	}
	if err := checkOutputs(tx, p); err != nil {
		return err
	}
	return checkInputForm(tx)
}

func checkOutputs(tx *Tx, p *params.Params) error {
	var total int64
	for i, out := range tx.Msg.TxOut {
		switch {
		case out.Value < 0:
			return broke(RuleTxOutputNegative, "output %d has amount %d", i, out.Value)
		case out.Value > p.Limits.MaxMoney:
			return broke(RuleTxOutputTooLarge, "output %d has amount %d, at most %d", i, out.Value, p.Limits.MaxMoney)
		}
		var ok bool
		if total, ok = addMoney(total, out.Value, p); !ok {
			return broke(RuleTxOutputsTooLarge, "outputs up to %d add up to more than %d", i, p.Limits.MaxMoney)
		}
	}
	return nil
}

func checkInputForm(tx *Tx) error {
	in := tx.Msg.TxIn
	if op, twice := duplicateInput(in); twice {
		return broke(RuleTxDuplicateInputs, "%v is spent twice", op)
	}
	if tx.IsCoinbase() {
		if n := len(in[0].SignatureScript); n < minCoinbaseScript || n > maxCoinbaseScript {
			return broke(RuleCoinbaseLength, "coinbase script has %d bytes, allowed are %d to %d", n, minCoinbaseScript, maxCoinbaseScript)
		}
		return nil
	}
	for i := range in {
		if isNull(&in[i].PreviousOutPoint) {
			return broke(RuleTxNullInput, "input %d spends nothing and the transaction is no coinbase", i)
		}
	}
	return nil
}

func duplicateInput(in []*wire.TxIn) (op wire.OutPoint, twice bool) {
	if len(in) <= 32 { // most transactions: comparing all is faster than a map
		for i := range in {
			for j := range i {
				if in[i].PreviousOutPoint == in[j].PreviousOutPoint {
					return in[i].PreviousOutPoint, true
				}
			}
		}
		return wire.OutPoint{}, false
	}
	seen := make(map[wire.OutPoint]struct{}, len(in))
	for i := range in {
		op := in[i].PreviousOutPoint
		if _, twice := seen[op]; twice {
			return op, true
		}
		seen[op] = struct{}{}
	}
	return wire.OutPoint{}, false
}

// CheckTxWeight checks the weight with witness against the most that a
// transaction of this chain may weigh. For a transaction of a block it holds
// only once the witness is known to be the one committed to. On chains with
// Bitcoin's block weight a block breaks RuleBlockWeight first.
func CheckTxWeight(tx *Tx, p *params.Params) error {
	if tx.Weight > p.Limits.TxWeight {
		return broke(RuleTxWeight, "transaction %v weighs %d, at most %d", tx.TxID, tx.Weight, p.Limits.TxWeight)
	}
	return nil
}

// CheckTxInputs checks amounts and maturity of the coins that tx spends in a
// block at height, and where BIP54 is in force its signature operations
// (CheckTxInputSigOps). coins[i] is the coin of input i; tx is no coinbase. It
// returns the fee in the smallest unit.
//
// Inputs without a coin (RuleTxMissingInputs) are found by the caller, which
// looks the coins up.
func CheckTxInputs(tx *Tx, coins []Coin, height int32, p *params.Params) (fee int64, err error) {
	if len(coins) != len(tx.Msg.TxIn) {
		return 0, fmt.Errorf("transaction %v: %d coins given for %d inputs", tx.TxID, len(coins), len(tx.Msg.TxIn))
	}
	var in int64
	for i := range coins {
		coin := &coins[i]
		if depth := int64(height) - int64(coin.Height); coin.Coinbase && depth < int64(p.Subsidy.Maturity) {
			return 0, broke(RuleTxImmature, "input %d spends a coinbase at depth %d, at least %d needed", i, depth, p.Subsidy.Maturity)
		}
		ok := MoneyRange(coin.Amount, p)
		if ok {
			in, ok = addMoney(in, coin.Amount, p)
		}
		if !ok {
			return 0, broke(RuleTxInputValues, "inputs up to %d add up to more than %d", i, p.Limits.MaxMoney)
		}
	}
	var out int64
	for _, o := range tx.Msg.TxOut {
		var ok bool
		if out, ok = AddAmounts(out, o.Value); !ok {
			return 0, broke(RuleTxOutputsTooLarge, "outputs overflow")
		}
	}
	if in < out {
		return 0, broke(RuleTxInputsBelowOut, "inputs hold %d, outputs %d", in, out)
	}
	fee = in - out
	if !MoneyRange(fee, p) {
		return 0, broke(RuleTxFee, "fee %d, at most %d", fee, p.Limits.MaxMoney)
	}
	if params.Active(p.Deployments.BIP54, height) {
		if err := CheckTxInputSigOps(tx, coins); err != nil {
			return 0, err
		}
	}
	return fee, nil
}
