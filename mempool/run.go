package mempool

import (
	"context"
	"errors"
	"time"
)

// expiryInterval is how often Run looks for what has waited too long.
const expiryInterval = time.Minute

// tidy makes the next walk down the ranking quick again.
func (p *Pool) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.best.cluttered() {
		p.best.compact()
	}
}

// Run takes in orphans whose parents have come, and drops transactions that
// have waited too long, until ctx is done. It returns nil.
func (p *Pool) Run(ctx context.Context) error {
	tick := time.NewTicker(expiryInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
			p.tidy()
			p.retryOrphans(ctx)
		case <-tick.C:
			p.expireOrphans()
			p.mu.Lock()
			p.expireLocked()
			p.unlockShown()
		}
	}
}

// retryOrphans judges the orphans whose parents have come. Each that is
// taken in may be the parent of others.
func (p *Pool) retryOrphans(ctx context.Context) {
	for ctx.Err() == nil {
		p.mu.Lock()
		w := p.orphans.takeReady()
		p.metrics.orphans.Set(float64(len(p.orphans.byWTxID)))
		p.mu.Unlock()
		if w == nil {
			return
		}
		err := p.Accept(ctx, w.tx)
		if missing, ok := errors.AsType[*MissingInputsError](err); ok {
			p.mu.Lock()
			p.keepOrphanLocked(w.tx, missing.OutPoints, w.source)
			p.mu.Unlock()
		}
	}
}
