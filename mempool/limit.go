package mempool

import (
	"math"
	"time"

	"github.com/charterchain/charter/mempool/policy"
)

// floorHalfLife is the time in which the floor falls to half while the pool
// is more than half full.
const floorHalfLife = 12 * time.Hour

// feeFloor is the rate that newcomers must pay because others were evicted
// for paying less. It falls once a block has come since the last eviction.
type feeFloor struct {
	rate    float64 // per 1,000 virtual bytes; a decaying estimate, no amount
	updated time.Time
	falling bool
}

// incremental is by how much a newcomer must better what was evicted.
func (p *Pool) incremental() policy.FeeRate { return policy.FeeRate(max(p.policy.MinRelayFee, 1)) }

// floorLocked lets the floor fall as time asks and returns it, rounded up.
func (p *Pool) floorLocked() policy.FeeRate {
	f := &p.floor
	defer func() { p.metrics.minFee.Set(f.rate) }()
	if f.falling && f.rate > 0 {
		half := floorHalfLife
		switch {
		case p.usage < p.policy.MempoolBytes/4:
			half /= 4
		case p.usage < p.policy.MempoolBytes/2:
			half /= 2
		}
		now := p.now()
		if passed := now.Sub(f.updated); passed > 0 {
			f.rate /= math.Exp2(float64(passed) / float64(half))
			f.updated = now
		}
		if f.rate < float64(p.incremental())/2 || f.rate < 1 {
			f.rate = 0
		}
	}
	if f.rate == 0 {
		return 0
	}
	return max(policy.FeeRate(math.Ceil(f.rate)), p.incremental())
}

// trimLocked evicts what pays least until the pool fits its budget.
func (p *Pool) trimLocked() {
	for p.usage > p.policy.MempoolBytes && len(p.worst) > 0 {
		e := p.worst[0]
		rate := float64(policy.RateOf(e.down.fees, e.down.vsize) + p.incremental())
		if rate > p.floor.rate {
			p.floor = feeFloor{rate: rate, updated: p.now()}
		}
		p.removeTreeLocked(ReasonSize, e)
	}
}

// expireLocked removes what has waited too long, with its descendants.
func (p *Pool) expireLocked() {
	if p.policy.MempoolExpiry <= 0 {
		return
	}
	limit := p.now().Add(-p.policy.MempoolExpiry)
	var old []*entry
	for _, e := range p.byTxID {
		if e.time.Before(limit) {
			old = append(old, e)
		}
	}
	p.removeTreeLocked(ReasonExpiry, old...)
}
