package p2p

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/charterchain/charter/p2p/message"
)

// allowance is how many messages of a type a peer may send: burst at once,
// and then perSecond.
type allowance struct {
	perSecond rate.Limit
	burst     int
}

// allowances returns the bounds per message type. They are generous: only
// what no honest peer does exceeds them, and ends the session. Headers,
// transactions and blocks have no rate: those that were asked for are
// bounded by the requests and may come as fast as they can be judged, the
// others by unaskedAllowance. Requests follow that pace, since each block
// that is judged may let one more be asked for; their bound is the queue of
// what was not given yet (serveQueue).
func allowances() map[message.Type]allowance {
	return map[message.Type]allowance{
		message.TypePing:       {1, 20},
		message.TypePong:       {1, 20},
		message.TypeGetPeers:   {0.02, 5},
		message.TypePeers:      {0.05, 10},
		message.TypeGetHeaders: {500, 2000},
		message.TypeHeaders:    {perSecond: rate.Inf},
		message.TypeInv:        {50, 500},
		message.TypeGetData:    {perSecond: rate.Inf},
		message.TypeNotFound:   {500, 2000},
		message.TypeTx:         {perSecond: rate.Inf},
		message.TypeBlock:      {perSecond: rate.Inf},
		message.TypePresence:   {20, 200},

		message.TypeHintedBlock: {perSecond: rate.Inf},
	}
}

// unaskedAllowance bounds transactions, blocks and addresses that were not
// asked for, or were asked for so long ago that it was forgotten.
func unaskedAllowance() allowance { return allowance{0.1, 50} }

// rateLimits counts what one peer sends. Used by its read loop only.
type rateLimits struct {
	byType  map[message.Type]*rate.Limiter
	unasked *rate.Limiter
}

func newRateLimits() *rateLimits {
	r := &rateLimits{byType: make(map[message.Type]*rate.Limiter)}
	for t, a := range allowances() {
		r.byType[t] = rate.NewLimiter(a.perSecond, a.burst)
	}
	u := unaskedAllowance()
	r.unasked = rate.NewLimiter(u.perSecond, u.burst)
	return r
}

// allow counts a message and reports whether it is within its type's bound.
// Types without one are no messages of an open session.
func (r *rateLimits) allow(t message.Type, now time.Time) bool {
	l := r.byType[t]
	return l != nil && l.AllowN(now, 1)
}

// allowUnasked counts a message that was not asked for.
func (r *rateLimits) allowUnasked(now time.Time) bool { return r.unasked.AllowN(now, 1) }
