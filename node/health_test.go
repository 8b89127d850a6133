package node

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/p2p"
)

func TestReady(t *testing.T) {
	tests := []struct {
		name   string
		change func(*health)
		want   string // empty: ready
	}{
		{"all well", func(*health) {}, ""},
		{"two behind", lag(2), ""},
		{"three behind", lag(3), "lagging 3 blocks"},
		{"six behind", lag(6), "lagging 6 blocks"},
		{"seven behind", lag(7), "syncing: at height 100 of 107"},
		{"stored blocks wait", func(h *health) { h.catchUp = func() bool { return true } }, "syncing: stored blocks"},
		{"what strangers claim does not count", func(h *health) {
			h.sync = func() p2p.SyncStatus { return p2p.SyncStatus{Peers: 1, BestHeight: 9999} }
		}, ""},
		{"no peers", func(h *health) { h.sync = func() p2p.SyncStatus { return p2p.SyncStatus{} } }, "no peers"},
		{"not let in", func(h *health) {
			h.sync = func() p2p.SyncStatus { return p2p.SyncStatus{} }
			h.refused = func() string { return "not permitted" }
		}, "configured: not permitted"},
		{"no peers, none wanted", func(h *health) {
			h.wantPeer = false
			h.sync = func() p2p.SyncStatus { return p2p.SyncStatus{} }
		}, ""},
		{"just enough disk", disk(lowDisk, nil), ""},
		{"disk low", disk(lowDisk-1, nil), "disk low: 1023 MiB free"},
		{"memory low", func(h *health) { h.short = func() []string { return []string{"memory low"} } }, "memory low"},
		{"disk not known", disk(0, errors.New("gone")), "gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &health{
				sync:     func() p2p.SyncStatus { return p2p.SyncStatus{Peers: 1, BestHeight: 100} },
				height:   func() int32 { return 100 },
				catchUp:  func() bool { return false },
				wantPeer: true,
				refused:  func() string { return "" },
				free:     func() (uint64, error) { return 2 * lowDisk, nil },
				short:    func() []string { return nil },
			}
			tt.change(h)
			srv := monitoring(prometheus.NewRegistry(), h)
			rec := httptest.NewRecorder()
			srv.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			status := http.StatusOK
			if tt.want != "" {
				status = http.StatusServiceUnavailable
			}
			if rec.Code != status || !strings.Contains(rec.Body.String(), tt.want) {
				t.Errorf("status %d, %q; want %d with %q", rec.Code, rec.Body, status, tt.want)
			}
			rec = httptest.NewRecorder()
			srv.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/livez", nil))
			if rec.Code != http.StatusOK {
				t.Errorf("/livez: status %d", rec.Code)
			}
		})
	}
}

func lag(blocks int32) func(*health) {
	return func(h *health) {
		h.sync = func() p2p.SyncStatus { return p2p.SyncStatus{Peers: 1, Lag: blocks, Syncing: blocks > 0} }
	}
}

func disk(free uint64, err error) func(*health) {
	return func(h *health) { h.free = func() (uint64, error) { return free, err } }
}
