package p2ptest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBuffer is how many bytes may be under way in one direction.
const pipeBuffer = 256 << 10

// half is one direction of a connection: bytes that arrive latency after
// they were written.
type half struct {
	latency time.Duration

	mu       sync.Mutex
	chunks   []chunk
	size     int
	ended    bool // no more will be written
	reset    bool // the connection broke
	silent   bool // what is written never arrives
	readBy   time.Time
	writeBy  time.Time
	changed  chan struct{} // closed at every change
	ratePer  time.Duration // time that a KiB takes, 0: none
	lineFree time.Time     // when the line has carried what was written
}

type chunk struct {
	data []byte
	at   time.Time // arrives
}

func newHalf(latency, perKiB time.Duration) *half {
	return &half{latency: latency, ratePer: perKiB, changed: make(chan struct{})}
}

func (h *half) notifyLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// set changes the state and wakes whoever waits.
func (h *half) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	h.notifyLocked()
}

func (h *half) read(b []byte) (int, error) {
	for {
		h.mu.Lock()
		n, wait, err := h.readLocked(b)
		changed, by := h.changed, h.readBy
		h.mu.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
		await(changed, wait, by)
	}
}

// readLocked returns what has arrived, or until when nothing can (zero: not
// known).
func (h *half) readLocked(b []byte) (n int, wait time.Time, err error) {
	now := time.Now()
	switch {
	case h.reset:
		return 0, wait, net.ErrClosed
	case !h.readBy.IsZero() && !now.Before(h.readBy):
		return 0, wait, os.ErrDeadlineExceeded
	case len(b) == 0:
		return 0, wait, io.ErrShortBuffer
	case len(h.chunks) == 0 && h.ended:
		return 0, wait, io.EOF
	case len(h.chunks) == 0 || h.silent:
		return 0, wait, nil
	}
	c := &h.chunks[0]
	if now.Before(c.at) {
		return 0, c.at, nil
	}
	n = copy(b, c.data)
	c.data = c.data[n:]
	h.size -= n
	if len(c.data) == 0 {
		h.chunks = h.chunks[1:]
	}
	h.notifyLocked()
	return n, wait, nil
}

func (h *half) write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		h.mu.Lock()
		n, err := h.writeLocked(b[done:])
		changed, by := h.changed, h.writeBy
		h.mu.Unlock()
		done += n
		if err != nil {
			return done, err
		}
		if n == 0 {
			await(changed, time.Time{}, by)
		}
	}
	return done, nil
}

func (h *half) writeLocked(b []byte) (int, error) {
	now := time.Now()
	switch {
	case h.reset || h.ended:
		return 0, net.ErrClosed
	case !h.writeBy.IsZero() && !now.Before(h.writeBy):
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(b), pipeBuffer-h.size)
	if n == 0 {
		return 0, nil
	}
	if h.lineFree.Before(now) {
		h.lineFree = now
	}
	h.lineFree = h.lineFree.Add(h.ratePer * time.Duration(n) / 1024)
	h.chunks = append(h.chunks, chunk{append([]byte(nil), b[:n]...), h.lineFree.Add(h.latency)})
	h.size += n
	h.notifyLocked()
	return n, nil
}

// await waits for a change, or for the earlier of two times (zero: none).
func await(changed <-chan struct{}, a, b time.Time) {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		a = b
	}
	if a.IsZero() {
		<-changed
		return
	}
	t := time.NewTimer(time.Until(a))
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

// conn is one end of a connection.
type conn struct {
	in, out       *half
	local, remote net.Addr
	onClose       func()
	closing       sync.Once
}

func (c *conn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }
func (c *conn) LocalAddr() net.Addr         { return c.local }
func (c *conn) RemoteAddr() net.Addr        { return c.remote }

// Close ends both directions: the peer reads what is under way, then EOF.
func (c *conn) Close() error {
	c.closing.Do(func() {
		c.out.set(func() { c.out.ended = true })
		c.in.set(func() { c.in.reset = true })
		c.onClose()
	})
	return nil
}

// CloseWrite ends the outgoing direction.
func (c *conn) CloseWrite() error {
	c.out.set(func() { c.out.ended = true })
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.set(func() { c.in.readBy = t })
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.set(func() { c.out.writeBy = t })
	return nil
}
