package coins

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// Coin is an output that may be spent.
type Coin struct {
	OutPoint wire.OutPoint
	Amount   int64

	// Weight is what the input adds to a transaction: outpoint, sequence,
	// script and witness. See TaprootInputWeight.
	Weight int64

	// Confirmed says that the output is in a block. Others are used only
	// where the confirmed ones do not suffice.
	Confirmed bool
}

// TaprootInputWeight is the weight of an input that spends a P2TR output by
// its key with the default signature hash: 36 bytes outpoint, an empty
// script with its length, 4 bytes sequence, and in the witness a count, a
// length and 64 bytes of signature.
const TaprootInputWeight = (36+1+4)*4 + 1 + 1 + 64

// Request says what to pay and what it may be paid with.
type Request struct {
	Coins  []Coin
	Target int64 // sum of the outputs, without change; more than 0
	Rate   FeeRate

	// BaseWeight is the weight of the transaction without inputs, their
	// count, and change: version, locktime, segwit marker, and the outputs
	// with their count.
	BaseWeight int64

	// ChangeWeight is what a change output adds, ChangeSpendWeight what it
	// costs to spend it one day.
	ChangeWeight      int64
	ChangeSpendWeight int64

	// MinChange is the least change output. Less goes to the fee.
	MinChange int64

	// MaxWeight bounds the transaction.
	MaxWeight int64

	// Rand returns a number in [0, n), for the knapsack search. Randomness
	// there is about good answers, not about secrets.
	Rand func(n int) int
}

// Selection is an answer: the sum of Coins is the target, Fee and Change.
type Selection struct {
	Coins  []Coin
	Change int64 // 0: no change output
	Fee    int64
	Weight int64 // of the signed transaction
}

// InsufficientError reports that the coins do not cover target and fee.
type InsufficientError struct {
	Have int64 // sum of all coins offered
	Need int64 // target plus the fee of spending all of them
	Fee  int64
}

func (e *InsufficientError) Error() string {
	return fmt.Sprintf("coins of %d do not cover %d with a fee of %d", e.Have, e.Need-e.Fee, e.Fee)
}

// TooLargeError reports that the coins would cover the payment, but only in
// a transaction heavier than allowed: too many small coins.
type TooLargeError struct {
	Most int64 // the largest target for which one transaction suffices
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("too many small coins for one transaction, which can pay %d at most", e.Most)
}

// Select chooses coins for the request. It returns *InsufficientError or
// *TooLargeError where there is no answer, and another error for a request
// that makes no sense.
func Select(r *Request) (*Selection, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	confirmed := make([]Coin, 0, len(r.Coins))
	for _, c := range r.Coins {
		if c.Confirmed {
			confirmed = append(confirmed, c)
		}
	}
	sel, err := r.selectFrom(confirmed)
	if err == nil || len(confirmed) == len(r.Coins) {
		return sel, err
	}
	return r.selectFrom(r.Coins)
}

// check refuses requests whose sums could overflow or never end.
func (r *Request) check() error {
	if r.Target <= 0 || r.Rate < 0 || r.Rate > MaxFeeRate || r.MinChange < 0 ||
		r.BaseWeight <= 0 || r.ChangeWeight <= 0 || r.ChangeSpendWeight < 0 || r.MaxWeight <= 0 {
		return fmt.Errorf("coin selection: request out of range: target %d, rate %d, weights %d %d %d %d, least change %d",
			r.Target, r.Rate, r.BaseWeight, r.ChangeWeight, r.ChangeSpendWeight, r.MaxWeight, r.MinChange)
	}
	sum := int64(0)
	for _, c := range r.Coins {
		if c.Amount < 0 || c.Weight <= 0 || sum+c.Amount < sum {
			return fmt.Errorf("coin selection: coin %v of %d (weight %d) makes the sum leave its range", c.OutPoint, c.Amount, c.Weight)
		}
		sum += c.Amount
	}
	return nil
}

// selectFrom chooses among coins only: the first answer that fits into one
// transaction.
func (r *Request) selectFrom(coins []Coin) (*Selection, error) {
	p := newPool(r, coins)
	fits := false
	for _, search := range []func() []Coin{p.withoutChange, p.leastSum, p.largestFirst} {
		set := search()
		if set == nil {
			continue
		}
		fits = true
		if sel := r.finish(set); sel != nil && sel.Weight <= r.MaxWeight {
			return sel, nil
		}
	}
	if fits {
		return nil, &TooLargeError{Most: p.most()}
	}
	have, weight := totals(coins)
	fee := r.Rate.Fee(r.BaseWeight + countWeight(len(coins)) + weight)
	return nil, &InsufficientError{Have: have, Need: r.Target + fee, Fee: fee}
}

// finish works out fee and change of spending set, or nil where it does not
// cover the target.
func (r *Request) finish(set []Coin) *Selection {
	sum, weight := totals(set)
	weight += r.BaseWeight + countWeight(len(set))
	left := sum - r.Target - r.Rate.Fee(weight)
	if left < 0 {
		return nil
	}
	withChange := weight + r.ChangeWeight
	if change := sum - r.Target - r.Rate.Fee(withChange); change > 0 && change >= r.MinChange {
		return &Selection{Coins: set, Change: change, Fee: sum - r.Target - change, Weight: withChange}
	}
	return &Selection{Coins: set, Fee: sum - r.Target, Weight: weight}
}

func totals(coins []Coin) (amount, weight int64) {
	for _, c := range coins {
		amount += c.Amount
		weight += c.Weight
	}
	return amount, weight
}

// countWeight is the weight of the number of inputs.
func countWeight(n int) int64 {
	return 4 * int64(wire.VarIntSerializeSize(uint64(n)))
}
