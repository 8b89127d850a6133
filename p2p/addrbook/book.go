package addrbook

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Addr is where a node may be reached.
type Addr struct {
	AddrPort netip.AddrPort
	Key      [32]byte // x-only key of the node; zeros: not known
}

// Seen is an address and when a node was last known to be there.
type Seen struct {
	Addr
	Time time.Time
}

// Config holds what a Book is given.
type Config struct {
	Path  string // of the file; empty: the book is not stored
	Files Files  // required with Path
	Now   func() time.Time
	Rand  *rand.Rand // used under the book's lock only

	MaxEntries   int // 0: 4,096
	MaxPerSource int // 0: 256
	MaxPerGroup  int // 0: 256
}

const (
	defaultMaxEntries   = 4096
	defaultMaxPerSource = 256
	defaultMaxPerGroup  = 256

	// maxAge is how long an address is worth dialling after somebody last
	// saw a node there.
	maxAge = 30 * 24 * time.Hour
	// maxFails is after how many failures in a row an address that never
	// answered is dropped.
	maxFails = 10
	// retryBase is the wait after the first failure; it doubles with each
	// up to retryMax.
	retryBase = 30 * time.Second
	retryMax  = 6 * time.Hour
)

type entry struct {
	addr   Addr
	source [32]byte
	seen   time.Time
	tried  time.Time
	good   time.Time
	fails  uint32
}

// Book is a bounded set of addresses.
type Book struct {
	cfg Config

	saving sync.Mutex // held while the file is replaced

	mu        sync.Mutex // guards the fields below
	entries   map[netip.AddrPort]*entry
	order     []*entry // the same entries, for random choice and steady order
	perSource map[[32]byte]int
	perGroup  map[netip.Prefix]int
	changed   bool // since the last Save
}

// New returns an empty book; Load fills it.
func New(cfg Config) *Book {
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = defaultMaxEntries
	}
	cfg.MaxEntries = min(cfg.MaxEntries, maxFileEntries)
	if cfg.MaxPerSource == 0 {
		cfg.MaxPerSource = defaultMaxPerSource
	}
	if cfg.MaxPerGroup == 0 {
		cfg.MaxPerGroup = defaultMaxPerGroup
	}
	b := &Book{cfg: cfg}
	b.clearLocked()
	return b
}

func (b *Book) clearLocked() {
	b.entries = make(map[netip.AddrPort]*entry)
	b.order = nil
	b.perSource = make(map[[32]byte]int)
	b.perGroup = make(map[netip.Prefix]int)
}

// Len returns the number of addresses.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.order)
}

// Add takes addresses that the peer with the given key told (zeros: not
// from a peer) and returns how many were new. Times ahead of the clock
// count as now; addresses that no node can have are left out, as is what
// exceeds the bounds.
func (b *Book) Add(source [32]byte, addrs []Seen) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	added := 0
	for _, s := range addrs {
		if b.addLocked(source, s) {
			added++
		}
	}
	return added
}

func (b *Book) addLocked(source [32]byte, s Seen) bool {
	now := b.cfg.Now()
	s.AddrPort = canonical(s.AddrPort)
	if !Dialable(s.AddrPort) || now.Sub(s.Time) > maxAge {
		return false
	}
	if s.Time.After(now) {
		s.Time = now
	}
	if e := b.entries[s.AddrPort]; e != nil {
		if s.Time.After(e.seen) {
			e.seen = s.Time
			b.changed = true
		}
		if e.addr.Key == [32]byte{} {
			e.addr.Key = s.Key
		}
		return false
	}
	if source != [32]byte{} && b.perSource[source] >= b.cfg.MaxPerSource {
		return false
	}
	if b.perGroup[Group(s.AddrPort.Addr())] >= b.cfg.MaxPerGroup {
		return false
	}
	if len(b.order) >= b.cfg.MaxEntries && !b.evictLocked(now) {
		return false
	}
	b.insertLocked(&entry{addr: s.Addr, source: source, seen: s.Time})
	return true
}

func (b *Book) insertLocked(e *entry) {
	b.entries[e.addr.AddrPort] = e
	b.order = append(b.order, e)
	b.countLocked(e, +1)
	b.changed = true
}

// countLocked keeps the counts of entries that never answered: those that
// did no longer weigh on who told them.
func (b *Book) countLocked(e *entry, by int) {
	if !e.good.IsZero() {
		return
	}
	add(b.perSource, e.source, by)
	add(b.perGroup, Group(e.addr.AddrPort.Addr()), by)
}

