package blocksync

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Block names a block of the path.
type Block struct {
	Hash   chainhash.Hash
	Height int32
}

// Request tells to ask a peer for blocks, lowest first.
type Request struct {
	Peer   int64
	Blocks []Block
}

// Config holds the limits. The zero value of a field means its default.
type Config struct {
	Window     int           // longest path; 1,024
	MaxShare   int           // most blocks a peer may owe; 128
	FirstShare int           // share of a peer that has delivered nothing; 4
	Horizon    time.Duration // what a share is meant to last for; 2 s
	MoveAfter  time.Duration // how long a block is waited for while others idle; 2 s
	LateAfter  time.Duration // how long a peer may deliver nothing that it owes until it is Late; 10 s
	StallAfter time.Duration // and until it is stalled; 60 s
}

func (c Config) withDefaults() Config {
	setDefault(&c.Window, 1024)
	setDefault(&c.MaxShare, 128)
	setDefault(&c.FirstShare, 4)
	setDefault(&c.Horizon, 2*time.Second)
	setDefault(&c.MoveAfter, 2*time.Second)
	setDefault(&c.LateAfter, 10*time.Second)
	setDefault(&c.StallAfter, 60*time.Second)
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// longestMoveWait bounds the doubling of Config.MoveAfter.
const longestMoveWait = time.Minute

type state uint8

const (
	wanted  state = iota // to be asked for
	asked                // owed by slot.peer
	arrived              // with the caller
)

type slot struct {
	Block
	state     state
	peer      int64     // asked: who owes it
	since     time.Time // asked: when
	notBefore time.Time // wanted: retry no sooner
	moves     int       // how often it went from a peer to another
}

// Scheduler is the state machine. See the package comment.
type Scheduler struct {
	cfg   Config
	path  []slot // consecutive heights
	where map[chainhash.Hash]int32
	peers map[int64]*peer
}

// New returns a Scheduler with an empty path and no peers.
func New(cfg Config) *Scheduler {
	return &Scheduler{
		cfg:   cfg.withDefaults(),
		where: make(map[chainhash.Hash]int32),
		peers: make(map[int64]*peer),
	}
}

// Window is the longest path.
func (s *Scheduler) Window() int { return s.cfg.Window }

// slotOf returns the slot of a block on the path, or nil.
func (s *Scheduler) slotOf(hash chainhash.Hash) *slot {
	height, ok := s.where[hash]
	if !ok {
		return nil
	}
	return &s.path[height-s.path[0].Height]
}

// SetPath replaces the path by blocks of consecutive heights. have says
// which of them are not needed. What is known of blocks that are on both
// paths is kept.
func (s *Scheduler) SetPath(blocks []Block, have func(Block) bool) {
	old := make(map[chainhash.Hash]slot, len(s.path))
	for _, sl := range s.path {
		old[sl.Hash] = sl
	}
	s.path = s.path[:0]
	clear(s.where)
	s.extend(blocks, have, old)
}

// Extend appends blocks that follow the path's end.
func (s *Scheduler) Extend(blocks []Block, have func(Block) bool) {
	s.extend(blocks, have, nil)
}

func (s *Scheduler) extend(blocks []Block, have func(Block) bool, old map[chainhash.Hash]slot) {
	for _, b := range blocks[:min(len(blocks), s.cfg.Window-len(s.path))] {
		sl, kept := old[b.Hash]
		if !kept {
			sl = slot{Block: b}
			if have(b) {
				sl.state = arrived
			}
		}
		s.path = append(s.path, sl)
		s.where[b.Hash] = b.Height
	}
}

// Advance drops the blocks at height and below from the path: they are
// connected, or at least stored.
func (s *Scheduler) Advance(height int32) {
	n := 0
	for n < len(s.path) && s.path[n].Height <= height {
		delete(s.where, s.path[n].Hash)
		n++
	}
	s.path = slices.Delete(s.path, 0, n)
}

// Span returns the first and the last block of the path, if there is one.
func (s *Scheduler) Span() (first, last Block, ok bool) {
	if len(s.path) == 0 {
		return first, last, false
	}
	return s.path[0].Block, s.path[len(s.path)-1].Block, true
}

// Lead returns the first block of the path, if it has arrived.
func (s *Scheduler) Lead() (Block, bool) {
	if len(s.path) == 0 || s.path[0].state != arrived {
		return Block{}, false
	}
	return s.path[0].Block, true
}

// Taken returns the blocks of the path that are with the caller, so that it
// can see whether it still has them.
func (s *Scheduler) Taken() []Block {
	var out []Block
	for i := range s.path {
		if s.path[i].state == arrived {
			out = append(out, s.path[i].Block)
		}
	}
	return out
}

// Pending returns how many blocks of the path have not arrived.
func (s *Scheduler) Pending() int {
	n := 0
	for i := range s.path {
		if s.path[i].state != arrived {
			n++
		}
	}
	return n
}

// Retry says that a block which arrived could not be used (a copy that does
// not match its header, or no decision was possible) and is wanted again, no
// sooner than notBefore.
func (s *Scheduler) Retry(hash chainhash.Hash, notBefore time.Time) {
	if sl := s.slotOf(hash); sl != nil && sl.state == arrived {
		sl.state, sl.notBefore = wanted, notBefore
	}
}

// Assign hands out at most room blocks and returns the requests to send.
func (s *Scheduler) Assign(now time.Time, room int) []Request {
	var out []Request
	add := func(id int64, b Block) {
		i := slices.IndexFunc(out, func(r Request) bool { return r.Peer == id })
		if i < 0 {
			i = len(out)
			out = append(out, Request{Peer: id})
		}
		out[i].Blocks = append(out[i].Blocks, b)
	}
	for i := range s.path {
		sl := &s.path[i]
		if room <= 0 || !s.anyRoom() {
			break
		}
		if sl.state != wanted || now.Before(sl.notBefore) {
			continue
		}
		if id, ok := s.choose(sl); ok {
			s.hand(sl, id, now)
			add(id, sl.Block)
			room--
		}
	}
	// What moves needs no room: it is counted already.
	for i := range s.path {
		sl := &s.path[i]
		if !s.anyRoom() {
			break
		}
		if sl.state != asked || now.Sub(sl.since) < s.moveWait(sl) {
			continue
		}
		if id, ok := s.choose(sl); ok {
			s.peers[sl.peer].halve()
			sl.moves++
			s.hand(sl, id, now)
			add(id, sl.Block)
		}
	}
	return out
}

// AssignFirst hands out the first block of the path, if it is to be asked
// for, whatever room there is for others: they may be of no use without it.
func (s *Scheduler) AssignFirst(now time.Time) (Request, bool) {
	if len(s.path) == 0 || s.path[0].state != wanted || now.Before(s.path[0].notBefore) {
		return Request{}, false
	}
	sl := &s.path[0]
	id, ok := s.choose(sl)
	if !ok {
		return Request{}, false
	}
	s.hand(sl, id, now)
	return Request{Peer: id, Blocks: []Block{sl.Block}}, true
}

// Has reports whether a block is on the path.
func (s *Scheduler) Has(hash chainhash.Hash) bool { return s.slotOf(hash) != nil }

func (s *Scheduler) moveWait(sl *slot) time.Duration {
	if sl.moves > 10 {
		return longestMoveWait
	}
	return min(longestMoveWait, s.cfg.MoveAfter<<sl.moves)
}

func (s *Scheduler) hand(sl *slot, id int64, now time.Time) {
	sl.state, sl.peer, sl.since = asked, id, now
	s.peers[id].owe(sl.Hash, now)
}

func (s *Scheduler) anyRoom() bool {
	for _, p := range s.peers {
		if len(p.owed) < p.share {
			return true
		}
	}
	return false
}

// choose returns the peer with the least used share that has the block and
// does not owe it already; the lower id breaks a tie.
func (s *Scheduler) choose(sl *slot) (int64, bool) {
	var best *peer
	for _, p := range s.peers {
		if min(p.upTo, p.lacks-1) < sl.Height || len(p.owed) >= p.share || p.owes(sl.Hash) {
			continue
		}
		if best == nil || p.lessUsed(best) {
			best = p
		}
	}
	if best == nil {
		return 0, false
	}
	return best.id, true
}
