package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/relay"
)

// Bounds of transaction relay; p2p/README.md lists them all.
const (
	maxTxQueue     = 1000     // transactions that wait for the pool
	maxTxQueueSize = 32 << 20 // their bytes
	maxTxUnderWay  = 1000     // transactions asked for, of all peers together
	maxToAnnounce  = 10000    // accepted transactions that peers have not been told of
	maxRefusedTxs  = 20000    // transactions the pool refused lately; up to twice that
	maxFirstInv    = 5000     // transactions of the pool announced to a new peer

	txTick = time.Second

	// askedExpiry is how long a transaction that was asked for may take
	// and still count as asked for, though others were asked meanwhile.
	askedExpiry = 2 * time.Minute
)

// txRelay moves transactions between the peers and the pool.
type txRelay struct {
	n *Network

	kick     chan struct{} // capacity 1: requests may be due
	arrivals chan struct{} // capacity 1: the queue holds something
	accepted chan struct{} // capacity 1: something is to be announced

	mu       sync.Mutex // guards the fields below; no calls out while held
	tracker  *relay.Tracker
	refused  *relay.Known // by wtxid, since the last block
	queue    []arrivedTx
	queued   int64                   // bytes of queue and judging
	waiting  map[chainhash.Hash]bool // wtxids of queue and judging
	judging  map[chainhash.Hash]bool // txids of those that the pool judges now
	announce []chainhash.Hash
}

// arrivedTx is a transaction that waits for the pool's judgement.
type arrivedTx struct {
	from *peer
	tx   *consensus.Tx
}

func newTxRelay(n *Network) *txRelay {
	return &txRelay{
		n:        n,
		kick:     make(chan struct{}, 1),
		arrivals: make(chan struct{}, 1),
		accepted: make(chan struct{}, 1),
		tracker:  relay.NewTracker(relay.TrackerConfig{}),
		refused:  relay.NewKnown(maxRefusedTxs),
		waiting:  make(map[chainhash.Hash]bool),
		judging:  make(map[chainhash.Hash]bool),
	}
}

func (r *txRelay) wake() { signal(r.kick) }

// addPeer tells a new peer what the pool holds, so that pools that were
// apart come together.
func (r *txRelay) addPeer(p *peer) {
	if !p.hello.Features.Has(message.FeatureTxRelay) {
		return
	}
	for _, h := range r.n.cfg.Pool.WTxIDs(maxFirstInv) {
		p.tellTx(h)
	}
}

func (r *txRelay) removePeer(p *peer) {
	r.mu.Lock()
	r.tracker.RemovePeer(p.id)
	r.mu.Unlock()
	r.forgetSource(p)
	r.wake()
}

// forgetSource lets the pool forget what waits for parents from p, whose
// session has ended, unless the same node has a newer one.
func (r *txRelay) forgetSource(p *peer) {
	if !r.n.connected(p.key) {
		r.n.cfg.Pool.ForgetSource(p.key)
	}
}

// announced notes that a peer has a transaction.
func (r *txRelay) announced(p *peer, wtxid chainhash.Hash) {
	p.mu.Lock()
	p.knownTxs.Add(wtxid)
	p.announced++
	p.mu.Unlock()
	if r.n.blocks.behind() || r.n.cfg.Pool.Have(wtxid) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused.Has(wtxid) || r.waiting[wtxid] {
		return
	}
	if !r.tracker.Announced(p.id, wtxid) {
		r.n.cfg.Metrics.drop("announcements")
	}
}

func (r *txRelay) notFound(p *peer, wtxid chainhash.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracker.NotFound(p.id, wtxid)
}

// arrived queues a transaction for the pool.
func (r *txRelay) arrived(p *peer, raw []byte, now time.Time) error {
	tx, err := consensus.DecodeTx(raw)
	if err != nil {
		return err // the message was checked
	}
	p.mu.Lock()
	p.knownTxs.Add(tx.WTxID)
	_, byWTxID := p.askedTxs[tx.WTxID]
	_, byTxID := p.askedTxs[tx.TxID]
	delete(p.askedTxs, tx.WTxID)
	delete(p.askedTxs, tx.TxID)
	p.mu.Unlock()

	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.tracker.Received(p.id, tx.WTxID) && !byWTxID && !byTxID {
		r.n.cfg.Metrics.tx(resultUnasked)
		if !p.limits.allowUnasked(now) {
			return &ending{code: message.CodeUnsolicited, reason: "transactions that were not asked for", blame: true}
		}
	}
	if r.refused.Has(tx.WTxID) || r.waiting[tx.WTxID] {
		r.n.cfg.Metrics.tx(resultKnown)
		return nil
	}
	if len(r.queue) >= maxTxQueue || r.queued+int64(tx.Size) > maxTxQueueSize {
		r.n.cfg.Metrics.drop("txs")
		return nil
	}
	r.queue = append(r.queue, arrivedTx{p, tx})
	r.queued += int64(tx.Size)
	r.waiting[tx.WTxID] = true
	signal(r.arrivals)
	return nil
}