func add[K comparable](counts map[K]int, k K, by int) {
	if counts[k] += by; counts[k] <= 0 {
		delete(counts, k)
	}
}

func (b *Book) removeLocked(e *entry) {
	delete(b.entries, e.addr.AddrPort)
	i := slices.Index(b.order, e)
	b.order = slices.Delete(b.order, i, i+1)
	b.countLocked(e, -1)
	b.changed = true
}

// evictLocked drops the worst address that never answered.
func (b *Book) evictLocked(now time.Time) bool {
	var worst *entry
	for _, e := range b.order {
		if !e.good.IsZero() {
			continue
		}
		if worst == nil || e.fails > worst.fails || e.fails == worst.fails && e.seen.Before(worst.seen) {
			worst = e
		}
	}
	if worst == nil {
		return false
	}
	// A fresh newcomer must not push out one that is as fresh, or a flood
	// could turn the whole book over.
	if worst.fails == 0 && now.Sub(worst.seen) < 24*time.Hour {
		return false
	}
	b.removeLocked(worst)
	return true
}

// Pick chooses an address to dial at random, leaving out those that skip
// says and those whose wait after a failure is not over. Addresses that
// have answered are preferred two times out of three.
func (b *Book) Pick(skip func(Addr) bool) (Addr, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Now()
	var fresh, proven []*entry
	for _, e := range b.order {
		switch {
		case now.Before(e.readyAt()) || skip != nil && skip(e.addr):
		case e.good.IsZero():
			fresh = append(fresh, e)
		default:
			proven = append(proven, e)
		}
	}
	from := fresh
	if len(fresh) == 0 || len(proven) > 0 && b.cfg.Rand.IntN(3) > 0 {
		from = proven
	}
	if len(from) == 0 {
		return Addr{}, false
	}
	return from[b.cfg.Rand.IntN(len(from))].addr, true
}

func (e *entry) readyAt() time.Time {
	if e.fails == 0 {
		return time.Time{}
	}
	wait := retryMax
	if e.fails < 16 {
		wait = min(retryMax, retryBase<<(e.fails-1))
	}
	return e.tried.Add(wait)
}

// Good records a handshake with the node of the given key at an address,
// and takes the address up if it is not known.
func (b *Book) Good(a Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.AddrPort = canonical(a.AddrPort)
	if !Dialable(a.AddrPort) {
		return
	}
	now := b.cfg.Now()
	e := b.entries[a.AddrPort]
	if e == nil {
		if len(b.order) >= b.cfg.MaxEntries && !b.evictLocked(now) {
			return
		}
		e = &entry{addr: a, seen: now}
		b.insertLocked(e)
	}
	b.countLocked(e, -1)
	e.addr.Key = a.Key
	e.good, e.tried, e.seen, e.fails = now, now, now, 0
	b.changed = true
}

// Failed records an attempt that led to no session. An address that never
// answered is dropped after ten in a row.
func (b *Book) Failed(ap netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[canonical(ap)]
	if e == nil {
		return
	}
	e.fails++
	e.tried = b.cfg.Now()
	b.changed = true
	gone := e.good.IsZero() || e.tried.Sub(e.good) > maxAge
	if gone && e.fails >= maxFails {
		b.removeLocked(e)
	}
}

// Remove forgets an address, for instance the node's own.
func (b *Book) Remove(ap netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[canonical(ap)]; e != nil {
		b.removeLocked(e)
	}
}

// Sample returns at most max addresses, chosen at random, to tell a peer.
// Left out are those that failed since they last answered.
func (b *Book) Sample(max int) []Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Seen
	for _, i := range b.cfg.Rand.Perm(len(b.order)) {
		if len(out) >= max {
			break
		}
		e := b.order[i]
		if e.fails > 0 {
			continue
		}
		out = append(out, Seen{Addr: e.addr, Time: e.seen})
	}
	return out
}

// Dialable reports whether a node could have this address. Private and
// loopback addresses can: a network may live on one machine or one site.
func Dialable(ap netip.AddrPort) bool {
	a := ap.Addr()
	return a.IsValid() && ap.Port() != 0 && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Group is the network that addresses are counted under: the /16 of an
// IPv4 address, the /32 of an IPv6 address.
func Group(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 32
	if a.Is4() {
		bits = 16
	}
	p, err := a.Prefix(bits)
	if err != nil { // not a valid address: a group of its own
		return netip.Prefix{}
	}
	return p
}

func canonical(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
