package coins

import (
	"cmp"
	"slices"
)

// Bounds of the two searches. They make the time of Select linear in the
// number of coins with a small constant.
const (
	branchTries   = 100_000
	knapsackTries = 1_000
)

// pool is what a search works on: the coins that are worth their own fee,
// by effective value (the amount less the fee of spending it), largest
// first.
type pool struct {
	r      *Request
	coins  []Coin
	values []int64 // effective, all above 0
	total  int64   // of values

	// need is what effective values must add up to without change: the
	// target and the fee of everything but the inputs. withChange is the
	// same for a transaction whose change is worth having.
	need, needWithChange int64
}

func newPool(r *Request, coins []Coin) *pool {
	p := &pool{r: r}
	sorted := slices.Clone(coins)
	slices.SortStableFunc(sorted, func(a, b Coin) int {
		return cmp.Compare(p.effective(b), p.effective(a))
	})
	for _, c := range sorted {
		v := p.effective(c)
		if v <= 0 {
			break
		}
		p.coins = append(p.coins, c)
		p.values = append(p.values, v)
		p.total += v
	}
	// The three extra units of weight stand for the rounding up to whole
	// virtual bytes, so that what is found here always covers the real fee;
	// it may exceed it by a unit or two per coin.
	base := r.BaseWeight + countWeight(len(p.coins)) + 3
	p.need = r.Target + p.fee(base)
	p.needWithChange = r.Target + p.fee(base+r.ChangeWeight) + max(r.MinChange, 1)
	return p
}

// fee is the rate times a weight that is part of a transaction, rounded up.
func (p *pool) fee(weight int64) int64 { return ceilDiv(int64(p.r.Rate), weight, 4000) }

func (p *pool) effective(c Coin) int64 { return c.Amount - p.fee(c.Weight) }

// withoutChange looks for the set with the least sum between what is needed
// and what is needed plus the cost of a change output now and when it is
// spent: up to there a change output would cost more than it returns.
//
// The search goes through the coins from the largest and decides for each
// whether it is in: in first, then out. A branch ends where the sum is too
// large or where all that is left cannot reach the target.
//
// Source: "branch and bound", M. Erhardt, An Evaluation of Coin Selection
// Strategies, 2016; the code is ours.
func (p *pool) withoutChange() []Coin {
	ceiling := p.need + p.fee(p.r.ChangeWeight) + p.fee(p.r.ChangeSpendWeight)
	if p.total < p.need {
		return nil
	}
	var chosen, best []int
	bestSum := ceiling + 1
	sum, rest, next := int64(0), p.total, 0
	for range branchTries {
		switch {
		case sum >= p.need && sum < bestSum:
			best, bestSum = slices.Clone(chosen), sum
			if sum == p.need {
				return p.pick(best)
			}
			fallthrough
		case sum >= p.need || sum+rest < p.need || next == len(p.values):
			// Back to the last coin that is in; go on without it.
			if len(chosen) == 0 {
				return p.pick(best)
			}
			last := chosen[len(chosen)-1]
			chosen = chosen[:len(chosen)-1]
			for next > last+1 {
				next--
				rest += p.values[next]
			}
			sum -= p.values[last]
		default:
			rest -= p.values[next]
			// A coin equal to its left neighbour that is out leads to sums
			// that were tried with the neighbour.
			twin := next > 0 && p.values[next] == p.values[next-1] &&
				(len(chosen) == 0 || chosen[len(chosen)-1] != next-1)
			if !twin {
				chosen = append(chosen, next)
				sum += p.values[next]
			}
			next++
		}
	}
	return p.pick(best)
}

// leastSum is the set with the smaller sum of two: the smallest coin that
// suffices alone, and what the knapsack search finds. Small coins are used
// up over time, and large ones are not broken for small payments.
func (p *pool) leastSum() []Coin {
	single, several := p.smallestSingle(), p.knapsack()
	if single == nil {
		return several
	}
	if sum, _ := totals(several); several == nil || single[0].Amount <= sum {
		return single
	}
	return several
}

// smallestSingle is the smallest coin that suffices alone, with change.
func (p *pool) smallestSingle() []Coin {
	for i := len(p.values) - 1; i >= 0; i-- {
		if p.values[i] >= p.needWithChange {
			return []Coin{p.coins[i]}
		}
	}
	return nil
}

// largestFirst is the answer with the fewest coins. It counts exactly, so
// it finds an answer whenever the coins that are worth their fee suffice.
func (p *pool) largestFirst() []Coin {
	sum, weight := int64(0), p.r.BaseWeight
	for i, c := range p.coins {
		sum += c.Amount
		weight += c.Weight
		if sum-p.r.Target >= p.r.Rate.Fee(weight+countWeight(i+1)) {
			return slices.Clone(p.coins[:i+1])
		}
	}
	return nil
}

// most is what one transaction can pay: with the largest coins that fit.
func (p *pool) most() int64 {
	sum, weight, best := int64(0), p.r.BaseWeight, int64(0)
	for i, c := range p.coins {
		sum += c.Amount
		weight += c.Weight
		if total := weight + countWeight(i+1); total <= p.r.MaxWeight {
			best = max(best, sum-p.r.Rate.Fee(total))
		}
	}
	return best
}

// knapsack looks for a set with a small sum that leaves change: each try
// takes every coin with chance one half, then adds those left out until
// the sum suffices, and drops each coin that turns out to be unneeded.
func (p *pool) knapsack() []Coin {
	if p.r.Rand == nil || p.total < p.needWithChange {
		return nil
	}
	n := len(p.values)
	bestSum := p.total + 1
	var best []int
	in := make([]bool, n)
	for range min(knapsackTries, 1+1_000_000/n) {
		clear(in)
		sum := int64(0)
		for pass := 0; pass < 2 && sum < p.needWithChange; pass++ {
			for i := 0; i < n && sum < p.needWithChange; i++ {
				if !in[i] && (pass == 1 || p.r.Rand(2) == 0) {
					in[i] = true
					sum += p.values[i]
				}
			}
		}
		for i := n - 1; i >= 0; i-- {
			if in[i] && sum-p.values[i] >= p.needWithChange {
				in[i] = false
				sum -= p.values[i]
			}
		}
		if sum < bestSum {
			bestSum, best = sum, best[:0]
			for i, yes := range in {
				if yes {
					best = append(best, i)
				}
			}
		}
		if sum == p.needWithChange {
			break
		}
	}
	return p.pick(best)
}

func (p *pool) pick(indexes []int) []Coin {
	if len(indexes) == 0 {
		return nil
	}
	set := make([]Coin, len(indexes))
	for i, at := range indexes {
		set[i] = p.coins[at]
	}
	return set
}
