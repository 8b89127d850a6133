package relay

import "github.com/btcsuite/btcd/chainhash/v2"

// Outbox collects what is to be announced to one peer, in order, without
// what the peer knows already. When it is full the oldest is dropped.
type Outbox struct {
	max     int
	known   *Known
	pending []chainhash.Hash
}

// NewOutbox returns an empty outbox for at most max hashes, which leaves out
// and adds to what is known.
func NewOutbox(max int, known *Known) *Outbox {
	return &Outbox{max: max, known: known}
}

// Add takes a hash up, unless the peer knows it. dropped says that an older
// one had to go.
func (o *Outbox) Add(h chainhash.Hash) (dropped bool) {
	if !o.known.Add(h) {
		return false
	}
	if len(o.pending) >= o.max {
		o.pending = o.pending[1:]
		dropped = true
	}
	o.pending = append(o.pending, h)
	return dropped
}

// Take removes and returns at most max hashes, oldest first.
func (o *Outbox) Take(max int) []chainhash.Hash {
	n := min(max, len(o.pending))
	out := o.pending[:n:n]
	o.pending = o.pending[n:]
	if len(o.pending) == 0 {
		o.pending = nil // let the array go
	}
	return out
}

// Len returns how many hashes wait.
func (o *Outbox) Len() int { return len(o.pending) }
