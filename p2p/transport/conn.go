package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// closeGrace is how long a link that ends may take to tell the peer why,
// and after that how long it discards what the peer still sends, so that a
// TCP reset does not overtake the reason.
const closeGrace = time.Second

// lingerBytes bounds what is discarded.
const lingerBytes = 1 << 20

// Conn is an open, authenticated link. Run must be running for anything to
// be sent; see the package documentation for who may call what.
type Conn struct {
	nc       net.Conn // carries tls
	tls      *tls.Conn
	local    message.Features
	peer     *message.Hello
	outbound bool
	now      func() time.Time
	timeouts Timeouts
	metrics  *Metrics
	queue    *queue
	limits   *message.Limits

	// reading is held (by a value in it) by who uses reader.
	reading chan struct{}
	reader  reader

	ctx    context.Context // ends with the link
	cancel context.CancelFunc

	mu      sync.Mutex
	running bool
	cause   error               // first reason to end; nil while open
	goodbye *message.Disconnect // what to tell the peer; nil: nothing
}

func newConn(cfg *Config, s *session, peer *message.Hello, outbound bool) *Conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{
		nc: s.nc, tls: s.tls, local: cfg.Features, peer: peer, outbound: outbound,
		now: cfg.Now, timeouts: cfg.Timeouts, metrics: cfg.Metrics, limits: cfg.Limits,
		queue:   newQueue(cfg.Queue),
		reading: make(chan struct{}, 1),
		reader:  s.reader,
		ctx:     ctx, cancel: cancel,
	}
	c.reader.deadline = c.setReadDeadline
	return c
}

// setReadDeadline sets the deadline unless the link has begun to end; then
// the one that end set must stay.
func (c *Conn) setReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return c.nc.SetReadDeadline(at)
}

// PeerKey returns the peer's x-only public key: its proven identity.
func (c *Conn) PeerKey() [32]byte { return c.peer.Key }

// PeerHello returns what the peer said of itself. Only the key is proven.
// It must not be modified.
func (c *Conn) PeerHello() *message.Hello { return c.peer }

// Outbound reports whether this side dialled.
func (c *Conn) Outbound() bool { return c.outbound }

// RemoteAddr returns the address of the peer as the net.Conn has it.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// LocalAddr returns the address of this side as the net.Conn has it.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// Done is closed when the link has begun to end; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns why the link ended, or nil while it is open.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Send queues m and waits while there is no room. It returns ErrFeature if
// the peer did not announce what m needs, *message.EncodeError if m cannot
// be sent at all, the reason why the link ended, or the context's error. Sent means queued: the peer
// may never get it. m must not be changed afterwards.
func (c *Conn) Send(ctx context.Context, m message.Message) error {
	item, err := c.prepare(m)
	if err != nil {
		return err
	}
	for {
		full, err := c.queue.add(item)
		if err != nil {
			return c.endError(err)
		}
		if full == nil {
			return nil
		}
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return c.endError(ErrClosed)
		}
	}
}

// TrySend is Send that returns ErrQueueFull where Send would wait.
func (c *Conn) TrySend(m message.Message) error {
	item, err := c.prepare(m)
	if err != nil {
		return err
	}
	full, err := c.queue.add(item)
	switch {
	case err != nil:
		return c.endError(err)
	case full != nil:
		return ErrQueueFull
	}
	return nil
}

// inSession reports whether messages of type t belong into an open session
// besides Disconnect, which Close sends.
func inSession(t message.Type) bool {
	switch t {
	case message.TypeHello, message.TypeGetChainFile, message.TypeChainFile, message.TypeDisconnect:
		return false
	}
	return true
}

func (c *Conn) prepare(m message.Message) (queued, error) {
	t := m.Type()
	if !inSession(t) {
		return queued{}, fmt.Errorf("transport: %s is not for Send", t)
	}
	if !c.peer.Features.Has(t.Feature()) {
		return queued{}, fmt.Errorf("%w: %s", ErrFeature, t)
	}
	payload, err := message.Encode(m)
	if err != nil {
		return queued{}, err
	}
	if most, _ := c.limits.Max(t); int64(len(payload)) > most {
		return queued{}, &message.EncodeError{Type: t, Field: "size",
			Detail: fmt.Sprintf("%d bytes, at most %d", len(payload), most)}
	}
	return queued{t, payload}, nil
}

// Receive returns the next message. One goroutine at a time may call it;
// the memory that the budget granted for a message is given back by the
// next call. After an error the link is closed and every call returns an
// error: *ProtocolError (the peer was told), *DisconnectedError, ErrBudget,
// ErrClosed, an I/O error. When ctx ends, so does the link.
func (c *Conn) Receive(ctx context.Context) (message.Message, error) {
	stop := context.AfterFunc(ctx, func() { c.end(ctx.Err(), shutdownMessage()) })
	defer stop()
	m, err := c.receiveLocked()
	if err == nil {
		return m, nil
	}
	c.endByReader(err)
	return nil, c.endError(err)
}

// receiveLocked receives while it holds the reader.
func (c *Conn) receiveLocked() (message.Message, error) {
	c.reading <- struct{}{}
	defer func() { <-c.reading }()
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	r := &c.reader
	r.releaseHandled()
	t, payload, err := r.next(c.ctx)
	if err != nil {
		return nil, err
	}
	if t != message.TypeDisconnect && !inSession(t) {
		return nil, protocolf("%s in an open session", t)
	}
	if !c.local.Has(t.Feature()) {
		return nil, protocolf("%s, but this node did not announce the feature for it", t)
	}
	m, err := message.DecodeWithin(t, payload, c.limits, func(bytes int64) error {
		_, err := r.reserve(c.ctx, bytes)
		return err
	})
	if err != nil {
		return nil, decodeFault(err)
	}
	if d, ok := m.(*message.Disconnect); ok {
		return nil, &DisconnectedError{Code: d.Code, Reason: d.Reason}
	}
	return m, nil
}

