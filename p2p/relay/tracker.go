package relay

import (
	"bytes"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// TrackerConfig holds the limits of a Tracker. The zero value of a field
// means its default.
type TrackerConfig struct {
	MaxAnnounced int           // transactions remembered per peer; 4,000
	MaxAsked     int           // transactions asked of a peer at a time; 100. Halved by each that does not come
	MaxPeers     int           // peers remembered per transaction; 8
	Timeout      time.Duration // after which another peer is asked; 5 s
}

// Tracker decides which peer is asked for which transaction: one that
// announced it, and if it does not deliver in time another. A transaction
// that no announcer delivers is forgotten.
//
// Peers take turns, and one that does not deliver is soon asked for one
// transaction at a time: what some announce and never send must not keep
// what others have from being asked for.
type Tracker struct {
	cfg   TrackerConfig
	items map[chainhash.Hash]*item
	peers map[int64]*trackerPeer
	order []int64 // the peers, in the order of their turns

	asked []asking // oldest first; may hold stale ones
}

// asking is a request under way. It is stale if since is not the item's.
type asking struct {
	hash  chainhash.Hash
	since time.Time
}

type item struct {
	announcers []int64 // not yet asked, in order
	peer       int64   // who is asked; 0: nobody
	since      time.Time
}

type trackerPeer struct {
	announced int // items in which the peer stands
	asked     int
	share     int // how many it may be asked for at a time

	// todo holds what the peer announced, oldest first: at least every item
	// in which it waits as announcer and nobody is asked. May hold others,
	// but is never longer than twice TrackerConfig.MaxAnnounced.
	todo []chainhash.Hash
}

// Request tells to ask a peer for transactions.
type Request struct {
	Peer   int64
	WTxIDs []chainhash.Hash
}

// NewTracker returns an empty tracker. Peer ids must not be 0.
func NewTracker(cfg TrackerConfig) *Tracker {
	if cfg.MaxAnnounced == 0 {
		cfg.MaxAnnounced = 4000
	}
	if cfg.MaxAsked == 0 {
		cfg.MaxAsked = 100
	}
	if cfg.MaxPeers == 0 {
		cfg.MaxPeers = 8
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	return &Tracker{
		cfg:   cfg,
		items: make(map[chainhash.Hash]*item),
		peers: make(map[int64]*trackerPeer),
	}
}

// Announced notes that a peer has a transaction that is wanted. It reports
// false if that went beyond a bound and was dropped.
func (t *Tracker) Announced(id int64, h chainhash.Hash) bool {
	p := t.peers[id]
	if p == nil {
		p = &trackerPeer{share: t.cfg.MaxAsked}
		t.peers[id] = p
		t.order = append(t.order, id)
	}
	it := t.items[h]
	if it != nil && (it.peer == id || slices.Contains(it.announcers, id)) {
		return true
	}
	if p.announced >= t.cfg.MaxAnnounced || it != nil && len(it.announcers) >= t.cfg.MaxPeers {
		return false
	}
	if it == nil {
		it = new(item)
		t.items[h] = it
	}
	it.announcers = append(it.announcers, id)
	p.announced++
	if it.peer == 0 {
		t.toDo(id, h)
	}
	return true
}

// Assign returns the requests to send now, for at most room transactions,
// and the peers that let a request time out (once for each).
func (t *Tracker) Assign(now time.Time, room int) (requests []Request, late []int64) {
	late = t.expire(now)
	for progress := true; progress && room > 0; {
		progress = false
		for range len(t.order) {
			id := t.order[0]
			t.order = append(t.order[1:], id)
			h, ok := t.take(id)
			if !ok {
				continue
			}
			t.items[h].since = now
			t.asked = append(t.asked, asking{h, now})
			requests = addRequest(requests, id, h)
			progress = true
			if room--; room == 0 {
				break
			}
		}
	}
	return requests, late
}

// take hands a peer the oldest item that it has and nobody is asked for.
func (t *Tracker) take(id int64) (chainhash.Hash, bool) {
	p := t.peers[id]
	for p.asked < p.share && len(p.todo) > 0 {
		h := p.todo[0]
		p.todo = p.todo[1:]
		it := t.items[h]
		if it == nil || it.peer != 0 {
			continue
		}
		i := slices.Index(it.announcers, id)
		if i < 0 {
			continue
		}
		it.announcers = slices.Delete(it.announcers, i, i+1)
		it.peer = id
		p.asked++
		return h, true
	}
	return chainhash.Hash{}, false
}

func addRequest(rs []Request, id int64, h chainhash.Hash) []Request {
	i := slices.IndexFunc(rs, func(r Request) bool { return r.Peer == id })
	if i < 0 {
		i = len(rs)
		rs = append(rs, Request{Peer: id})
	}
	rs[i].WTxIDs = append(rs[i].WTxIDs, h)
	return rs
}

// expire takes requests that are too old from their peers.
func (t *Tracker) expire(now time.Time) (late []int64) {
	n := 0
	for _, a := range t.asked {
		if now.Sub(a.since) < t.cfg.Timeout {
			break
		}
		n++
		it := t.items[a.hash]
		if it == nil || it.peer == 0 || !it.since.Equal(a.since) {
			continue
		}
		late = append(late, it.peer)
		p := t.peers[it.peer]
		p.share = max(1, p.share/2)
		t.release(a.hash, it)
	}
	t.asked = t.asked[n:]
	return late
}

// toDo lets a peer be asked for h when its turn comes.
func (t *Tracker) toDo(id int64, h chainhash.Hash) {
	p := t.peers[id]
	if len(p.todo) >= 2*t.cfg.MaxAnnounced {
		seen := make(map[chainhash.Hash]bool)
		p.todo = slices.DeleteFunc(p.todo, func(h chainhash.Hash) bool {
			it := t.items[h]
			stale := it == nil || it.peer != 0 || seen[h] || !slices.Contains(it.announcers, id)
			seen[h] = true
			return stale
		})
	}
	p.todo = append(p.todo, h)
}

// release ends the request for h and lets the other announcers have it.
func (t *Tracker) release(h chainhash.Hash, it *item) {
	if p := t.peers[it.peer]; p != nil {
		p.asked--
		p.announced--
	}
	it.peer = 0
	if len(it.announcers) == 0 {
		delete(t.items, h)
		return
	}
	for _, id := range it.announcers {
		t.toDo(id, h)
	}
}

// NotFound notes that a peer does not have what it was asked for.
func (t *Tracker) NotFound(id int64, h chainhash.Hash) bool {
	it := t.items[h]
	if it == nil || it.peer != id || id == 0 {
		return false
	}
	t.release(h, it)
	return true
}

// Received notes that a peer sent a transaction and reports whether it had
// been asked. Asked or not, the transaction is no longer wanted.
func (t *Tracker) Received(id int64, h chainhash.Hash) (solicited bool) {
	it := t.items[h]
	solicited = it != nil && it.peer == id
	if solicited {
		p := t.peers[id]
		p.share = min(t.cfg.MaxAsked, 2*p.share)
	}
	t.Forget(h)
	return solicited
}

// Forget drops a transaction that is no longer wanted.
func (t *Tracker) Forget(h chainhash.Hash) {
	it := t.items[h]
	if it == nil {
		return
	}
	if p := t.peers[it.peer]; p != nil {
		p.asked--
		p.announced--
	}
	for _, id := range it.announcers {
		t.peers[id].announced--
	}
	delete(t.items, h)
}

// RemovePeer forgets a peer; what was asked of it is asked of others.
func (t *Tracker) RemovePeer(id int64) {
	if t.peers[id] == nil {
		return
	}
	var free []chainhash.Hash
	for h, it := range t.items {
		if i := slices.Index(it.announcers, id); i >= 0 {
			it.announcers = slices.Delete(it.announcers, i, i+1)
		}
		switch {
		case it.peer == id:
			free = append(free, h)
		case it.peer == 0 && len(it.announcers) == 0:
			delete(t.items, h)
		}
	}
	// In a steady order, so that a run can be repeated.
	slices.SortFunc(free, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, h := range free {
		t.release(h, t.items[h])
	}
	delete(t.peers, id)
	t.order = slices.DeleteFunc(t.order, func(o int64) bool { return o == id })
}

// Len returns how many transactions are wanted.
func (t *Tracker) Len() int { return len(t.items) }

// UnderWay returns how many transactions have been asked for and not come.
func (t *Tracker) UnderWay() int {
	n := 0
	for _, p := range t.peers {
		n += p.asked
	}
	return n
}
