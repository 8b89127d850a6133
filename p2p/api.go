package p2p

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/charterchain/charter/chain/consensus"
)

// Errors of the methods that operators call.
var (
	// ErrNodeAdded: AddNode was given a peer that is pinned already.
	ErrNodeAdded = errors.New("node already added")
	// ErrNodeUnknown: RemoveNode was given a peer that is not pinned.
	ErrNodeUnknown = errors.New("node has not been added")
	// ErrTooManyNodes: no more peers can be pinned, or dialled at once.
	ErrTooManyNodes = errors.New("too many nodes")
	// ErrNotConnected: there is no session with this address or id.
	ErrNotConnected = errors.New("node not found in connected nodes")
	// ErrInactive: the network is switched off (SetActive).
	ErrInactive = errors.New("network is not active")
	// ErrStopped: Run has not started or has ended.
	ErrStopped = errors.New("p2p is not running")
)

// AddNode pins a peer, written as ParseAddress reads it: it is dialled
// whenever there is no session with it, until RemoveNode.
func (n *Network) AddNode(text string) error {
	a, err := ParseAddress(text, n.cfg.Params)
	if err != nil {
		return err
	}
	return n.addPin(text, a)
}

// RemoveNode ends what AddNode began. A session that exists goes on.
func (n *Network) RemoveNode(text string) error {
	a, err := ParseAddress(text, n.cfg.Params)
	if err != nil {
		return err
	}
	return n.removePin(a)
}

// Connect dials a peer once, in the background.
func (n *Network) Connect(text string) error {
	a, err := ParseAddress(text, n.cfg.Params)
	if err != nil {
		return err
	}
	return n.dialOnce(a)
}

// Nodes lists the pinned peers in the order in which they were added.
func (n *Network) Nodes() []NodeInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]NodeInfo, 0, len(n.pins))
	for _, p := range n.pins {
		info := NodeInfo{Node: p.text}
		if s := n.sessionAtLocked(p); s != nil {
			info.Connected, info.Addr, info.Inbound = true, s.addr, s.inbound
		} else {
			info.Problem = p.problem
		}
		out = append(out, info)
	}
	return out
}

// Disconnect ends the session whose other end has this address (host:port
// as Peers shows it) or identity.
func (n *Network) Disconnect(addr string) error {
	return n.disconnect(func(p *peer) bool {
		return p.addr == addr || FormatIdentity(p.key, n.cfg.Params) == addr
	}, addr)
}

// DisconnectID ends the session with this PeerInfo.ID.
func (n *Network) DisconnectID(id int64) error {
	return n.disconnect(func(p *peer) bool { return p.id == id }, "id "+strconv.FormatInt(id, 10))
}

func (n *Network) disconnect(match func(*peer) bool, what string) error {
	found := false
	for _, p := range n.sessions() {
		if match(p) {
			found = true
			p.stop(reasonOperator)
		}
	}
	if !found {
		return fmt.Errorf("%s: %w", what, ErrNotConnected)
	}
	return nil
}

// SetActive(false) ends all sessions, stops dialling and refuses inbound
// connections until SetActive(true), which dials at once.
func (n *Network) SetActive(active bool) {
	n.mu.Lock()
	changed := n.active != active
	n.active = active
	if changed {
		close(n.activeChanged)
		n.activeChanged = make(chan struct{})
	}
	n.mu.Unlock()
	if !changed {
		return
	}
	n.log.Info("network switched", "active", active)
	if !active {
		for _, p := range n.sessions() {
			p.stop(reasonInactive)
		}
	}
}

// Peers describes the sessions, oldest first.
func (n *Network) Peers() []PeerInfo {
	sessions := n.sessions()
	out := make([]PeerInfo, 0, len(sessions))
	for _, p := range sessions {
		out = append(out, n.describe(p))
	}
	return out
}

// Count returns the number of sessions.
func (n *Network) Count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.byKey)
}

// Info describes this node.
func (n *Network) Info() Info {
	info := Info{
		Key:      n.self,
		Identity: FormatIdentity(n.self, n.cfg.Params),
		External: slices.Clone(n.cfg.External),
	}
	for _, l := range n.cfg.Listeners {
		info.Listening = append(info.Listening, l.Addr().String())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	info.Active = n.active
	info.BytesSent, info.BytesRecv = n.past.sent, n.past.received
	for _, p := range n.byKey {
		info.BytesSent += p.wire.sent.Load()
		info.BytesRecv += p.wire.received.Load()
		if p.inbound {
			info.Inbound++
		} else {
			info.Outbound++
		}
	}
	return info
}

// NewTip tells that the best block has changed. It never blocks; calls that
// come faster than peers can be told fall together.
func (n *Network) NewTip() { n.tips.tipChanged() }

// TxAccepted tells that the pool has taken a transaction. It never blocks.
func (n *Network) TxAccepted(tx *consensus.Tx) { n.txs.announceTx(tx.WTxID) }

// SyncStatus says how far this node is behind its peers.
func (n *Network) SyncStatus() SyncStatus { return n.blocks.status() }

// sessions returns the sessions, oldest first.
func (n *Network) sessions() []*peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*peer, 0, len(n.byKey))
	for _, p := range n.byKey {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *peer) int { return cmp.Compare(a.id, b.id) })
	return out
}

// hostOf is the host of "host:port", or all of it if it has no port.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
