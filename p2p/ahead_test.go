package p2p_test

import (
	"testing"
	"time"

	"github.com/charterchain/charter/p2p/p2ptest"
)

// TestBlocksAreShownAhead: while the chain is busy with a block it is shown
// those that wait behind it, as many as it has room for.
func TestBlocksAreShownAhead(t *testing.T) {
	simulate(t, 310, func(t *testing.T, s *p2ptest.Sim) {
		from, to := s.NewNode(), s.NewNode()
		from.Chain.Mine(60, "a", 1)
		to.Chain.Delay = time.Second
		to.AddNodes = []string{from.URL()}
		from.Start()
		to.Start()
		s.AwaitTip(10*time.Minute, from, to)
		if got := to.Chain.Prepared(); got < 50 {
			t.Errorf("%d of 60 blocks were shown before their turn", got)
		}
	})
}
