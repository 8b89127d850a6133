package p2p

import (
	"sync"
	"time"
)

const (
	// firstRefusal is for how long a peer is refused after it broke the
	// protocol or a rule. It doubles with each time, up to longestRefusal,
	// and a peer that behaved for that long starts anew.
	firstRefusal   = 10 * time.Minute
	longestRefusal = 24 * time.Hour

	maxRefusals = 4096
)

// refusals remembers for a while which identities broke the protocol or a
// rule. It is bounded: when full, the one that ends soonest goes.
type refusals struct {
	mu    sync.Mutex // guards byKey
	byKey map[[32]byte]refusal
}

type refusal struct {
	until time.Time
	last  time.Duration
}

func newRefusals() *refusals { return &refusals{byKey: make(map[[32]byte]refusal)} }

// add refuses an identity from now on for a while.
func (r *refusals) add(key [32]byte, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := firstRefusal
	if old, ok := r.byKey[key]; ok && now.Before(old.until.Add(longestRefusal)) {
		d = min(2*old.last, longestRefusal)
	}
	if _, ok := r.byKey[key]; !ok && len(r.byKey) >= maxRefusals {
		r.dropSoonest()
	}
	r.byKey[key] = refusal{until: now.Add(d), last: d}
}

func (r *refusals) dropSoonest() {
	var soonest [32]byte
	var at time.Time
	for key, f := range r.byKey {
		if at.IsZero() || f.until.Before(at) {
			soonest, at = key, f.until
		}
	}
	delete(r.byKey, soonest)
}

// until returns when an identity is taken again, and whether it is refused.
func (r *refusals) until(key [32]byte, now time.Time) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.byKey[key]
	return f.until, ok && now.Before(f.until)
}
