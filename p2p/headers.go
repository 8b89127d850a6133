package p2p

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p/message"
)

// Bounds of headers; p2p/README.md lists them all.
const (
	maxAnnouncedHeaders = 16 // in a Headers message that answers no request
	maxTellHeaders      = 8  // announced at a time by this node
	maxHeaderCredits    = 4  // requests for headers per peer that may be unanswered
	maxPendingHeaders   = 4  // messages per peer that wait to be judged
	maxHeaderStrikes    = 20 // messages in a row that connect to nothing
)

// What makes a header undecided goes away by itself; so long is waited.
const (
	undecidedWait = 5 * time.Second
	longestNotYet = time.Minute
)

// arrivedHeaders is a Headers message that waits to be judged.
type arrivedHeaders struct {
	from    *peer
	headers []SealedHeader
	more    bool
}

// headersArrived queues a Headers message. Called by the read loop.
func (s *syncer) headersArrived(p *peer, m *message.Headers) error {
	if err := s.checkChained(m); err != nil {
		return err
	}
	hs := m.Entries
	if len(hs) > 0 {
		if _, ok := s.chain.Lookup(hs[0].Header.PrevBlock); !ok {
			return s.strike(p)
		}
	}
	now := s.n.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.peers[p.id]
	if sp == nil {
		return nil // the session is ending
	}
	if len(hs) > maxAnnouncedHeaders || m.More {
		if sp.credits == 0 {
			if !p.limits.allowUnasked(now) {
				return &ending{code: message.CodeUnsolicited, reason: "headers that were not asked for", blame: true}
			}
			return nil
		}
		sp.credits--
	}
	sp.asked = time.Time{}
	if sp.pending >= maxPendingHeaders {
		s.n.cfg.Metrics.drop("headers")
		sp.again = true
		return nil
	}
	sp.pending++
	sp.more = m.More
	s.headers = append(s.headers, arrivedHeaders{p, hs, m.More})
	signal(s.work)
	return nil
}

// checkChained checks what the protocol asks of a Headers message: each
// header is the child of the one before, and all of them carry the proof of
// their seal, or none does where nothing is sealed.
func (s *syncer) checkChained(m *message.Headers) error {
	var prev chainhash.Hash
	for i := range m.Entries {
		e := &m.Entries[i]
		switch {
		case e.Proof != nil && !s.sealed:
			return violation("headers: seal proof on a chain without seals")
		case e.Proof == nil && s.sealed:
			return violation("headers: entry %d has no seal proof", i)
		case i > 0 && e.Header.PrevBlock != prev:
			return violation("headers: entry %d is not the child of the one before", i)
		}
		prev = e.Header.BlockHash()
	}
	return nil
}

// judgeHeaders hands headers to the chain and draws the consequences.
// Called by feed.
func (s *syncer) judgeHeaders(ctx context.Context, w arrivedHeaders) {
	var from *BlockInfo // with more: where to go on
	if len(w.headers) > 0 {
		from = s.takeHeaders(ctx, w)
	}
	s.mu.Lock()
	sp := s.peers[w.from.id]
	if sp == nil {
		s.mu.Unlock()
		return
	}
	sp.pending--
	sp.extending = false
	ask := from != nil
	if !ask {
		sp.more = false
	}
	if sp.again && sp.pending == 0 && sp.asked.IsZero() {
		sp.again = false
		ask = true
	}
	s.mu.Unlock()
	if ask {
		s.askHeaders(w.from.id, from)
	}
	s.wake()
}

// takeHeaders returns where to go on, or nil if there is no more to ask.
func (s *syncer) takeHeaders(ctx context.Context, w arrivedHeaders) *BlockInfo {
	p, id := w.from, w.from.id
	last, err := s.chain.AcceptHeaders(ctx, w.headers, p.key)
	select {
	case <-p.gone: // the session ended while the headers were queued
		s.forgetSource(p)
	default: // removePeer is yet to come
	}
	if last.Hash != (chainhash.Hash{}) {
		s.noteBest(id, last)
	}
	rule := consensus.AsRule(err)
	now := s.n.cfg.Now()
	switch {
	case err == nil:
		if w.more && !s.hold(id, last) {
			return &last
		}
	case errors.Is(err, ErrTooFarAhead):
		s.noteMore(id)
	case errors.Is(err, ErrVariant):
		// What builds on it, if anything does, comes with it another time.
	case rule != nil && isKnownInvalid(rule.Rule):
		// The peer follows a branch that this node has found, or its
		// operator has declared, invalid. Its blocks are not asked for.
	case rule != nil:
		p.stop(ending{code: message.CodeInvalidData, reason: clip("header breaks a rule: " + string(rule.Rule)), blame: true})
	case errors.Is(err, consensus.ErrNotYet):
		ahead := w.headers[len(w.headers)-1].Header.Timestamp.Sub(now) - s.n.cfg.Params.PoW.MaxFuture
		s.retryHeaders(id, now.Add(min(max(ahead, time.Second), longestNotYet)))
	case ctx.Err() == nil:
		s.n.log.Debug("headers could not be judged", "err", err)
		s.retryHeaders(id, now.Add(undecidedWait))
	}
	return nil
}

