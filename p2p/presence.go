package p2p

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/message"
)

// Bounds of presences; p2p/README.md lists them all.
const (
	maxPresences = 16_384 // keys whose newest presence is remembered

	// presenceLag is how many blocks below the tip a presence may say that
	// its node is: an old one that is played back says more.
	presenceLag = 16
)

// presence knows which nodes are up, with a session here or elsewhere: nodes
// sign that they are, and pass on what others have signed. It is used where
// mining is restricted; a miner that sees too few others is cut off from
// them and should not seal.
type presence struct {
	n        *Network
	used     bool
	interval time.Duration // in which a node says that it is up, and no oftener than which it may

	mu     sync.Mutex // guards the fields below; no calls out while held
	number uint64     // of the last one of this node
	known  map[[32]byte]presenceSeen
}

// presenceSeen is the newest presence of a key.
type presenceSeen struct {
	entry message.PresenceEntry
	at    time.Time // when it was made, or came here
}

func newPresence(n *Network) *presence {
	return &presence{
		n:        n,
		used:     n.cfg.Params.Permissions.Restricts(params.PermMine),
		interval: max(n.cfg.Params.PoW.Spacing, time.Second),
		known:    make(map[[32]byte]presenceSeen),
	}
}

// Present returns the keys of the nodes that are up, in ascending order and
// without this node's: those with a session here that may connect, and those
// whose signed presence came within the given time.
func (n *Network) Present(within time.Duration) [][32]byte {
	since := n.cfg.Now().Add(-within)
	keys := make(map[[32]byte]bool)
	for _, p := range n.sessions() {
		p.mu.Lock()
		keys[p.key] = p.permitted
		p.mu.Unlock()
	}
	s := n.presence
	s.mu.Lock()
	for key, seen := range s.known {
		keys[key] = keys[key] || !seen.at.Before(since)
	}
	s.mu.Unlock()
	var out [][32]byte
	for key, present := range keys {
		if present && key != n.self {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return out
}

// run says from time to time that this node is up.
func (s *presence) run(ctx context.Context) {
	for s.used {
		if err := s.announce(); err != nil {
			s.n.log.Debug("presence not told", "err", err)
		}
		if !sleep(ctx, s.interval) {
			return
		}
	}
}

// announce signs a presence of this node and tells all peers. A node that
// may not connect, or is catching up, says nothing.
func (s *presence) announce() error {
	n := s.n
	if n.catchingUp() || n.permitted(n.self) != nil {
		return nil
	}
	now := n.cfg.Now()
	e := message.PresenceEntry{Key: n.self, Height: uint32(n.cfg.Chain.Best().Height)}
	s.mu.Lock()
	// Higher than before, also after a restart: the clock is the memory.
	s.number = max(s.number+1, uint64(max(now.UnixMilli(), 0)))
	e.Number = s.number
	s.mu.Unlock()
	var aux [32]byte
	if _, err := io.ReadFull(n.cfg.Entropy, aux[:]); err != nil {
		return fmt.Errorf("randomness for a signature: %w", err)
	}
	digest := e.Digest(n.cfg.Params.GenesisHash)
	sig, err := schnorr.Sign(n.cfg.Key, digest[:], schnorr.CustomNonce(aux))
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	copy(e.Signature[:], sig.Serialize())
	s.keep(e, now)
	s.spread(e.Key, nil)
	return nil
}

// keep makes an entry the newest of its key, and reports false if it is not.
func (s *presence) keep(e message.PresenceEntry, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.known[e.Key]
	if ok && e.Number <= old.entry.Number {
		return false
	}
	if !ok && len(s.known) >= maxPresences {
		s.dropOldestLocked()
	}
	s.known[e.Key] = presenceSeen{e, now}
	s.n.cfg.Metrics.presences.Set(float64(len(s.known)))
	return true
}

func (s *presence) dropOldestLocked() {
	var oldest [32]byte
	var at time.Time
	for key, seen := range s.known {
		if at.IsZero() || seen.at.Before(at) {
			oldest, at = key, seen.at
		}
	}
	delete(s.known, oldest)
}

// prune forgets those that may no longer connect.
func (s *presence) prune() {
	s.mu.Lock()
	keys := make([][32]byte, 0, len(s.known))
	for key := range s.known {
		keys = append(keys, key)
	}
	s.mu.Unlock()
	for _, key := range keys {
		if s.n.permitted(key) != nil {
			s.mu.Lock()
			delete(s.known, key)
			s.mu.Unlock()
		}
	}
}

// spread lets all peers know of the newest presence of a key, except the one
// that told it.
func (s *presence) spread(key [32]byte, from *peer) {
	for _, p := range s.n.sessions() {
		if p != from {
			p.tellPresence(key)
		}
	}
}

// addPeer tells a new peer of those that are fresh.
func (s *presence) addPeer(p *peer) {
	fresh := s.n.cfg.Now().Add(-s.interval)
	s.mu.Lock()
	var keys [][32]byte
	for key, seen := range s.known {
		if !seen.at.Before(fresh) {
			keys = append(keys, key)
		}
	}
	s.mu.Unlock()
	for _, key := range keys {
		p.tellPresence(key)
	}
}

// tellPresence lets the peer know of a key's presence with the next batch.
func (p *peer) tellPresence(key [32]byte) {
	if key == p.key || !p.hello.Features.Has(message.FeaturePresence) {
		return
	}
	p.mu.Lock()
	p.presences[key] = true
	p.mu.Unlock()
	signal(p.toTell)
}

// flushPresences tells the peer what has been collected.
func (p *peer) flushPresences() {
	p.mu.Lock()
	keys := make([][32]byte, 0, len(p.presences))
	for key := range p.presences {
		keys = append(keys, key)
	}
	clear(p.presences)
	p.mu.Unlock()
	slices.SortFunc(keys, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	for part := range slices.Chunk(keys, message.MaxPresences) {
		if m := p.n.presence.collect(part); len(m.Entries) > 0 {
			p.send(m)
		}
	}
}

// collect makes a message of the newest presences of keys, which ascend.
func (s *presence) collect(keys [][32]byte) *message.Presence {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &message.Presence{}
	for _, key := range keys {
		if seen, ok := s.known[key]; ok {
			m.Entries = append(m.Entries, seen.entry)
		}
	}
	return m
}

// What became of entries that came, for the metrics.
const (
	presenceNew    = "new"
	presenceKnown  = "known"
	presenceEarly  = "early"
	presenceOld    = "old"
	presenceBarred = "not-permitted"
	presenceForged = "forged"
)

// arrived takes in what a peer tells. Only a false signature counts against
// it: everything else an honest peer may see differently. Called by the read
// loop.
func (s *presence) arrived(p *peer, m *message.Presence, now time.Time) error {
	if !s.used {
		return violation("presence on a chain without seals")
	}
	tip := s.n.cfg.Chain.Best().Height
	for i := range m.Entries {
		e := &m.Entries[i]
		result := s.judge(e, tip, now)
		s.n.cfg.Metrics.presence(result)
		switch result {
		case presenceForged:
			return violation("presence of %x is not signed by it", e.Key)
		case presenceNew:
			s.spread(e.Key, p)
		}
	}
	return nil
}

// judge keeps an entry if it is new, and says what became of it. What costs
// most comes last.
func (s *presence) judge(e *message.PresenceEntry, tip int32, now time.Time) string {
	s.mu.Lock()
	old, ok := s.known[e.Key]
	s.mu.Unlock()
	own := e.Key == s.n.self
	switch {
	case ok && e.Number <= old.entry.Number:
		return presenceKnown
	case ok && !own && now.Sub(old.at) < s.interval*3/4:
		return presenceEarly
	case !own && int64(e.Height)+presenceLag < int64(tip):
		return presenceOld
	case s.n.permitted(e.Key) != nil:
		return presenceBarred
	case !verifyPresence(e, s.n.cfg.Params.GenesisHash):
		return presenceForged
	}
	if own {
		// From before this node's clock was set back.
		s.mu.Lock()
		s.number = max(s.number, e.Number)
		s.mu.Unlock()
		return presenceKnown
	}
	if !s.keep(*e, now) {
		return presenceKnown // another peer was faster
	}
	return presenceNew
}

func verifyPresence(e *message.PresenceEntry, genesis [32]byte) bool {
	pub, err := schnorr.ParsePubKey(e.Key[:])
	if err != nil {
		return false
	}
	sig, err := schnorr.ParseSignature(e.Signature[:])
	if err != nil {
		return false
	}
	digest := e.Digest(genesis)
	return sig.Verify(digest[:], pub)
}
