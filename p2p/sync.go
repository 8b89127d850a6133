package p2p

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/blocksync"
	"github.com/charterchain/charter/p2p/message"
)

const (
	syncTick = time.Second

	// headersTimeout is how long a request for headers may be unanswered.
	headersTimeout = 60 * time.Second

	// A peer is asked for headers anew after pollInterval, in case an
	// announcement was lost, and sooner when no block came for long.
	pollInterval      = 10 * time.Minute
	stalePollInterval = time.Minute

	// auditInterval is how often it is checked that blocks counted as
	// arrived are still there.
	auditInterval = 30 * time.Second

	// farBehind is from how many missing blocks on the node counts as
	// catching up: it does not announce its tip then and takes no
	// transactions.
	farBehind = 8
)

// syncer follows the branches of the peers: it asks for headers, decides
// which branch to fetch, and brings its blocks to the chain. Its parts:
// this file chooses the branch and asks for blocks (goroutine tend),
// headers.go and blocks.go take in what comes (goroutine feed), ahead.go shows
// it to the chain before its turn (goroutine lookAhead).
type syncer struct {
	n      *Network
	chain  Chain
	sealed bool // mining is restricted: headers carry seal proofs

	kick chan struct{} // capacity 1: tend has something to look at
	work chan struct{} // capacity 1: feed has something to do

	queued chan struct{} // capacity 1: queue has changed

	lag   atomic.Int32 // blocks from the tip to the end of the branch being fetched, as far as they are decided
	ahead atomic.Int32 // the same, whether decided or not
	sure  atomic.Bool  // ahead is what peers say that have delivered blocks, or that this node chose
	base  int32        // the path was made when this was its fork with the tip's branch; used by tend only

	whole map[chainhash.Hash]bool // branches found to be stored, see unfetched; used by tend only

	mu      sync.Mutex // guards the fields below; no calls out while held
	sched   *blocksync.Scheduler
	history *blocksync.Scheduler // of blocks below the tip; see History
	peers   map[int64]*syncPeer
	target  chainhash.Hash // end of the branch being fetched; zeros: none
	headers []arrivedHeaders
	queue   blockQueue
	sources map[chainhash.Hash]source // who brought blocks that are not connected
	lastTip time.Time                 // when the tip last changed

	historyEnd chainhash.Hash // where the path of the history leads
}

// syncPeer is what the syncer knows of one session. Guarded by syncer.mu.
type syncPeer struct {
	p      *peer
	serves bool // has block bodies
	whole  bool // all of them, not only those close to its tip

	known bool
	best  BlockInfo // with known: the end of the peer's best branch

	asked   time.Time // of the unanswered request for headers; zero: none is
	again   bool      // ask once more when it is answered
	more    bool      // the peer has more headers than it has sent
	credits int       // long Headers messages that may still come
	pending int       // Headers messages that wait to be judged
	strikes int       // Headers messages that connect to nothing
	retry   time.Time // when to ask again for what could not be judged; zero: never
	poll    time.Time // when to ask again in any case

	// Where headers may be undecided, see undecided.go:
	held      bool           // the peer has more headers than can be taken in now
	extending bool           // asked for headers behind all that are known
	caughtUp  chainhash.Hash // the last header it was asked for, to see whether it has it too

	told BlockInfo // the last tip that the peer was told of; zero: none
}

func newSyncer(n *Network) *syncer {
	// Time for the largest block at a very low rate on top.
	stallAfter := time.Minute + time.Duration(n.cfg.Params.Limits.BlockSerialized/slowestRate)*time.Second
	return &syncer{
		n:       n,
		chain:   n.cfg.Chain,
		sealed:  n.cfg.Params.Permissions.Restricts(params.PermMine),
		kick:    make(chan struct{}, 1),
		work:    make(chan struct{}, 1),
		queued:  make(chan struct{}, 1),
		sched:   blocksync.New(blocksync.Config{LateAfter: stallAfter / 6, StallAfter: stallAfter}),
		history: blocksync.New(blocksync.Config{Window: historyWindow, MaxShare: historyShare, LateAfter: stallAfter / 6, StallAfter: stallAfter}),
		whole:   make(map[chainhash.Hash]bool),
		peers:   make(map[int64]*syncPeer),
		queue:   newBlockQueue(),
		sources: make(map[chainhash.Hash]source),
	}
}

