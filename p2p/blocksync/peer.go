package blocksync

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// peer is what the scheduler knows of one session.
type peer struct {
	id    int64
	upTo  int32 // it has the headers of the path up to this height
	lacks int32 // it said it has no body at this height
	share int
	owed  map[chainhash.Hash]time.Time // asked of it and not delivered, also what has moved on

	lastDelivery time.Time     // or when it began to owe
	pace         time.Duration // between deliveries, smoothed; 0: none measured
	delivered    uint64        // since it last lacked something that it claimed
}

func (p *peer) owes(hash chainhash.Hash) bool {
	_, ok := p.owed[hash]
	return ok
}

func (p *peer) owe(hash chainhash.Hash, now time.Time) {
	if len(p.owed) == 0 {
		p.lastDelivery = now
	}
	p.owed[hash] = now
}

func (p *peer) halve() { p.share = max(1, p.share/2) }

// lessUsed compares used parts of shares; the lower id breaks a tie.
func (p *peer) lessUsed(q *peer) bool {
	a, b := len(p.owed)*q.share, len(q.owed)*p.share
	return a < b || a == b && p.id < q.id
}

// deliver notes a block of the peer and adapts its share.
func (p *peer) deliver(now time.Time, cfg Config) {
	took := max(now.Sub(p.lastDelivery), time.Microsecond)
	p.lastDelivery = now
	p.delivered++
	if p.pace == 0 {
		p.pace = took
	} else {
		p.pace = (3*p.pace + took) / 4
	}
	fit := int(min(cfg.Horizon/p.pace, time.Duration(cfg.MaxShare)))
	p.share = max(1, min(fit, p.share+1))
}

// SetPeer says that a peer has the blocks of the path up to a height; -1:
// none of them. A peer that is not known is added.
func (s *Scheduler) SetPeer(id int64, upTo int32) {
	p := s.peers[id]
	if p == nil {
		p = &peer{id: id, lacks: math.MaxInt32, share: s.cfg.FirstShare, owed: make(map[chainhash.Hash]time.Time)}
		s.peers[id] = p
	}
	p.upTo = upTo
}

// RemovePeer forgets a peer; what it owed is wanted again.
func (s *Scheduler) RemovePeer(id int64) {
	delete(s.peers, id)
	for i := range s.path {
		if sl := &s.path[i]; sl.state == asked && sl.peer == id {
			sl.state = wanted
		}
	}
}

// Announced says that a peer has told of blocks: it may be asked again for
// what it did not have.
func (s *Scheduler) Announced(id int64) {
	if p := s.peers[id]; p != nil {
		p.lacks = math.MaxInt32
	}
}

// Arrived notes a block that a peer sent. solicited: it had been asked for;
// else nothing changes. needed: nobody brought it before, and the caller
// should take it; Retry undoes that.
func (s *Scheduler) Arrived(id int64, hash chainhash.Hash, now time.Time) (solicited, needed bool) {
	if p := s.peers[id]; p != nil && p.owes(hash) {
		solicited = true
		delete(p.owed, hash)
		p.deliver(now, s.cfg)
	}
	if sl := s.slotOf(hash); solicited && sl != nil && sl.state != arrived {
		sl.state = arrived
		needed = true
	}
	return solicited, needed
}

// NotFound notes that a peer does not have a block it was asked for. It
// reports false if the peer was not asked.
func (s *Scheduler) NotFound(id int64, hash chainhash.Hash) bool {
	p := s.peers[id]
	if p == nil || !p.owes(hash) {
		return false
	}
	delete(p.owed, hash)
	if sl := s.slotOf(hash); sl != nil {
		p.lacks = min(p.lacks, sl.Height)
		p.delivered = 0
		if sl.state == asked && sl.peer == id {
			sl.state = wanted
		}
	}
	return true
}

// Standing says whether a peer's claim to have blocks can be relied on.
type Standing int

// The standings, from bad to good.
const (
	Late   Standing = iota // owes blocks for Config.LateAfter, or said it lacks what it claimed
	Fresh                  // has delivered nothing yet
	Proven                 // has delivered blocks that it was asked for
)

// Standing returns the standing of a peer.
func (s *Scheduler) Standing(id int64, now time.Time) Standing {
	p := s.peers[id]
	switch {
	case p == nil:
		return Fresh
	case p.lacks < math.MaxInt32 || s.owesFor(p, now) >= s.cfg.LateAfter:
		return Late
	case p.delivered == 0:
		return Fresh
	}
	return Proven
}

// owesFor returns for how long a peer has owed blocks and delivered none.
func (s *Scheduler) owesFor(p *peer, now time.Time) time.Duration {
	if len(p.owed) == 0 {
		return 0
	}
	return now.Sub(p.lastDelivery)
}

// Stalled returns the peers that owe blocks and have delivered none for
// Config.StallAfter, in order of their ids.
func (s *Scheduler) Stalled(now time.Time) []int64 {
	var out []int64
	for id, p := range s.peers {
		if s.owesFor(p, now) >= s.cfg.StallAfter {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, cmp.Compare)
	return out
}

// InFlight returns the heights of the path's blocks that a peer owes.
func (s *Scheduler) InFlight(id int64) []int32 {
	p := s.peers[id]
	if p == nil {
		return nil
	}
	var out []int32
	for hash := range p.owed {
		if sl := s.slotOf(hash); sl != nil {
			out = append(out, sl.Height)
		}
	}
	slices.Sort(out)
	return out
}

// Asked returns how many blocks of the path are under way: what may still
// have to be taken in.
func (s *Scheduler) Asked() int {
	n := 0
	for i := range s.path {
		if s.path[i].state == asked {
			n++
		}
	}
	return n
}