// isKnownInvalid reports whether a header is refused because of what was
// found earlier in it or in an ancestor, not for what it says itself.
func isKnownInvalid(rule consensus.Rule) bool {
	return rule == "bad-prevblk" || rule == "duplicate-invalid"
}

// strike handles headers whose parent is not known: the peer is asked for
// those in between, but not for ever.
func (s *syncer) strike(p *peer) error {
	s.mu.Lock()
	sp := s.peers[p.id]
	over := false
	if sp != nil {
		sp.asked = time.Time{} // it may have been the answer
		sp.strikes++
		over = sp.strikes > maxHeaderStrikes
	}
	s.mu.Unlock()
	if over {
		return violation("headers that connect to nothing, %d times in a row", maxHeaderStrikes)
	}
	s.askHeaders(p.id, nil)
	return nil
}

func (s *syncer) retryHeaders(id int64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.peers[id]; sp != nil {
		sp.retry = at
	}
}

// noteBest notes that a peer has a block and its ancestors.
func (s *syncer) noteBest(id int64, info BlockInfo) {
	moved := s.sealed && s.elsewhere(id, info)
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.peers[id]
	if sp == nil || info.Invalid {
		return
	}
	sp.strikes = 0
	s.sched.Announced(id)
	s.history.Announced(id)
	if !sp.known || moved || info.Work.Cmp(sp.best.Work) >= 0 {
		sp.known, sp.best = true, info
	}
}

// elsewhere reports whether a block is on another branch than the one that
// the peer was known to follow: it may follow one with less work now, where
// a restart makes that the better one.
func (s *syncer) elsewhere(id int64, info BlockInfo) bool {
	s.mu.Lock()
	sp := s.peers[id]
	known := sp != nil && sp.known
	var best BlockInfo
	if known {
		best = sp.best
	}
	s.mu.Unlock()
	if !known {
		return false
	}
	at, ok := s.chain.Ancestor(best.Hash, info.Height)
	return !ok || at.Hash != info.Hash
}

// announced notes that a peer has a block: an Inv item.
func (s *syncer) announced(p *peer, hash chainhash.Hash) {
	if info, ok := s.chain.Lookup(hash); ok {
		s.noteBest(p.id, info)
		s.wake()
		return
	}
	s.askHeaders(p.id, nil)
}

// askHeaders asks a peer for the headers behind from, or behind what this
// node has if that is nil or further on. While a request is unanswered the
// next one waits.
func (s *syncer) askHeaders(id int64, from *BlockInfo) {
	s.mu.Lock()
	sp := s.peers[id]
	if sp == nil {
		s.mu.Unlock()
		return
	}
	if !sp.asked.IsZero() {
		sp.again = true
		s.mu.Unlock()
		return
	}
	sp.asked, sp.retry = s.n.cfg.Now(), time.Time{}
	sp.credits = min(sp.credits+1, maxHeaderCredits)
	s.mu.Unlock()
	best, stop := s.frontier()
	sp.p.send(&message.GetHeaders{Locator: s.locator(best, from), Stop: stop})
}

// locator says from where on headers are wanted; see askHeaders. best is the
// end of the best branch of headers.
func (s *syncer) locator(best BlockInfo, from *BlockInfo) []chainhash.Hash {
	start := best.Prev // so that the answer holds at least one header
	if best.Height == 0 {
		start = best.Hash
	}
	if from != nil {
		at, ok := s.chain.Ancestor(best.Hash, from.Height)
		if !ok || at.Hash != from.Hash {
			start = from.Hash // the peer's branch is another one
		}
	}
	locator := s.chain.Locator(start)
	if len(locator) > message.MaxLocator {
		genesis := locator[len(locator)-1]
		locator = append(locator[:message.MaxLocator-1:message.MaxLocator-1], genesis)
	}
	return locator
}

// checkHeaders ends sessions that do not answer requests for headers and
// sends requests that are due.
func (s *syncer) checkHeaders(now time.Time) {
	stale := max(10*s.n.cfg.Params.PoW.Spacing, time.Minute)
	var late []*peer
	var due []int64
	s.mu.Lock()
	interval := pollInterval
	if now.Sub(s.lastTip) > stale {
		interval = stalePollInterval
	}
	for id, sp := range s.peers {
		switch {
		case !sp.asked.IsZero() && now.Sub(sp.asked) >= headersTimeout:
			late = append(late, sp.p)
		case !sp.asked.IsZero():
		case !sp.retry.IsZero() && !now.Before(sp.retry), !now.Before(sp.poll), sp.poll.Sub(now) > interval:
			sp.poll = now.Add(interval)
			due = append(due, id)
		}
	}
	s.mu.Unlock()
	for _, p := range late {
		s.n.cfg.Metrics.timeout("headers")
		p.stop(ending{code: message.CodeTimeout, reason: "a request for headers was not answered"})
	}
	for _, id := range due {
		s.askHeaders(id, nil)
	}
}
