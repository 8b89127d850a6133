package transport

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// reader turns the byte stream of one link into payloads. One goroutine at
// a time uses it.
//
// Memory: one frame (at most 64 KiB, grown as bytes arrive) and what it has
// taken from the budget: the bulk payload under way, the last payload and
// the decoded form of the last message.
type reader struct {
	in       *bufio.Reader
	deadline func(time.Time) error // limits the next read
	limits   *message.Limits
	budget   *Budget
	metrics  *Metrics
	now      func() time.Time
	timeouts Timeouts

	frame []byte // body of the frame under way
	bulk  bulkRead
	held  int64 // bytes taken from the budget, bulk.charged included
}

// bulkRead is the message of several frames that is under way.
type bulkRead struct {
	active   bool
	t        message.Type
	total    int
	payload  []byte
	charged  int64
	deadline time.Time
}

func newReader(stream io.Reader, cfg *Config, deadline func(time.Time) error) reader {
	return reader{
		in: bufio.NewReaderSize(stream, 4096), deadline: deadline,
		limits: cfg.Limits, budget: cfg.Budget, metrics: cfg.Metrics,
		now: cfg.Now, timeouts: cfg.Timeouts,
	}
}

// next returns the next whole payload, which the caller owns, and its type.
func (r *reader) next(ctx context.Context) (message.Type, []byte, error) {
	for {
		t, more, body, err := r.readFrame()
		if err != nil {
			return 0, nil, err
		}
		var payload []byte
		switch {
		case more || (r.bulk.active && t == r.bulk.t):
			payload, err = r.addPart(ctx, t, more, body)
			if err != nil {
				return 0, nil, err
			}
			if payload == nil {
				continue
			}
		default:
			payload = append(make([]byte, 0, len(body)), body...)
		}
		r.metrics.countMessage(directionIn, t)
		return t, payload, nil
	}
}

// readFrame waits for a frame and reads it. The body is valid until the
// next call.
func (r *reader) readFrame() (t message.Type, more bool, body []byte, err error) {
	if err := r.setDeadline(r.timeouts.Idle); err != nil {
		return 0, false, nil, err
	}
	if _, err := r.in.Peek(1); err != nil {
		return 0, false, nil, r.readError("nothing", err)
	}
	if err := r.setDeadline(r.timeouts.Frame); err != nil {
		return 0, false, nil, err
	}
	return r.readFrameWithin()
}

// readFrameWithin reads a frame within the deadline that is set.
func (r *reader) readFrameWithin() (t message.Type, more bool, body []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return 0, false, nil, r.readError("no whole frame", err)
	}
	size := binary.LittleEndian.Uint32(header[:])
	t = message.Type(header[4] &^ moreFollows)
	more = header[4]&moreFollows != 0
	if err := r.checkFrame(t, more, size); err != nil {
		return 0, false, nil, err
	}
	if err := r.readBody(int(size)); err != nil {
		return 0, false, nil, r.readError("no whole frame", err)
	}
	r.metrics.countFrame(directionIn, t, frameHeader+int(size))
	return t, more, r.frame[:size], nil
}

// checkFrame judges a header before anything of its body is read.
func (r *reader) checkFrame(t message.Type, more bool, size uint32) error {
	switch {
	case size > maxBody:
		return protocolf("frame of %d bytes, at most %d", uint64(size)+frameHeader, maxFrame)
	case !t.Known():
		return protocolf("message type %d is not known", byte(t))
	case more && size != maxBody:
		return protocolf("%s: frame with more to follow has %d bytes, must be full (%d)", t, size, maxBody)
	case more && r.bulk.active && t != r.bulk.t:
		return protocolf("%s starts while %s is under way", t, r.bulk.t)
	case r.bulk.active && t == r.bulk.t:
		left := r.bulk.total - len(r.bulk.payload)
		if more && left <= maxBody || !more && left != int(size) {
			return protocolf("%s: frame of %d bytes, %d are left", t, size, left)
		}
	case !more:
		if err := r.limits.CheckSize(t, int64(size)); err != nil {
			return &ProtocolError{Code: message.CodeProtocol, Err: err}
		}
	}
	return nil
}

