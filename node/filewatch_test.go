package node

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func newFileWatch(read func() (open, limit uint64, known bool)) *fileWatch {
	return &fileWatch{
		read: read, log: slog.New(slog.DiscardHandler), few: shortage{now: time.Now},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "refused"}, []string{"kind"}),
	}
}

func TestFileReserve(t *testing.T) {
	for limit, want := range map[int64]int64{100: 32, 512: 64, 1024: 128, 2048: 256, 1 << 20: 256} {
		if got := fileReserve(limit); got != want {
			t.Errorf("limit %d: %d kept free, want %d", limit, got, want)
		}
	}
}

// TestFileWatch opens connections where up to 1,024 files may be open: 128 are
// kept free of HTTP clients, 256 of peers.
func TestFileWatch(t *testing.T) {
	open := uint64(760)
	w := newFileWatch(func() (uint64, uint64, bool) { return open, 1024, true })
	w.check()
	fill := func(reserves int64) (n int) {
		for ; w.enter(reserves); n++ {
			open++
		}
		return n
	}
	if n := fill(peerReserves); n != 1024-256-760 {
		t.Errorf("%d peers came in", n)
	}
	if w.few.on.Load() {
		t.Error("short before it was looked at")
	}
	w.check()
	if !w.few.on.Load() {
		t.Error("refusals make no shortage")
	}
	if n := fill(httpReserves); n != 128 {
		t.Errorf("%d clients came in beside the peers", n)
	}
	if w.enter(peerReserves) {
		t.Error("a peer came in")
	}
	// The node itself has opened 20 files, so that many must go.
	open += 20
	w.check()
	for range 20 {
		w.leave()
		open--
	}
	if w.enter(httpReserves) {
		t.Error("a client came in where 128 have to be kept free")
	}
	w.leave()
	if open--; !w.enter(httpReserves) {
		t.Error("no client came in where one is gone")
	}
	// It ends where twice as much is free as where it begins.
	for files, want := range map[uint64]bool{1024 - 512 + 1: true, 1024 - 512: false} {
		open, w.inbound, w.turned = files, 0, false
		w.few.on.Store(true)
		if w.check(); w.few.on.Load() != want {
			t.Errorf("%d open: short %v", files, !want)
		}
	}
	for files, want := range map[uint64]bool{1024 - 256: false, 1024 - 255: true} {
		open = files
		w.few.on.Store(false)
		if w.check(); w.few.on.Load() != want {
			t.Errorf("%d open: short %v", files, !want)
		}
	}
}

func TestFileWatchUnknown(t *testing.T) {
	w := newFileWatch(func() (uint64, uint64, bool) { return 0, 0, false })
	w.check()
	if !w.enter(peerReserves) || w.few.on.Load() {
		t.Error("refused where the limit is not known")
	}
}

// TestGuardedListener: connections past the limit are closed at once, and one
// that ends makes room, once.
func TestGuardedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newFileWatch(func() (uint64, uint64, bool) { return 1024 - 128 - 2, 1024, true })
	w.check()
	ln := w.listener(inner, "http", httpReserves)
	defer ln.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		defer close(accepted)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	dial()
	first := <-accepted
	dial()
	second := <-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a third connection was not closed")
	}
	if n := testutil.ToFloat64(w.refused.WithLabelValues("http")); n != 1 {
		t.Errorf("%v refused", n)
	}
	first.Close()
	first.Close()
	dial()
	<-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a connection that was closed twice made room for two")
	}
	second.Close()
}
