package p2p

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// On chains that restrict mining most headers are undecided at first: who
// may seal a block is known once its parent has been judged. The chain holds
// a bounded number of them above the blocks it has judged, so headers are
// fetched hand in hand with blocks, and not all of them before.
const (
	// fewUndecided is how many headers above the tip are left when more are
	// asked for. It keeps the window of blocks busy for the round trip, and
	// leaves most of a Headers message room in what the chain holds.
	fewUndecided = 512

	// extendPatience is how long one peer is waited for that was asked for
	// headers behind all that are known, before another one is.
	extendPatience = 5 * time.Second

	// maxWhole bounds the branches remembered as stored.
	maxWhole = 256
)

// frontier returns the header with the most work that this node goes for,
// undecided ones included, and the last one wanted: zeros, unless the chain
// could not hold more.
func (s *syncer) frontier() (best BlockInfo, stop chainhash.Hash) {
	best = s.chain.BestHeader()
	if !s.sealed {
		return best, stop
	}
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	info, ok := s.chain.Lookup(target)
	if ok && !info.Invalid && info.Work.Cmp(best.Work) > 0 {
		best = info
	}
	if s.full(best) {
		stop = best.Hash
	}
	return best, stop
}

// full reports whether so many headers up to and with this one are undecided
// that more are not worth asking for.
func (s *syncer) full(last BlockInfo) bool {
	return last.Undecided && last.Height-s.chain.Best().Height >= fewUndecided
}

// hold notes that a peer has headers behind last, where no more can be taken
// in now, and reports whether that is so.
func (s *syncer) hold(id int64, last BlockInfo) bool {
	if !s.full(last) {
		return false
	}
	s.noteMore(id)
	return true
}

// noteMore notes that a peer has headers that could not be held.
func (s *syncer) noteMore(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.peers[id]; sp != nil {
		sp.held = true
	}
}

// extend asks for further headers once there is room for them: one peer for
// those behind all that are known, and as they are known the others, so that
// they are asked for the blocks too. Called by tend only.
func (s *syncer) extend() {
	if !s.sealed {
		return
	}
	best, stop := s.frontier()
	full := stop != chainhash.Hash{}
	s.mu.Lock()
	due := s.dueLocked(best, full, s.n.cfg.Now())
	s.mu.Unlock()
	for _, id := range due {
		s.askHeaders(id, nil)
	}
}

// dueLocked says which of the peers with more headers are to be asked now.
func (s *syncer) dueLocked(best BlockInfo, full bool, now time.Time) (due []int64) {
	waiting := false // for a peer that was asked for what is behind best
	for _, sp := range s.peers {
		waiting = waiting || sp.extending && now.Sub(sp.asked) < extendPatience
	}
	for id, sp := range s.peers {
		switch {
		case !sp.held || !sp.asked.IsZero() || sp.pending > 0:
		case full:
			// Whether it has best too; once, for it may be on another branch.
			if sp.best.Height < best.Height && sp.caughtUp != best.Hash {
				sp.caughtUp = best.Hash
				due = append(due, id)
			}
		case !waiting:
			waiting, sp.held, sp.extending = true, false, true
			due = append(due, id)
		}
	}
	return due
}

// forgetSource lets the chain forget the undecided headers of p, whose
// session has ended, unless the same node has a newer one.
func (s *syncer) forgetSource(p *peer) {
	if !s.n.connected(p.key) {
		s.chain.ForgetSource(p.key)
	}
}

// markWanted says which branches may become the best one and are not here
// yet. Those are the ones with more work than the tip; where mining is
// restricted also those with as much, of which the hash decides, and those
// that restart the chain. There a branch that is here may be better and not
// be taken, because it would undo what is settled: nothing is left to fetch.
func (s *syncer) markWanted(tip BlockInfo, bests []peerBest) {
	for i := range bests {
		b := &bests[i]
		more := b.best.Work.Cmp(tip.Work)
		switch {
		case !s.sealed:
			b.wanted = more > 0
		case b.best.Hash != tip.Hash && (more >= 0 || s.restarts(tip, b.best)):
			b.wanted = s.unfetched(tip, b.best)
		}
	}
}

// restarts reports whether a branch leaves the tip's by a restart block.
func (s *syncer) restarts(tip, best BlockInfo) bool {
	first, ok := s.chain.Ancestor(best.Hash, s.common(tip, best).Height+1)
	return ok && first.Restart
}

// unfetched reports whether a body between the tip's branch and the end of
// another is missing. Called by tend only.
func (s *syncer) unfetched(tip, best BlockInfo) bool {
	if !best.HaveData {
		return true
	}
	if s.whole[best.Hash] {
		return false
	}
	for h := s.common(tip, best).Height + 1; h < best.Height; h++ {
		if !s.stored(best, h) {
			return true
		}
	}
	if len(s.whole) >= maxWhole {
		clear(s.whole)
	}
	s.whole[best.Hash] = true
	return false
}
