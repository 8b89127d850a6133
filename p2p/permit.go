package p2p

import (
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

// permits answers who may have a session, for chains that restrict connect.
//
// The state at the tip decides for every peer, at the handshake and again
// after each block that changed it (Recheck). Where this node dialled and
// knew whom to expect, nobody is asked: the operator or the chain file has
// answered. A session that had the permission and lost it ends all the same.
type permits struct {
	restricted bool              // connect is not everybody's
	seeds      map[[32]byte]bool // identities of the chain file's seeds

	mu   sync.Mutex // guards lost
	lost map[[32]byte]bool
}

// maxLost bounds the identities remembered because a session that this node
// had dialled ended by revocation. Only pinned and seed identities get there.
const maxLost = 1024

func newPermits(p *params.Params) *permits {
	t := &permits{
		restricted: p.Permissions.Restricts(params.PermConnect),
		seeds:      make(map[[32]byte]bool),
		lost:       make(map[[32]byte]bool),
	}
	for _, s := range p.Network.Seeds {
		if a, err := ParseAddress(strings.TrimSpace(s), p); err == nil && a.Pinned() {
			t.seeds[a.Key] = true
		}
	}
	return t
}

// catchingUp reports whether this node is so far behind that its state says
// little about who may connect now: then it keeps to the peers it knows.
// Strangers cannot make it so by what they claim to have.
func (n *Network) catchingUp() bool {
	return n.permits.restricted && (n.cfg.Behind != nil && n.cfg.Behind() || n.blocks.behind() && n.blocks.sure.Load())
}

// permitted returns nil if the state at the tip lets an identity connect.
func (n *Network) permitted(key [32]byte) error {
	if n.cfg.MayConnect == nil {
		return nil
	}
	err := n.cfg.MayConnect(key)
	if err == nil {
		return nil
	}
	return &transport.RefusedError{Code: message.CodeNotPermitted, Reason: "not permitted to connect: " + n.advice(key), Err: err}
}

// advice says what an identity without permission can do about it.
func (n *Network) advice(key [32]byte) string {
	return "ask an administrator of the chain to grant connect to " + FormatIdentity(key, n.cfg.Params)
}

// mayConnect judges a peer in the handshake, unless this node dialled it and
// knew whom to expect.
func (n *Network) mayConnect(key [32]byte) error {
	if n.catchingUp() && !n.trusted(key) {
		return &transport.RefusedError{Code: message.CodeNotServing, Reason: "catching up; keeps to known peers for now"}
	}
	return n.permitted(key)
}

// trusted reports whether an identity is pinned or that of a seed.
func (n *Network) trusted(key [32]byte) bool {
	if n.permits.seeds[key] {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pinnedKeyLocked(key)
}

// Recheck judges all sessions again by the state at the tip, and ends those
// whose peers may no longer connect. It is to be called after each block
// that changed who may do what. It does not wait.
func (n *Network) Recheck() {
	for _, p := range n.sessions() {
		n.recheck(p)
	}
	n.presence.prune()
}

// recheck judges one session.
func (n *Network) recheck(p *peer) {
	err := n.permitted(p.key)
	p.mu.Lock()
	had := p.permitted
	p.permitted = err == nil
	p.mu.Unlock()
	if err == nil || p.vouched && !had {
		return
	}
	if p.vouched {
		n.permits.lose(p.key)
	}
	p.stop(ending{code: message.CodeRevoked, reason: clip("permission to connect has ended: " + n.advice(p.key))})
}

func (t *permits) lose(key [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lost) >= maxLost {
		clear(t.lost)
	}
	t.lost[key] = true
}

// revoked returns why an identity that this node expects somewhere is not
// dialled: it had the permission to connect and has lost it. A node that
// is catching up does not know the last word, and dials.
func (n *Network) revoked(key [32]byte) error {
	t := n.permits
	t.mu.Lock()
	lost := t.lost[key]
	t.mu.Unlock()
	if !lost || n.catchingUp() {
		return nil
	}
	err := n.permitted(key)
	if err == nil {
		t.mu.Lock()
		delete(t.lost, key)
		t.mu.Unlock()
	}
	return err
}

// Bounds of what is logged about peers that may not connect.
const (
	maxNotices     = 1024
	noticeInterval = time.Hour // between lines about the same peer
)

// notices decides which refusals the operator is told of: each once, and
// few in all, so that strangers cannot fill the log.
type notices struct {
	mu   sync.Mutex // guards the fields below
	seen map[string]time.Time
	rate *rate.Limiter
}

func newNotices() *notices {
	return &notices{seen: make(map[string]time.Time), rate: rate.NewLimiter(rate.Every(30*time.Second), 20)}
}

// due reports whether something is to be logged now.
func (t *notices) due(what string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.seen[what]; ok && now.Sub(at) < noticeInterval {
		return false
	}
	if len(t.seen) >= maxNotices {
		for k, at := range t.seen {
			if now.Sub(at) >= noticeInterval {
				delete(t.seen, k)
			}
		}
	}
	if len(t.seen) >= maxNotices || !t.rate.AllowN(now, 1) {
		return false
	}
	t.seen[what] = now
	return true
}

// forget lets something be logged again.
func (t *notices) forget(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seen, what)
}

// notable reports whether operators should know that a link ended for this
// reason.
func notable(code message.Code) bool {
	return code == message.CodeNotPermitted || code == message.CodeRevoked || code == message.CodeNotServing
}

// tellRefused logs that a handshake ended because one side may not connect.
// who is what the line is about, once: an address this node dialled, or "".
func (n *Network) tellRefused(who, addr string, err error) {
	var refused *transport.RefusedError
	if !errors.As(err, &refused) || !notable(refused.Code) {
		return
	}
	message, what := "peer refused", refused.Reason // which names the identity
	if refused.ByPeer {
		message, what = "refused by peer", who+refused.Code.String()
	}
	if n.notices.due(what, n.cfg.Now()) {
		n.log.Info(message, "peer", addr, "code", refused.Code.String(), "reason", refused.Reason)
	}
}

// tellEnded logs that a session ended because one side may not connect any
// more.
func (n *Network) tellEnded(p *peer, err error) {
	var own *ending
	var theirs *transport.DisconnectedError
	switch {
	case errors.As(err, &own) && own.code == message.CodeRevoked:
		n.log.Info("session ended by this node", "peer", p.addr, "code", own.code.String(), "reason", own.reason)
	case errors.As(err, &theirs) && notable(theirs.Code):
		if n.notices.due(p.addr+theirs.Code.String(), n.cfg.Now()) {
			n.log.Info("session ended by peer", "peer", p.addr, "code", theirs.Code.String(), "reason", theirs.Reason)
		}
	}
}
