package transport

import (
	"sync"

	"github.com/charterchain/charter/p2p/message"
)

// smallBurst is how many bytes of small messages may go out while a bulk
// message waits for its next frame.
const smallBurst = 2 * maxFrame

// queue holds what waits to be sent on one link, in two lanes: messages of
// one frame, and bulk messages. Small ones go first, but after smallBurst
// bytes the bulk lane gets a frame in.
//
// While a bulk message of some type is under way, a frame of that type is
// its next part, so a small message of that type must not come between: it
// waits in the bulk lane behind it. Messages of one type therefore arrive
// in the order in which they were queued.
type queue struct {
	limits QueueLimits
	wake   chan struct{} // capacity 1: something was added

	mu     sync.Mutex
	room   chan struct{} // closed and replaced when something left
	small  lane
	bulk   lane
	off    int // bytes of bulk.items[0] that are sent
	burst  int // small bytes since the last bulk frame
	closed bool
}

type lane struct {
	items  []queued
	bytes  int64
	byType [128]int32
}

type queued struct {
	t       message.Type
	payload []byte
}

func newQueue(l QueueLimits) *queue {
	return &queue{limits: l, wake: make(chan struct{}, 1), room: make(chan struct{})}
}

// add queues a message. If there is no room it returns a channel that is
// closed when something has left the queue. After close it returns ErrClosed.
func (q *queue) add(m queued) (full <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	size := int64(len(m.payload)) + frameHeader
	if isBulk(len(m.payload)) || q.bulk.byType[m.t] > 0 {
		if len(q.bulk.items) >= q.limits.BulkMessages || len(q.bulk.items) > 0 && q.bulk.bytes+size > q.limits.BulkBytes {
			return q.room, nil
		}
		q.bulk.push(m)
	} else {
		if len(q.small.items) >= q.limits.SmallMessages || len(q.small.items) > 0 && q.small.bytes+size > q.limits.SmallBytes {
			return q.room, nil
		}
		q.small.push(m)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil, nil
}

// sent tells what fill put into the buffer.
type sent struct {
	t     message.Type
	bytes int
	last  bool // the message is complete
}

// fill appends frames to buf while it stays within a frame's size, and
// notes them in log. It appends nothing if nothing waits.
func (q *queue) fill(buf []byte, log []sent) ([]byte, []sent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := false
	for {
		lane := q.pickLocked()
		if lane == nil {
			break
		}
		m := lane.items[0]
		off := 0
		if lane == &q.bulk {
			off = q.off
		}
		if len(buf)+frameHeader+bodySize(len(m.payload), off) > maxFrame {
			break
		}
		before := len(buf)
		buf, off = appendFrame(buf, m.t, m.payload, off)
		if lane == &q.bulk {
			q.off, q.burst = off, 0
		} else {
			q.burst += len(buf) - before
		}
		done := off == len(m.payload)
		if done {
			lane.pop()
			left = true
			if lane == &q.bulk {
				q.off = 0
			}
		}
		log = append(log, sent{m.t, len(buf) - before, done})
	}
	if left {
		close(q.room)
		q.room = make(chan struct{})
	}
	return buf, log
}

// pickLocked returns the lane that is next, or nil if both are empty.
func (q *queue) pickLocked() *lane {
	switch {
	case len(q.bulk.items) == 0 && len(q.small.items) == 0:
		return nil
	case len(q.bulk.items) == 0:
		return &q.small
	case len(q.small.items) == 0:
		return &q.bulk
	case q.burst < smallBurst:
		return &q.small
	case q.off == 0 && q.small.byType[q.bulk.items[0].t] > 0:
		// An older small message of the same type must go before. No new
		// one can come while the bulk one waits, so this ends.
		return &q.small
	}
	return &q.bulk
}

// close drops what waits and refuses what comes.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		q.small, q.bulk = lane{}, lane{}
		close(q.room)
		q.room = make(chan struct{})
	}
}

func (l *lane) push(m queued) {
	l.items = append(l.items, m)
	l.bytes += int64(len(m.payload)) + frameHeader
	l.byType[m.t]++
}

func (l *lane) pop() {
	m := l.items[0]
	l.items[0] = queued{}
	l.items = l.items[1:]
	l.bytes -= int64(len(m.payload)) + frameHeader
	l.byType[m.t]--
	if len(l.items) == 0 {
		l.items = nil
	}
}
