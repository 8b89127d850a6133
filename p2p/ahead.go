package p2p

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// lookAhead shows the chain the blocks that wait for it, the lowest first, so
// that it can prepare them while it judges the one before. Their order, and
// what becomes of them, is feed's business.
func (s *syncer) lookAhead(ctx context.Context) {
	shown := make(map[chainhash.Hash]bool) // of those that wait
	for {
		select {
		case <-s.queued:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		waiting := s.queue.list()
		s.mu.Unlock()
		still := make(map[chainhash.Hash]bool, len(waiting))
		full := false
		for _, b := range waiting {
			hash := b.block.Hash
			switch {
			case shown[hash]:
				still[hash] = true
			case b.old, full: // old ones stand on no block that the chain connects now
			default:
				still[hash] = s.chain.Ahead(b.block)
				full = !still[hash]
			}
		}
		shown = still
	}
}
