package node

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/charterchain/charter/p2p"
)

// Readiness limits.
const (
	// lagging and syncing are how many blocks the peers may be ahead before
	// the node is not ready, and before it must not mine.
	lagging = 2
	syncing = 6
	// lowDisk is the free space below which the node is not ready, bytes.
	lowDisk = 1 << 30
)

// health answers /livez and /readyz.
type health struct {
	sync     func() p2p.SyncStatus
	height   func() int32  // of the best block
	catchUp  func() bool   // stored blocks wait to be connected
	wantPeer bool          // peers are configured
	refused  func() string // why a peer does not let this node in; "": none does not
	free     func() (uint64, error)
	short    func() []string // what else the machine runs short of
}

// problems lists why the node should not be relied on now; empty: ready.
func (h *health) problems() []string {
	var list []string
	status := h.sync()
	switch height := h.height(); {
	case h.catchUp():
		list = append(list, fmt.Sprintf("syncing: stored blocks are connected, at height %d", height))
	case status.Lag > syncing:
		list = append(list, fmt.Sprintf("syncing: at height %d of %d", height, height+status.Lag))
	case status.Lag > lagging:
		list = append(list, fmt.Sprintf("lagging %d blocks", status.Lag))
	}
	if h.wantPeer && status.Peers == 0 {
		problem := "no peers, although peers are configured"
		if why := h.refused(); why != "" {
			problem += ": " + why
		}
		list = append(list, problem)
	}
	if free, err := h.free(); err != nil {
		list = append(list, fmt.Sprintf("free disk space not known: %v", err))
	} else if free < lowDisk {
		list = append(list, fmt.Sprintf("disk low: %d MiB free, %d MiB needed", free>>20, lowDisk>>20))
	}
	return append(list, h.short()...)
}

// monitoring serves /metrics, /livez and /readyz.
func monitoring(reg prometheus.Gatherer, h *health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if list := h.problems(); len(list) > 0 {
			http.Error(w, strings.Join(list, "\n"), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}