// slowestRate is the rate, in bytes per second, below which a peer is no
// help in fetching blocks.
const slowestRate = 64 << 10

func (s *syncer) wake() { signal(s.kick) }

// behind reports whether the node is catching up, as far as those peers say
// that can be relied on.
func (s *syncer) behind() bool { return s.ahead.Load() > farBehind }

func (s *syncer) addPeer(p *peer) {
	sp := &syncPeer{
		p:      p,
		serves: p.hello.Features&(message.FeatureChain|message.FeatureRecent) != 0,
		whole:  p.hello.Features.Has(message.FeatureChain),
		poll:   s.n.cfg.Now().Add(s.n.jitter(pollInterval)),
	}
	s.mu.Lock()
	s.peers[p.id] = sp
	s.mu.Unlock()
	s.askHeaders(p.id, nil)
	s.wake()
}

func (s *syncer) removePeer(p *peer) {
	s.mu.Lock()
	delete(s.peers, p.id)
	s.sched.RemovePeer(p.id)
	s.history.RemovePeer(p.id)
	s.mu.Unlock()
	s.forgetSource(p)
	s.wake()
}

// notFound notes that a peer does not have a block.
func (s *syncer) notFound(p *peer, hash chainhash.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sched.NotFound(p.id, hash) {
		s.history.NotFound(p.id, hash)
	}
}

// tend chooses the branch to fetch and asks for its blocks, whenever
// something has changed, and looks after requests that are not answered.
func (s *syncer) tend(ctx context.Context) {
	tick := time.NewTicker(syncTick)
	defer tick.Stop()
	audited := s.n.cfg.Now()
	for {
		select {
		case <-s.kick:
		case <-tick.C:
			now := s.n.cfg.Now()
			s.checkHeaders(now)
			s.dropStalled(now)
			if now.Sub(audited) >= auditInterval {
				audited = now
				s.audit(now)
			}
		case <-ctx.Done():
			return
		}
		s.refresh()
		s.extend()
	}
}

// dropStalled ends the sessions of peers that owe blocks for too long.
func (s *syncer) dropStalled(now time.Time) {
	s.mu.Lock()
	var stalled []*peer
	for _, id := range s.stalledLocked(now) {
		if sp := s.peers[id]; sp != nil {
			stalled = append(stalled, sp.p)
		}
	}
	s.mu.Unlock()
	for _, p := range stalled {
		s.n.cfg.Metrics.timeout("block")
		p.stop(ending{code: message.CodeTimeout, reason: "blocks were asked for and did not come"})
	}
}

// audit wants those blocks again that counted as arrived or stored and are
// not: a record may turn out to be damaged when it is read.
func (s *syncer) audit(now time.Time) {
	s.base = math.MaxInt32 // look at all from the fork on
	clear(s.whole)
	s.mu.Lock()
	taken := append(s.sched.Taken(), s.history.Taken()...)
	s.mu.Unlock()
	for _, b := range taken {
		if info, ok := s.chain.Lookup(b.Hash); ok && info.HaveData {
			continue
		}
		s.mu.Lock()
		if !s.queue.has(b.Hash) {
			s.retryLocked(b.Hash, now)
		}
		s.mu.Unlock()
	}
}

// peerBest is the end of one peer's best branch.
type peerBest struct {
	id       int64
	best     BlockInfo
	standing blocksync.Standing
	wanted   bool // to be fetched, see markWanted
}