// decodeFault makes the peer's faults in decoding *ProtocolError.
func decodeFault(err error) error {
	var de *message.DecodeError
	if errors.As(err, &de) {
		return &ProtocolError{Code: message.CodeProtocol, Err: err}
	}
	return err
}

// endByReader ends the link after Receive found err, telling the peer what
// it is to know.
func (c *Conn) endByReader(err error) {
	var pe *ProtocolError
	var goodbye *message.Disconnect
	switch {
	case errors.As(err, &pe):
		goodbye = disconnect(pe.Code, pe.Error())
	case errors.Is(err, ErrBudget):
		goodbye = disconnect(message.CodeResources, "no memory for this message now")
	}
	c.end(err, goodbye)
}

// Close ends the link and tells the peer why, as far as that is possible
// within closeGrace; it does not wait for it. What is queued is dropped.
// Only the first reason counts.
func (c *Conn) Close(code message.Code, reason string) {
	c.end(ErrClosed, disconnect(code, reason))
}

// end begins the end of the link; the first call wins. Run then finishes
// it; where Run was not called, a goroutine of at most two closeGrace does.
func (c *Conn) end(cause error, goodbye *message.Disconnect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause, c.goodbye = cause, goodbye
	// A write under way gets a moment to finish, a read none. Errors mean
	// that nc is closed already.
	_ = c.nc.SetWriteDeadline(c.now().Add(closeGrace))
	_ = c.nc.SetReadDeadline(c.now())
	c.queue.close()
	c.cancel()
	if !c.running {
		go c.finish()
	}
}

// endError is the cause of the end, or err if there is none.
func (c *Conn) endError(err error) error {
	if cause := c.Err(); cause != nil {
		return cause
	}
	return err
}

// Run writes what is queued until the link or ctx ends, then tells the peer
// why, closes the net.Conn and returns: nil if this side ended it by Close
// or ctx, else the reason. Call it once.
func (c *Conn) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.cause != nil {
		c.mu.Unlock()
		return c.runError()
	}
	c.running = true
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { c.end(ctx.Err(), shutdownMessage()) })
	defer stop()

	buf := make([]byte, 0, 4096)
	if err := c.write(buf); err != nil {
		c.end(err, nil)
	}
	c.finish()
	return c.runError()
}

func (c *Conn) runError() error {
	err := c.Err()
	if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// write writes what is queued until the link ends.
func (c *Conn) write(buf []byte) error {
	var log []sent
	for c.ctx.Err() == nil {
		buf, log = c.queue.fill(buf[:0], log[:0])
		if len(buf) == 0 {
			select {
			case <-c.queue.wake:
			case <-c.ctx.Done():
			}
			continue
		}
		if err := c.writeAll(buf); err != nil {
			return err
		}
		for _, s := range log {
			c.metrics.countFrame(directionOut, s.t, s.bytes)
			if s.last {
				c.metrics.countMessage(directionOut, s.t)
			}
		}
	}
	return nil
}

// writeAll writes within the write timeout, or the shorter one that end set.
func (c *Conn) writeAll(b []byte) error {
	c.mu.Lock()
	if c.cause == nil {
		_ = c.nc.SetWriteDeadline(c.now().Add(c.timeouts.Write))
	}
	c.mu.Unlock()
	if _, err := c.tls.Write(b); err != nil {
		return fmt.Errorf("write to peer: %w", err)
	}
	return nil
}

// finish says goodbye, closes the net.Conn and gives back all memory. The
// link has begun to end, and nobody else writes.
func (c *Conn) finish() {
	c.mu.Lock()
	goodbye := c.goodbye
	c.mu.Unlock()
	said := goodbye != nil && c.say(goodbye)
	if !said {
		_ = c.nc.Close()
	}
	c.reading <- struct{}{} // Receive has let go, or will soon
	if said {
		_ = c.nc.SetReadDeadline(c.now().Add(closeGrace))
		discard(c.nc)
		_ = c.nc.Close()
	}
	c.reader.releaseAll()
	<-c.reading
}

// say writes the last message and reports whether that went well.
func (c *Conn) say(goodbye *message.Disconnect) bool {
	payload, err := message.Encode(goodbye)
	if err != nil {
		return false
	}
	frame, _ := appendFrame(nil, message.TypeDisconnect, payload, 0)
	if _, err := c.tls.Write(frame); err != nil {
		return false
	}
	c.metrics.countFrame(directionOut, message.TypeDisconnect, len(frame))
	c.metrics.countMessage(directionOut, message.TypeDisconnect)
	return true
}

// discard half-closes where that is possible and reads to the end, within
// the deadline that is set and lingerBytes.
func discard(nc net.Conn) {
	if h, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, nc, lingerBytes) // ends in an error in any case
}

func shutdownMessage() *message.Disconnect {
	return disconnect(message.CodeShutdown, "link closed")
}

// disconnect makes a Disconnect that can be encoded, whatever the reason holds.
func disconnect(code message.Code, reason string) *message.Disconnect {
	b := []byte(reason)
	if len(b) > message.MaxReason {
		b = b[:message.MaxReason]
	}
	for i := range b {
		if b[i] < 0x20 || b[i] > 0x7e {
			b[i] = '?'
		}
	}
	return &message.Disconnect{Code: code, Reason: string(b)}
}
