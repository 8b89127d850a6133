package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
)

// Bounds on WebSocket connections; doc.go lists them.
const (
	maxClients  = 64
	maxStranger = 16 // connections that have not authenticated
)

var errTooManyClients = errors.New("too many WebSocket connections")

// notifier knows the WebSocket clients and hands them what happened, in order.
// It calls nothing of the chain or the pool, and never waits for a client.
type notifier struct {
	metrics *Metrics

	mu        sync.Mutex // guards the rest; client locks are taken inside it
	clients   map[*wsClient]struct{}
	strangers int
	stopping  bool
	gone      chan struct{} // closed once stopping and no client is left
	best      chainhash.Hash
	moved     chan struct{} // closed when best changes
}

func newNotifier(m *Metrics, best chainhash.Hash) *notifier {
	return &notifier{
		metrics: m, best: best,
		clients: map[*wsClient]struct{}{}, moved: make(chan struct{}), gone: make(chan struct{}),
	}
}

// tip returns the best block, and a channel that is closed once it is another.
func (n *notifier) tip() (chainhash.Hash, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.best, n.moved
}

func (n *notifier) add(c *wsClient, stranger bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping || len(n.clients) >= maxClients || (stranger && n.strangers >= maxStranger) {
		return errTooManyClients
	}
	n.clients[c] = struct{}{}
	if stranger {
		n.strangers++
	}
	n.metrics.wsClients.Set(float64(len(n.clients)))
	return nil
}

// known counts a stranger as a client that has authenticated.
func (n *notifier) known() {
	n.mu.Lock()
	n.strangers--
	n.mu.Unlock()
}

func (n *notifier) remove(c *wsClient) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.clients, c)
	n.metrics.wsClients.Set(float64(len(n.clients)))
	n.closeIfGoneLocked()
}

func (n *notifier) closeIfGoneLocked() {
	if n.stopping && len(n.clients) == 0 {
		select {
		case <-n.gone:
		default:
			close(n.gone)
		}
	}
}

// shutdown makes every client end after what is queued for it. When ctx ends
// first the connections are cut.
func (n *notifier) shutdown(ctx context.Context) error {
	n.mu.Lock()
	n.stopping = true
	n.closeIfGoneLocked()
	for c := range n.clients {
		c.stopReading()
	}
	n.mu.Unlock()
	select {
	case <-n.gone:
		return nil
	case <-ctx.Done():
	}
	n.mu.Lock()
	for c := range n.clients {
		c.cut()
	}
	n.mu.Unlock()
	<-n.gone
	return ctx.Err()
}

// publish queues a message for all clients with a subscription. The lock gives
// all of them the same order.
func (n *notifier) publish(s subscription, m *outgoing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.clients {
		if c.wants(s) {
			c.offer(m)
		}
	}
}

// HandleChainEvent tells subscribers and long polls what happened. It must be
// called in the order of the events; it does not block.
func (s *Server) HandleChainEvent(ev chain.Event) {
	n := s.notifier
	switch ev.Kind {
	case chain.Connected:
		n.publish(subBlocks, blockNote("blockconnected", ev.Info))
		n.publish(subBlocks, filteredNote("filteredblockconnected", ev.Info, []string{}))
	case chain.Disconnected:
		n.publish(subBlocks, blockNote("blockdisconnected", ev.Info))
		n.publish(subBlocks, filteredNote("filteredblockdisconnected", ev.Info))
	case chain.Settled:
		n.mu.Lock()
		if n.best != ev.Info.Hash {
			n.best = ev.Info.Hash
			close(n.moved)
			n.moved = make(chan struct{})
		}
		n.mu.Unlock()
	}
}

