package consensus

import "github.com/charterchain/charter/chain/params"

// AddAmounts returns a+b; ok is false where the sum does not fit an int64,
// and then sum is 0.
func AddAmounts(a, b int64) (sum int64, ok bool) {
	sum = a + b
	if (b > 0 && sum < a) || (b < 0 && sum > a) {
		return 0, false
	}
	return sum, true
}

// MoneyRange reports whether amount (smallest unit) is neither negative nor
// above the chain's max_money.
func MoneyRange(amount int64, p *params.Params) bool {
	return amount >= 0 && amount <= p.Limits.MaxMoney
}

// addMoney adds two amounts and reports whether the sum is in MoneyRange.
func addMoney(a, b int64, p *params.Params) (sum int64, ok bool) {
	sum, ok = AddAmounts(a, b)
	return sum, ok && MoneyRange(sum, p)
}

// Subsidy is what the coinbase at height may create beyond the fees, in the
// smallest unit: the initial subsidy, halved by a right shift once per
// halving interval; so it is 0 from the 63rd halving on at the latest.
func Subsidy(height int32, p *params.Params) int64 {
	if p.Subsidy.HalvingInterval <= 0 {
		return p.Subsidy.Initial
	}
	return p.Subsidy.Initial >> (height / p.Subsidy.HalvingInterval)
}

// AddFees returns total+fee, the fees of a block so far, or breaks
// RuleBlockFees where the sum is out of range.
func AddFees(total, fee int64, p *params.Params) (int64, error) {
	sum, ok := addMoney(total, fee, p)
	if !ok {
		return 0, broke(RuleBlockFees, "fees %d and %d do not add up within 0 to %d", total, fee, p.Limits.MaxMoney)
	}
	return sum, nil
}

// CheckCoinbaseAmount checks that the coinbase of the block at height takes
// no more than the subsidy and the fees of the other transactions.
func CheckCoinbaseAmount(coinbase *Tx, height int32, fees int64, p *params.Params) error {
	subsidy := Subsidy(height, p)
	allowed, ok := AddAmounts(subsidy, fees)
	if !ok {
		return broke(RuleBlockFees, "fees %d and subsidy %d do not add up", fees, subsidy)
	}
	var paid int64
	for _, out := range coinbase.Msg.TxOut {
		if paid, ok = AddAmounts(paid, out.Value); !ok {
			return broke(RuleCoinbaseAmount, "outputs overflow; at most %d allowed", allowed)
		}
	}
	if paid > allowed {
		return broke(RuleCoinbaseAmount, "coinbase pays %d, at most %d allowed (subsidy %d, fees %d)", paid, allowed, subsidy, fees)
	}
	return nil
}