// refresh brings the path in line with the tip and the peers' branches, and
// sends what requests are due. Called by tend only.
func (s *syncer) refresh() {
	tip := s.chain.Best()
	bests := s.peerBests()
	good := s.withoutInvalid(bests)
	s.markWanted(tip, good)
	target, ok := s.choose(good)
	if !ok {
		target = tip
	}
	lag, _ := lagOf(tip, good, false)
	ahead, standing := lagOf(tip, good, true)
	s.lag.Store(lag)
	s.ahead.Store(ahead)
	s.sure.Store(standing == blocksync.Proven)
	upTo := make(map[int64]int32, len(bests))
	for _, b := range bests {
		upTo[b.id] = s.common(b.best, target).Height
	}
	s.follow(tip, target, ok)

	now := s.n.cfg.Now()
	s.refreshHistory(target, good)
	s.mu.Lock()
	for id, h := range upTo {
		if sp := s.peers[id]; sp != nil && sp.serves && s.reachesLocked(sp) {
			s.sched.SetPeer(id, h)
		}
	}
	requests := s.assignLocked(now)
	if s.sealed {
		// All others may wait for this one.
		if r, ok := s.sched.AssignFirst(now); ok {
			requests = append(requests, r)
		}
	}
	peers := make([]*peer, len(requests))
	for i, r := range requests {
		if sp := s.peers[r.Peer]; sp != nil {
			peers[i] = sp.p
		}
	}
	s.n.cfg.Metrics.wanted.Set(float64(s.sched.Pending()))
	s.n.cfg.Metrics.bestHeight.Set(float64(s.bestHeightLocked()))
	s.mu.Unlock()
	for i, r := range requests {
		if peers[i] == nil {
			continue
		}
		kind := peers[i].blockKind()
		m := &message.GetData{Items: make([]message.InvItem, len(r.Blocks))}
		for j, b := range r.Blocks {
			m.Items[j] = message.InvItem{Kind: kind, Hash: b.Hash}
		}
		peers[i].send(m)
	}
}

// keptBlocks is how far below its tip a peer that announces FeatureRecent has
// blocks.
const keptBlocks = 288

// reachesLocked reports whether a peer has bodies from the start of the path
// on. Others are asked once the path has come that far.
func (s *syncer) reachesLocked(sp *syncPeer) bool {
	first, _, ok := s.sched.Span()
	return sp.whole || ok && first.Height >= sp.best.Height-keptBlocks
}

// peerBests lists the branches of the peers that have bodies. A peer that
// this node has chosen was not easily put in its way by others: it need not
// deliver first to be relied on.
func (s *syncer) peerBests() []peerBest {
	now := s.n.cfg.Now()
	pinned := s.n.pinnedKeys()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []peerBest
	for id, sp := range s.peers {
		if !sp.known || !sp.serves {
			continue
		}
		standing := s.sched.Standing(id, now)
		if standing == blocksync.Fresh && (!sp.p.inbound || pinned[sp.p.key]) {
			standing = blocksync.Proven
		}
		out = append(out, peerBest{id: id, best: sp.best, standing: standing})
	}
	slices.SortFunc(out, func(a, b peerBest) int { return cmp.Compare(a.id, b.id) })
	return out
}

// withoutInvalid leaves out branches that were found invalid.
func (s *syncer) withoutInvalid(bests []peerBest) []peerBest {
	var good []peerBest
	found := false
	for _, b := range bests {
		info, ok := s.chain.Lookup(b.best.Hash)
		found = found || ok && info.Invalid
		if ok && !info.Invalid {
			b.best = info // what was undecided may be decided now
			good = append(good, b)
		}
	}
	if found {
		s.blameSources()
	}
	return good
}

// choose returns the branch to fetch: of those wanted that peers have, the
// one with the most work among the peers of the best standing. So one that withholds the blocks of a good branch does not keep
// those of others from being fetched. Which branch is best as a whole does
// not matter: nobody here may have it.
func (s *syncer) choose(bests []peerBest) (target BlockInfo, ok bool) {
	s.mu.Lock()
	current := s.target
	s.mu.Unlock()
	standing := blocksync.Late
	for _, b := range bests {
		if !b.wanted {
			continue
		}
		by := 1
		if ok {
			by = cmp.Or(cmp.Compare(b.standing, standing), b.best.Work.Cmp(target.Work))
		}
		if by > 0 || by == 0 && b.best.Hash == current {
			target, standing, ok = b.best, b.standing, true
		}
	}
	return target, ok
}

// lagOf returns how many blocks the tip is behind the peers of the best
// standing there is: what others claim is fetched, but until they deliver it
// does not make the node one that catches up. Branches that end in an
// undecided header count only if undecided says so. It returns the standing too.
func lagOf(tip BlockInfo, bests []peerBest, undecided bool) (lag int32, standing blocksync.Standing) {
	standing = blocksync.Late
	for _, b := range bests {
		if b.standing > standing {
			lag, standing = 0, b.standing
		}
		if b.standing == standing && b.wanted && b.best.Work.Cmp(tip.Work) > 0 && (undecided || !b.best.Undecided) {
			lag = max(lag, b.best.Height-tip.Height)
		}
	}
	return lag, standing
}

