package p2p

import (
	"testing"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// A chain of small blocks is fetched and judged at tens of thousands of
// blocks a second: what was asked for has no rate.
func TestRateLimits(t *testing.T) {
	const many = 100_000
	now := time.Unix(1_700_000_000, 0)
	r := newRateLimits()
	for _, typ := range []message.Type{message.TypeGetData, message.TypeHeaders, message.TypeTx, message.TypeBlock} {
		for i := range many {
			if !r.allow(typ, now) {
				t.Errorf("%s: number %d at one moment is refused", typ, i+1)
				break
			}
		}
	}
	for _, typ := range []message.Type{message.TypePing, message.TypePong, message.TypeGetPeers, message.TypePeers,
		message.TypeGetHeaders, message.TypeInv, message.TypeNotFound, message.TypePresence} {
		taken := 0
		for range many {
			if r.allow(typ, now) {
				taken++
			}
		}
		if want := allowances()[typ].burst; taken != want {
			t.Errorf("%s: %d at one moment are taken, want %d", typ, taken, want)
		}
	}
	if r.allow(message.TypeHello, now) {
		t.Error("hello is taken in an open session")
	}
	taken := 0
	for range many {
		if r.allowUnasked(now) {
			taken++
		}
	}
	if want := unaskedAllowance().burst; taken != want {
		t.Errorf("%d messages that nobody asked for are taken, want %d", taken, want)
	}
}
