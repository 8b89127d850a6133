package node

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Of the files and connections that may be open, one part in fileShare
	// is kept from HTTP clients, within these bounds, and twice as much from
	// peers: block files and tables must never fail to open.
	fileShare         = 8
	leastFileReserve  = 32
	utmostFileReserve = 256

	httpReserves = 1
	peerReserves = 2
)

// fileWatch refuses inbound connections while few more files can be opened.
// Between two looks at the system it counts these connections itself, so that
// many at once do not get past it.
type fileWatch struct {
	read    func() (open, limit uint64, known bool)
	log     *slog.Logger
	few     shortage
	refused *prometheus.CounterVec // by kind

	mu      sync.Mutex // guards what follows
	known   bool
	others  int64 // open when it was looked at, without inbound connections
	limit   int64
	inbound int64
	turned  bool // connections were refused since the last look
}

// fileReserve is how many files are kept free, of limit.
func fileReserve(limit int64) int64 {
	return min(max(limit/fileShare, leastFileReserve), utmostFileReserve)
}

// check looks once.
func (w *fileWatch) check() {
	open, limit, known := w.read()
	w.mu.Lock()
	w.known, w.limit = known, int64(limit)
	w.others = max(int64(open)-w.inbound, 0)
	turned := w.turned
	w.turned = false
	w.mu.Unlock()
	if !known {
		return
	}
	free, reserve := int64(limit)-int64(open), fileReserve(int64(limit))
	switch {
	case turned || free < peerReserves*reserve:
		w.few.begin(w.log, "few more files can be opened, inbound connections are refused; raise the limit (ulimit -n, LimitNOFILE= of systemd)",
			"open", open, "limit", limit)
	case free >= 2*peerReserves*reserve:
		w.few.end(w.log, "enough files can be opened again", "open", open, "limit", limit)
	}
}

// Run checks from time to time until ctx is done.
func (w *fileWatch) Run(ctx context.Context) error {
	return watch(ctx, func() error { w.check(); return nil })
}

// enter counts a connection in, if there is room for it beside that many
// reserves.
func (w *fileWatch) enter(reserves int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known && w.others+w.inbound+reserves*fileReserve(w.limit) >= w.limit {
		w.turned = true
		return false
	}
	w.inbound++
	return true
}

func (w *fileWatch) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inbound--
}

// listener makes ln close connections, of this kind ("peer", "http"), for
// which there is no room beside that many reserves.
func (w *fileWatch) listener(ln net.Listener, kind string, reserves int64) net.Listener {
	return &guardedListener{Listener: ln, watch: w, reserves: reserves, refused: w.refused.WithLabelValues(kind)}
}

type guardedListener struct {
	net.Listener
	watch    *fileWatch
	reserves int64
	refused  prometheus.Counter
}

// Accept implements net.Listener.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.watch.enter(l.reserves) {
			return &guardedConn{Conn: conn, leave: sync.OnceFunc(l.watch.leave)}, nil
		}
		l.refused.Inc()
		conn.Close()
	}
}

// guardedConn is counted out when it is closed.
type guardedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