// HandleTx tells subscribers that tx entered the mempool. It must be called in
// order; it does not block.
func (s *Server) HandleTx(tx *consensus.Tx) {
	s.notifier.publish(subTxs, note("txaccepted", func() []any {
		var sum int64
		for _, out := range tx.Msg.TxOut {
			sum += out.Value
		}
		return []any{tx.TxID.String(), Amount(sum)}
	}))
	s.notifier.publish(subTxsVerbose, note("txacceptedverbose", func() []any {
		return []any{s.shape.tx(tx, txOptions{hex: true})}
	}))
}

// blockNote has the hash, the height and the header's time, as btcd.
func blockNote(method string, info chain.BlockInfo) *outgoing {
	return note(method, func() []any {
		return []any{info.Hash.String(), info.Height, info.Header.Timestamp.Unix()}
	})
}

// filteredNote has the height and the header. btcd sends it to everybody who
// asked for blocks; without a filter it names no transactions.
func filteredNote(method string, info chain.BlockInfo, more ...any) *outgoing {
	return note(method, func() []any {
		return append([]any{info.Height, hex.EncodeToString(encodeHeader(&info.Header))}, more...)
	})
}

// outgoing is a message to one client or to many. It is rendered by the first
// client's writer, not by whoever publishes it.
type outgoing struct {
	once   sync.Once
	render func() []byte
	text   []byte

	sent func() // called once it left or never will; nil: nothing to do
}

func (m *outgoing) bytes() []byte {
	m.once.Do(func() {
		if m.render != nil {
			m.text, m.render = m.render(), nil
		}
	})
	return m.text
}

type noteJSON struct {
	Version string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
	ID      any    `json:"id"`
}

func note(method string, params func() []any) *outgoing {
	return &outgoing{render: func() []byte {
		return encode(noteJSON{Version: "1.0", Method: method, Params: params()})
	}}
}

// subscription is a set of kinds of notifications.
type subscription uint8

const (
	subBlocks subscription = 1 << iota
	subTxs
	subTxsVerbose
)

// subscriptionMethods are those that change what a WebSocket client is told.
func subscriptionMethods(users []Credential) []*method {
	const area = "Notifications"
	plain := func(name, summary string, set, clear subscription) *method {
		return &method{name: name, area: area, overWS: true, summary: summary, result: "null.",
			run: func(_ context.Context, c *call) (any, error) {
				c.ws.subscribe(set, clear)
				return nil, nil
			}}
	}
	return []*method{
		{
			name: "authenticate", area: area, overWS: true,
			params:  []param{{name: "username", want: "string", help: "The user."}, {name: "passphrase", want: "string", help: "The password."}},
			summary: "Logs in on a WebSocket connection that was opened without a login. It must be the first call there.",
			result:  "null.",
			run: func(_ context.Context, c *call) (any, error) {
				user, password := c.text(0, ""), c.text(1, "")
				if c.err == nil && !authorized(users, user, password) {
					c.fault(codeInvalidRequest, "user or password is wrong")
				}
				return nil, c.err
			},
		},
		plain("notifyblocks", "Sends blockconnected and blockdisconnected from now on.", subBlocks, 0),
		plain("stopnotifyblocks", "Ends what notifyblocks began.", 0, subBlocks),
		{
			name: "notifynewtransactions", area: area, overWS: true,
			params: []param{{name: "verbose", want: "boolean", fallback: "false",
				help: "true: txacceptedverbose with the whole transaction; false: txaccepted with its id and the sum of its outputs."}},
			summary: "Sends each transaction that enters the mempool from now on.",
			result:  "null.",
			run: func(_ context.Context, c *call) (any, error) {
				verbose := c.flag(0, false)
				if c.err != nil {
					return nil, c.err
				}
				if verbose {
					c.ws.subscribe(subTxsVerbose, subTxs)
				} else {
					c.ws.subscribe(subTxs, subTxsVerbose)
				}
				return nil, nil
			},
		},
		plain("stopnotifynewtransactions", "Ends what notifynewtransactions began.", 0, subTxs|subTxsVerbose),
	}
}
