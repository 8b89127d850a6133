package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// maxQueuedNotifications bounds how far Next may lag behind the server. A
// reader that falls further behind loses the connection, not single
// notifications: their order is what they are for.
const maxQueuedNotifications = 10_000

// writeWait is how long one message may take to leave.
const writeWait = 30 * time.Second

// ErrClosed is returned by calls on a connection that was closed by Close.
var ErrClosed = errors.New("connection closed")

// Notification is a message that the server sends by itself, such as
// blockconnected.
type Notification struct {
	Method string
	Params []json.RawMessage
}

// WS is one WebSocket connection to the server.
type WS struct {
	conn *websocket.Conn

	writeMu sync.Mutex // one message at a time

	mu      sync.Mutex // guards the fields below
	nextID  uint64
	waiting map[uint64]chan reply
	err     error // why the connection ended; nil while it is open

	notes chan Notification
	done  chan struct{} // closed when the connection has ended
}

// DialWS connects to the server at rawURL, the same address as for New; the
// path /ws is added when there is none.
func DialWS(ctx context.Context, rawURL string, auth Auth, opts ...Option) (*WS, error) {
	o, err := apply(opts)
	if err != nil {
		return nil, err
	}
	url, ok := strings.CutPrefix(rawURL, "http")
	if !ok {
		return nil, fmt.Errorf("RPC address %q: want http://HOST:PORT or https://HOST:PORT", rawURL)
	}
	url = "ws" + strings.TrimSuffix(url, "/")
	if !strings.HasSuffix(url, "/ws") {
		url += "/ws"
	}
	user, password, err := auth()
	if err != nil {
		return nil, err
	}
	basic := http.Request{Header: http.Header{}}
	basic.SetBasicAuth(user, password)
	dialer := websocket.Dialer{HandshakeTimeout: writeWait, TLSClientConfig: o.tls}
	conn, resp, err := dialer.DialContext(ctx, url, basic.Header)
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusUnauthorized {
			return nil, ErrUnauthorized
		}
		return nil, fmt.Errorf("no WebSocket connection to the node: %w", err)
	}
	conn.SetReadLimit(MaxReply)
	w := &WS{
		conn:    conn,
		waiting: map[uint64]chan reply{},
		notes:   make(chan Notification, maxQueuedNotifications),
		done:    make(chan struct{}),
	}
	go w.read()
	return w, nil
}

// Call calls method with positional params and decodes its result into
// result, unless that is nil.
func (w *WS) Call(ctx context.Context, method string, params []any, result any) error {
	if params == nil {
		params = []any{}
	}
	id, answer, err := w.expect()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer w.forget(id)
	if err := w.send(request{"2.0", id, method, params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r := <-answer:
		return r.decode(method, result)
	case <-w.done:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
	// The answer may have been the last thing that came.
	select {
	case r := <-answer:
		return r.decode(method, result)
	default:
		return fmt.Errorf("%s: %w", method, w.reason())
	}
}

// Next returns the next notification, in the order in which the server sent
// them. Those that arrived before the connection ended are returned first.
func (w *WS) Next(ctx context.Context) (Notification, error) {
	select {
	case n := <-w.notes:
		return n, nil
	default:
	}
	select {
	case n := <-w.notes:
		return n, nil
	case <-ctx.Done():
		return Notification{}, ctx.Err()
	case <-w.done:
	}
	select {
	case n := <-w.notes:
		return n, nil
	default:
		return Notification{}, w.reason()
	}
}

// Close ends the connection. Calls under way return ErrClosed.
func (w *WS) Close() error {
	w.end(ErrClosed)
	<-w.done
	return nil
}

func (w *WS) expect() (uint64, chan reply, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, nil, w.err
	}
	w.nextID++
	answer := make(chan reply, 1)
	w.waiting[w.nextID] = answer
	return w.nextID, answer, nil
}

func (w *WS) forget(id uint64) {
	w.mu.Lock()
	delete(w.waiting, id)
	w.mu.Unlock()
}

func (w *WS) send(r request) error {
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	late := time.AfterFunc(writeWait, func() { w.end(errors.New("the node takes no messages")) })
	defer late.Stop()
	return w.conn.WriteJSON(r)
}

// read hands every message on until the connection ends.
func (w *WS) read() {
	defer close(w.done)
	for {
		_, raw, err := w.conn.ReadMessage()
		if err != nil {
			w.end(fmt.Errorf("connection to the node ended: %w", err))
			return
		}
		if err := w.handle(raw); err != nil {
			w.end(err)
			return
		}
	}
}

func (w *WS) handle(raw []byte) error {
	var msg struct {
		reply
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(raw, &msg); err != nil {
		return fmt.Errorf("message is not JSON-RPC: %w", err)
	}
	if msg.Method != "" {
		select {
		case w.notes <- Notification{msg.Method, msg.Params}:
			return nil
		default:
			return fmt.Errorf("%d notifications were not read", maxQueuedNotifications)
		}
	}
	var id uint64
	if err := json.Unmarshal(msg.ID, &id); err != nil {
		return fmt.Errorf("reply has id %.40s", msg.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer := w.waiting[id]; answer != nil {
		answer <- msg.reply
		delete(w.waiting, id)
	}
	return nil
}

// end records why the connection ended, the first reason only, and closes it.
func (w *WS) end(reason error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = reason
	}
	w.mu.Unlock()
	_ = w.conn.Close()
}

func (w *WS) reason() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
