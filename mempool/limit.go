package mempool

import (
	"math"
	"sync"
	"time"

	"github.com/charterchain/charter/mempool/policy"
)

// floorHalfLife is the time in which the floor falls to half while the pool
// is more than half full.
const floorHalfLife = 12 * time.Hour

// feeFloor is the rate that newcomers must pay because others were evicted
// for paying less. It falls once a block has come since the last eviction.
type feeFloor struct {
	mu      sync.Mutex // a leaf: the floor falls while Pool.mu is held for reading
	rate    float64    // per 1,000 virtual bytes; a decaying estimate, no amount
	updated time.Time
	falling bool
}

// incremental is by how much a newcomer must better what was evicted.
func (p *Pool) incremental() policy.FeeRate { return policy.FeeRate(max(p.policy.MinRelayFee, 1)) }

// floorLocked lets the floor fall as time asks and returns it, rounded up.
func (p *Pool) floorLocked() policy.FeeRate {
	f := &p.floor
	f.mu.Lock()
	defer f.mu.Unlock()
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
		p.metrics.minFee.Set(f.rate)
	}
	if f.rate == 0 {
		return 0
	}
	return max(policy.FeeRate(math.Ceil(f.rate)), p.incremental())
}

// raise lifts the floor to rate, if it is lower.
func (f *feeFloor) raise(rate float64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if rate > f.rate {
		f.rate, f.updated, f.falling = rate, now, false
	}
}

// mayFall lets the floor fall from now on.
func (f *feeFloor) mayFall(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.falling, f.updated = true, now
}

// trimLocked evicts what pays least until the pool fits its budget.
func (p *Pool) trimLocked() {
	for p.usage > p.policy.MempoolBytes {
		e := p.worth.top()
		if e == nil {
			break
		}
		p.floor.raise(float64(policy.RateOf(e.down.fees, e.down.vsize)+p.incremental()), p.now())
		p.metrics.minFee.Set(p.floor.rate)
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
	for e := range p.roster.all() {
		if e.time.Before(limit) {
			old = append(old, e)
		}
	}
	p.removeTreeLocked(ReasonExpiry, old...)
}