// readBody reads size bytes into r.frame, which grows with what arrives.
func (r *reader) readBody(size int) error {
	for have := 0; have < size; {
		if have == len(r.frame) {
			grown := make([]byte, min(max(2*len(r.frame), 4096), maxBody))
			copy(grown, r.frame[:have])
			r.frame = grown
		}
		end := min(size, len(r.frame))
		if _, err := io.ReadFull(r.in, r.frame[have:end]); err != nil {
			return err
		}
		have = end
	}
	return nil
}

// addPart adds a frame to the bulk message under way, or starts one. It
// returns the payload with the last part, else nil.
func (r *reader) addPart(ctx context.Context, t message.Type, more bool, body []byte) ([]byte, error) {
	b := &r.bulk
	if !b.active {
		total := binary.LittleEndian.Uint32(body)
		if total <= maxBody {
			return nil, protocolf("%s of %d bytes in several frames, fits into one", t, total)
		}
		if err := r.limits.CheckSize(t, int64(total)); err != nil {
			return nil, &ProtocolError{Code: message.CodeProtocol, Err: err}
		}
		allowed := r.timeouts.Bulk + time.Duration(total/bulkBytesPerSecond)*time.Second
		*b = bulkRead{active: true, t: t, total: int(total), deadline: r.now().Add(allowed)}
		body = body[bulkHeader:]
	}
	if err := r.growBulk(ctx, len(body)); err != nil {
		return nil, err
	}
	b.payload = append(b.payload, body...)
	if more {
		return nil, nil
	}
	payload := b.payload
	*b = bulkRead{}
	return payload, nil
}

// bulkBytesPerSecond is the least rate at which a bulk message must arrive
// after Timeouts.Bulk.
const bulkBytesPerSecond = 32 << 10

// growBulk makes room for n more bytes: never more than twice what arrived,
// charged to the budget before it is allocated.
func (r *reader) growBulk(ctx context.Context, n int) error {
	b := &r.bulk
	need := len(b.payload) + n
	if need <= cap(b.payload) {
		return nil
	}
	size := min(b.total, max(2*cap(b.payload), need))
	charged, err := r.reserve(ctx, int64(size))
	if err != nil {
		return err
	}
	b.payload = append(make([]byte, 0, size), b.payload...)
	r.release(b.charged)
	b.charged = charged
	return nil
}

// reserve takes bytes from the budget. A link that already holds so much
// that bytes can never be free takes all that is left: one message, valid
// by consensus, may then exceed the budget, but only by itself.
func (r *reader) reserve(ctx context.Context, bytes int64) (int64, error) {
	bytes = min(bytes, r.budget.Size()-r.held)
	if bytes <= 0 {
		return 0, nil
	}
	if err := r.budget.take(ctx, bytes, r.timeouts.Budget); err != nil {
		return 0, err
	}
	r.held += bytes
	r.metrics.addBudget(bytes)
	return bytes, nil
}

func (r *reader) release(bytes int64) {
	if bytes == 0 {
		return
	}
	r.held -= bytes
	r.budget.give(bytes)
	r.metrics.addBudget(-bytes)
}

// releaseHandled gives back all that earlier messages took.
func (r *reader) releaseHandled() { r.release(r.held - r.bulk.charged) }

// releaseAll also drops the bulk message under way.
func (r *reader) releaseAll() {
	r.bulk = bulkRead{}
	r.frame = nil
	r.release(r.held)
}

// setDeadline limits the next read to d from now, and to what is left for
// the bulk message under way.
func (r *reader) setDeadline(d time.Duration) error {
	at := r.now().Add(d)
	if r.bulk.active && r.bulk.deadline.Before(at) {
		at = r.bulk.deadline
	}
	return r.deadline(at)
}

// readError turns a timeout into the peer's fault; other errors stay.
func (r *reader) readError(what string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &ProtocolError{Code: message.CodeTimeout, Detail: what + " arrived in time"}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read from peer: %w", err)
}

func protocolf(format string, args ...any) error {
	return &ProtocolError{Code: message.CodeProtocol, Detail: fmt.Sprintf(format, args...)}
}