// follow makes the path lead to target, from the first block behind the
// fork with the tip's branch that is not stored.
func (s *syncer) follow(tip, target BlockInfo, wanted bool) {
	if !wanted {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.target = chainhash.Hash{}
		s.sched.SetPath(nil, nil)
		s.forgetSourcesLocked(tip.Height)
		return
	}
	fork := s.common(tip, target).Height
	last, extend := s.advance(target, fork)
	from := last.Height + 1
	start := from
	if !extend {
		for from = fork + 1; from < target.Height && s.stored(target, from); from++ {
		}
		start = from
	} else if first, _, ok := s.span(); ok {
		start = first.Height
	}
	blocks, have := s.branch(target, from, min(target.Height, start+int32(s.sched.Window())-1))

	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target.Hash
	if extend {
		s.sched.Extend(blocks, have)
	} else {
		s.base = fork
		s.sched.SetPath(blocks, have)
	}
	s.forgetSourcesLocked(fork)
}

// advance moves the path's start up to the first block that is not stored.
// It returns the path's end, and whether the path leads to target at all:
// else it is to be made anew.
func (s *syncer) advance(target BlockInfo, fork int32) (last blocksync.Block, ok bool) {
	_, last, ok = s.span()
	if !ok || fork < s.base || last.Height > target.Height {
		return last, false
	}
	if at, found := s.chain.Ancestor(target.Hash, last.Height); !found || at.Hash != last.Hash {
		return last, false
	}
	for {
		s.mu.Lock()
		s.sched.Advance(fork)
		lead, ok := s.sched.Lead()
		s.mu.Unlock()
		if !ok || !s.stored(target, lead.Height) {
			return last, true
		}
		s.mu.Lock()
		s.sched.Advance(lead.Height)
		s.mu.Unlock()
	}
}

func (s *syncer) span() (first, last blocksync.Block, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sched.Span()
}

// stored reports whether the body at a height of target's branch is here.
func (s *syncer) stored(target BlockInfo, height int32) bool {
	info, ok := s.chain.Ancestor(target.Hash, height)
	return ok && info.HaveData
}

// branch lists the blocks at the given heights of the branch that ends in
// target, and says which of them are stored.
func (s *syncer) branch(target BlockInfo, from, to int32) ([]blocksync.Block, func(blocksync.Block) bool) {
	var blocks []blocksync.Block
	stored := make(map[chainhash.Hash]bool)
	for h := from; h <= to; h++ {
		info, ok := s.chain.Ancestor(target.Hash, h)
		if !ok {
			break
		}
		blocks = append(blocks, blocksync.Block{Hash: info.Hash, Height: h})
		if info.HaveData {
			stored[info.Hash] = true
		}
	}
	return blocks, func(b blocksync.Block) bool { return stored[b.Hash] }
}

// common returns the last block that two branches share.
func (s *syncer) common(a, b BlockInfo) BlockInfo {
	same := func(h int32) (BlockInfo, bool) {
		x, okA := s.chain.Ancestor(a.Hash, h)
		y, okB := s.chain.Ancestor(b.Hash, h)
		return x, okA && okB && x.Hash == y.Hash
	}
	top := min(a.Height, b.Height)
	if info, ok := same(top); ok {
		return info
	}
	low, high := int32(0), top // shared; not shared
	for high-low > 1 {
		mid := low + (high-low)/2
		if _, ok := same(mid); ok {
			low = mid
		} else {
			high = mid
		}
	}
	info, _ := s.chain.Ancestor(a.Hash, low)
	return info
}

func (s *syncer) bestHeightLocked() int32 {
	best := int32(-1)
	for _, sp := range s.peers {
		if sp.known {
			best = max(best, sp.best.Height)
		}
	}
	return best
}

// status describes the state of syncing.
func (s *syncer) status() SyncStatus {
	lag := s.lag.Load()
	st := SyncStatus{Peers: s.n.Count(), Lag: lag, Syncing: lag > 0, BestHeight: -1}
	tip := s.chain.Best()
	s.mu.Lock()
	defer s.mu.Unlock()
	best := s.bestHeightLocked()
	for _, sp := range s.peers {
		st.Syncing = st.Syncing || sp.more && !s.sealed
		if sp.known && !(sp.best.Undecided && sp.best.Height > tip.Height) {
			st.BestHeight = max(st.BestHeight, sp.best.Height)
		}
	}
	if s.sealed {
		st.Ahead = max(0, best-tip.Height)
	}
	return st
}
