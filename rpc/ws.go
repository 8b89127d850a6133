package rpc

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Bounds of one WebSocket connection; doc.go lists them.
const (
	maxQueued    = 4096
	maxWSCalls   = 16
	writeWait    = 30 * time.Second
	loginWait    = 10 * time.Second
	maxLoginSize = 4 << 10
)

// wsClient is one WebSocket connection. The goroutine of its HTTP handler reads,
// one more writes, and each call under way has its own.
type wsClient struct {
	server *Server
	conn   *websocket.Conn
	queue  chan *outgoing
	slots  chan struct{} // one per call, from its arrival until its answer left

	calls    sync.WaitGroup
	finished chan struct{} // closed when no more calls will answer: write what is queued and end
	ended    chan struct{} // closed when the writer has ended: nothing will be sent

	mu         sync.Mutex // guards subscribed
	subscribed subscription

	slow atomic.Bool // did not read; counted once
}

// serveWS turns a request into a WebSocket connection and serves it to its end.
func (s *Server) serveWS(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	if given && !authorized(s.users, user, password) {
		s.refuseLogin(w, r)
		return
	}
	if !websocket.IsWebSocketUpgrade(r) {
		http.Error(w, "this path takes WebSocket connections", http.StatusUpgradeRequired)
		return
	}
	c := &wsClient{
		server:   s,
		queue:    make(chan *outgoing, maxQueued),
		slots:    make(chan struct{}, maxWSCalls),
		finished: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	// The origin was looked at before. No compression: it costs memory per
	// connection, and secrets must not be compressed beside what others chose.
	upgrader := websocket.Upgrader{
		HandshakeTimeout: loginWait,
		CheckOrigin:      func(*http.Request) bool { return true },
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	c.conn = conn
	if err := s.notifier.add(c, !given); err != nil {
		_ = conn.WriteControl(websocket.CloseMessage,
			websocket.FormatCloseMessage(websocket.CloseTryAgainLater, err.Error()), time.Time{})
		return
	}
	defer s.notifier.remove(c)
	ctx, cancel := s.untilShutdown(context.WithoutCancel(r.Context()))
	defer cancel()
	go c.write()
	if given || c.login(ctx) {
		conn.SetReadLimit(s.maxBody)
		c.read(ctx)
	}
	cancel()
	c.calls.Wait()
	close(c.finished)
	<-c.ended
}

// login waits for the call authenticate.
func (c *wsClient) login(ctx context.Context) bool {
	defer c.server.notifier.known()
	c.conn.SetReadLimit(maxLoginSize)
	late := time.AfterFunc(loginWait, c.cut)
	defer late.Stop()
	_, body, err := c.conn.ReadMessage()
	if err != nil {
		return false
	}
	var req request
	calls, batch, bad := parseBody(body)
	if bad == nil && !batch {
		req, bad = parseRequest(calls[0])
	}
	if bad != nil || batch || req.method != "authenticate" {
		c.refuse(ctx)
		return false
	}
	result, bad := c.server.table.call(ctx, &req, c)
	if bad != nil {
		c.refuse(ctx)
	}
	if !req.notify {
		c.send(&outgoing{text: req.reply(result, bad)})
	}
	return bad == nil
}

// refuse slows guessing down; see Server.refuseLogin.
func (c *wsClient) refuse(ctx context.Context) {
	c.server.metrics.authFailures.Inc()
	c.server.log.Debug("login refused", "remote", c.conn.RemoteAddr())
	wait := time.NewTimer(authDelay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// read starts a call for every message until the connection ends, or the server
// stops.
func (c *wsClient) read(ctx context.Context) {
	for ctx.Err() == nil {
		_, body, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.ended:
			return
		}
		c.calls.Go(func() {
			_, reply := c.server.answer(ctx, body, c)
			done := func() { <-c.slots }
			if reply == nil {
				done()
				return
			}
			c.send(&outgoing{text: reply, sent: done})
		})
	}
}

// send queues an answer, and waits for room.
func (c *wsClient) send(m *outgoing) {
	select {
	case c.queue <- m:
	case <-c.ended:
		m.done()
	}
}

// offer queues a notification. A client with a full queue loses the connection,
// not single notifications: it relies on their order.
func (c *wsClient) offer(m *outgoing) {
	select {
	case <-c.ended:
	case c.queue <- m:
	default:
		c.tooSlow()
	}
}

func (c *wsClient) tooSlow() {
	if c.slow.CompareAndSwap(false, true) {
		c.server.metrics.wsSlow.Inc()
		c.server.log.Debug("client does not read", "remote", c.conn.RemoteAddr())
	}
	c.cut()
}

// cut ends the connection at once.
func (c *wsClient) cut() { _ = c.conn.Close() }

// stopReading makes read return; answers are still sent.
func (c *wsClient) stopReading() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) }

// write sends what is queued, in order.
func (c *wsClient) write() {
	defer c.drop()
	for {
		select {
		case m := <-c.queue:
			if !c.transmit(m) {
				return
			}
			continue
		case <-c.finished:
		}
		// Nothing is queued any more but notifications.
		for {
			select {
			case m := <-c.queue:
				if !c.transmit(m) {
					return
				}
				continue
			default:
			}
			c.goodbye()
			return
		}
	}
}

func (c *wsClient) transmit(m *outgoing) bool {
	defer m.done()
	text := m.bytes()
	late := time.AfterFunc(writeWait, c.tooSlow)
	defer late.Stop()
	return c.conn.WriteMessage(websocket.TextMessage, text) == nil
}

func (c *wsClient) goodbye() {
	late := time.AfterFunc(writeWait, c.cut)
	defer late.Stop()
	_ = c.conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// drop marks the connection as one on which nothing more is sent.
func (c *wsClient) drop() {
	c.cut()
	close(c.ended)
	for {
		select {
		case m := <-c.queue:
			m.done()
		default:
			return
		}
	}
}

func (c *wsClient) wants(s subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.subscribed&s != 0
}

func (c *wsClient) subscribe(set, clear subscription) {
	c.mu.Lock()
	c.subscribed = c.subscribed&^clear | set
	c.mu.Unlock()
}

// done frees what waits for the message to leave.
func (m *outgoing) done() {
	if m.sent != nil {
		m.sent()
	}
}