// judge offers a transaction to the pool and draws the consequences.
func (r *txRelay) judge(ctx context.Context, p *peer, tx *consensus.Tx) {
	if r.n.cfg.Pool.Have(tx.WTxID) {
		r.n.cfg.Metrics.tx(resultKnown)
		return
	}
	err := r.n.cfg.Pool.Accept(ctx, tx, p.key)
	var refused *RefusedError
	switch rule := consensus.AsRule(err); {
	case err == nil:
		r.n.cfg.Metrics.tx(resultNew)
		now := r.n.cfg.Now()
		p.mu.Lock()
		p.lastTx = now
		p.mu.Unlock()
	case rule != nil && !dependsOnTip(rule.Rule):
		r.n.cfg.Metrics.tx(resultInvalid)
		r.refuse(tx.WTxID)
		p.stop(ending{code: message.CodeInvalidData, reason: clip("transaction breaks a rule: " + string(rule.Rule)), blame: true})
	case errors.As(err, &refused) && len(refused.Missing) > 0:
		r.n.cfg.Metrics.tx(resultRefused)
		select {
		case <-p.gone: // the session ended while the transaction was queued
			r.forgetSource(p)
		default: // removePeer is yet to come
			p.askParents(refused.Missing)
		}
	case errors.As(err, &refused) || rule != nil:
		r.n.cfg.Metrics.tx(resultRefused)
		r.refuse(tx.WTxID)
	default:
		r.n.cfg.Metrics.tx(resultUndecided)
		r.n.log.Debug("transaction could not be judged", "txid", tx.TxID, "err", err)
	}
}

func (r *txRelay) refuse(wtxid chainhash.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused.Add(wtxid)
}

// dependsOnTip reports whether a transaction that breaks the rule here may
// be valid for a peer whose best block is another one. Then it is refused,
// but nobody is blamed.
func dependsOnTip(rule consensus.Rule) bool {
	switch rule {
	case consensus.RuleTxImmature, consensus.RuleTxMissingInputs, consensus.RuleNonFinal:
		return true
	}
	return false
}

// askParents asks the sender of a transaction for the parents that are not
// known here.
func (p *peer) askParents(txids []chainhash.Hash) {
	ids := p.willAsk(txids[:min(len(txids), maxParents)])
	if len(ids) > 0 {
		p.send(getData(message.InvTx, ids))
	}
}

// willAsk notes which transactions the peer is asked for, and leaves out
// those that it is being asked for already. Beyond the bound nothing more
// is asked.
func (p *peer) willAsk(ids []chainhash.Hash) []chainhash.Hash {
	now := p.n.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.askedTxs)+len(ids) > maxAskedTxs {
		for id, at := range p.askedTxs {
			if now.Sub(at) >= askedExpiry {
				delete(p.askedTxs, id)
			}
		}
	}
	var out []chainhash.Hash
	for _, id := range ids {
		at, ok := p.askedTxs[id]
		if ok && now.Sub(at) < askedExpiry || !ok && len(p.askedTxs) >= maxAskedTxs {
			continue
		}
		p.askedTxs[id] = now
		out = append(out, id)
	}
	return out
}

func (p *peer) forgetAsked(id chainhash.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.askedTxs, id)
}

func getData(kind message.InvKind, ids []chainhash.Hash) *message.GetData {
	m := &message.GetData{Items: make([]message.InvItem, len(ids))}
	for i, id := range ids {
		m.Items[i] = message.InvItem{Kind: kind, Hash: id}
	}
	return m
}

// tend sends requests for transactions, moves on those that time out, and
// spreads what the pool took.
func (r *txRelay) tend(ctx context.Context) {
	tick := time.NewTicker(txTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.kick:
		case <-r.accepted:
			r.spread()
			continue
		case <-ctx.Done():
			return
		}
		r.request()
	}
}

func (r *txRelay) request() {
	r.mu.Lock()
	room := min(maxTxUnderWay, maxTxQueue-len(r.queue)) - r.tracker.UnderWay()
	requests, late := r.tracker.Assign(r.n.cfg.Now(), room)
	r.mu.Unlock()
	for range late {
		r.n.cfg.Metrics.timeout("tx")
	}
	for _, req := range requests {
		p := r.n.peerByID(req.Peer)
		if p == nil {
			continue // its removal releases the request
		}
		// At most 100, the tracker's bound per peer.
		if ids := p.willAsk(req.WTxIDs); len(ids) > 0 {
			p.send(getData(message.InvWTx, ids))
		}
	}
}

// announceTx notes that the pool took a transaction. It never blocks: when
// peers cannot be told as fast, the oldest is dropped.
func (r *txRelay) announceTx(wtxid chainhash.Hash) {
	r.mu.Lock()
	r.tracker.Forget(wtxid)
	if len(r.announce) >= maxToAnnounce {
		r.announce = r.announce[1:]
		r.n.cfg.Metrics.drop("accepted")
	}
	r.announce = append(r.announce, wtxid)
	r.mu.Unlock()
	signal(r.accepted)
}

func (r *txRelay) spread() {
	r.mu.Lock()
	todo := r.announce
	r.announce = nil
	r.mu.Unlock()
	for _, p := range r.n.sessions() {
		if !p.hello.Features.Has(message.FeatureTxRelay) {
			continue
		}
		for _, h := range todo {
			p.tellTx(h)
		}
	}
}

// newTip forgets what was refused: the new block may have changed why.
func (r *txRelay) newTip() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused.Clear()
}

// tellTx lets the peer know of a transaction with the next batch.
func (p *peer) tellTx(wtxid chainhash.Hash) {
	p.mu.Lock()
	dropped := p.outbox.Add(wtxid)
	p.mu.Unlock()
	if dropped {
		p.n.cfg.Metrics.drop("outbox")
	}
	signal(p.toTell)
}

// flushInventory announces what has been collected.
func (p *peer) flushInventory() {
	for {
		p.mu.Lock()
		ids := p.outbox.Take(message.MaxInventory)
		p.mu.Unlock()
		if len(ids) == 0 {
			return
		}
		m := &message.Inv{Items: make([]message.InvItem, len(ids))}
		for i, id := range ids {
			m.Items[i] = message.InvItem{Kind: message.InvWTx, Hash: id}
		}
		p.send(m)
	}
}
