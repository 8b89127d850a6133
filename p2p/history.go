package p2p

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/p2p/blocksync"
	"github.com/charterchain/charter/p2p/message"
)

// History names blocks below the tip that a node, which has started from a
// UTXO snapshot, still wants: those from height Next on, up to and with End,
// that are not stored.
type History struct {
	Next int32
	End  BlockInfo
}

// Blocks of the history are fetched beside those of the tip's branch, and
// after them: only while the node is not behind, and from each peer so few at
// a time that a new block does not wait long behind them. But where the branch
// to follow leaves below the history's end, the node cannot go there before
// the history is checked.
const (
	historyWindow = 256
	historyShare  = 16
)

// refreshHistory brings the path of the history in line with what the chain
// wants and the peers have. target is the end of the branch to follow. Called
// by tend only.
func (s *syncer) refreshHistory(target BlockInfo, bests []peerBest) {
	if s.n.cfg.History == nil {
		return
	}
	h, wanted := s.n.cfg.History()
	if !wanted || s.behind() && s.common(target, h.End).Height == h.End.Height {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.history.SetPath(nil, nil)
		return
	}
	s.followHistory(h)
	upTo := make(map[int64]int32, len(bests))
	for _, b := range bests {
		upTo[b.id] = s.common(b.best, h.End).Height
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, height := range upTo {
		if sp := s.peers[id]; sp != nil && sp.serves && sp.whole {
			s.history.SetPeer(id, height)
		}
	}
}

// assignLocked hands out blocks of the tip's branch, and then of the history,
// which gets half of the room at most.
func (s *syncer) assignLocked(now time.Time) []blocksync.Request {
	free := s.queue.room() - s.sched.Asked() - s.history.Asked()
	if s.sched.Asked() == 0 {
		free = max(free, 1) // new blocks need not wait for old ones
	}
	requests := s.sched.Assign(now, free)
	free = (s.queue.room()+1)/2 - s.sched.Asked() - s.history.Asked()
	return append(requests, s.history.Assign(now, free)...)
}

// followHistory makes the path of the history begin at h.Next.
func (s *syncer) followHistory(h History) {
	s.mu.Lock()
	s.history.Advance(h.Next - 1)
	first, last, ok := s.history.Span()
	same := s.historyEnd == h.End.Hash
	s.mu.Unlock()
	top := min(h.End.Height, h.Next+int32(s.history.Window())-1)
	if ok && same && first.Height == h.Next {
		if last.Height < top {
			blocks, have := s.branch(h.End, last.Height+1, top)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.history.Extend(blocks, have)
		}
		return
	}
	blocks, have := s.branch(h.End, h.Next, top)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.historyEnd = h.End.Hash
	s.history.SetPath(blocks, have)
}

// arrivedLocked notes a block on the path that it was asked for on.
func (s *syncer) arrivedLocked(id int64, hash chainhash.Hash, now time.Time) (solicited, needed, old bool) {
	if solicited, needed = s.sched.Arrived(id, hash, now); solicited {
		return solicited, needed, false
	}
	solicited, needed = s.history.Arrived(id, hash, now)
	return solicited, needed, true
}

// stalledLocked returns the peers that owe blocks of either path for too long.
func (s *syncer) stalledLocked(now time.Time) []int64 {
	return append(s.sched.Stalled(now), s.history.Stalled(now)...)
}

// withheld are the features that this node does not have as long as its
// history is not here. It is asked for its last blocks all the same, and says
// so where it lacks one.
func withheld(cfg *Config) message.Features {
	if cfg.History != nil {
		if _, wanted := cfg.History(); wanted {
			return message.FeatureChain
		}
	}
	return 0
}
