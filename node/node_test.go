package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"

	"github.com/charterchain/charter/node/config"
	"github.com/charterchain/charter/node/version"
	"github.com/charterchain/charter/rpc/client"
)

// newNode opens a node of the shipped development chain in dir.
func newNode(t *testing.T, dir string) *Node { return newNodeWith(t, dir, func(*Options) {}) }

func newNodeWith(t *testing.T, dir string, change func(*Options)) *Node {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	cfg := config.Register(fs, dir)
	err := fs.Parse([]string{"--chain=dev", "--datadir=" + dir, "--no-listen", "--dbcache=16", "--rpclisten=127.0.0.1:0", "--metrics=127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := LoadChain("dev", dir)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		Config: cfg, Params: p, Dir: filepath.Join(dir, p.Name), Version: version.Number,
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Random: rand.Reader,
		FreeSpace: func(string) (uint64, error) { return 10 * lowDisk, nil },
		Memory:    func() (Memory, bool) { return Memory{8 << 30, 4 << 30}, true },
	}
	change(&opts)
	n, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// run lets a node live until the test ends, and returns its metrics URL.
func run(t *testing.T, n *Node) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n.MetricsURL()
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A node that is stopped before it has read the transactions of the last run
// keeps them.
func TestStopBeforePoolIsRead(t *testing.T) {
	n := newNode(t, t.TempDir())
	write(t, n.path(poolName), "transactions of the last run")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.loadPool(ctx)
	if err := n.savePool(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(n.path(poolName)); err != nil || string(got) != "transactions of the last run" {
		t.Errorf("the file holds %q now (%v)", got, err)
	}
}

func TestHealthOverHTTP(t *testing.T) {
	url := run(t, newNode(t, t.TempDir()))
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := get(t, url+path); status != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

func rpcClient(t *testing.T, n *Node) *client.Client {
	t.Helper()
	login, err := os.ReadFile(n.path(cookieName))
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(login), ":")
	c, err := client.New(n.RPCURL(), client.Password(user, password))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestShortages runs a node that has little of everything: it says so, keeps
// its cache small and answers while it can.
func TestShortages(t *testing.T) {
	var open atomic.Uint64
	open.Store(1024 - 200)
	n := newNodeWith(t, t.TempDir(), func(o *Options) {
		o.FreeSpace = func(string) (uint64, error) { return mineReserve - 1, nil }
		o.Memory = func() (Memory, bool) { return Memory{1 << 30, 1 << 20}, true }
		o.OpenFiles = func() (uint64, uint64, bool) { return open.Load(), 1024, true }
	})
	url := run(t, n)
	c, ready := rpcClient(t, n), ""
	for deadline := time.After(10 * time.Second); !strings.Contains(ready, "memory low"); {
		select {
		case <-deadline:
			t.Fatalf("memory is not low: %q", ready)
		default:
		}
		if _, ready = get(t, url+"/readyz"); !strings.Contains(ready, "files") {
			t.Fatalf("few files are not said: %q", ready)
		}
	}
	for _, method := range []string{"getblockchaininfo", "getnetworkinfo", "getmininginfo"} {
		var info struct {
			Warnings string `json:"warnings"`
		}
		if err := c.Call(t.Context(), method, nil, &info); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"disk low", "memory low", "inbound connections are refused"} {
			if !strings.Contains(info.Warnings, want) {
				t.Errorf("%s: warnings %q, want %q", method, info.Warnings, want)
			}
		}
	}
	_, text := get(t, url+"/metrics")
	for _, want := range []string{
		`charter_node_resource_short{resource="disk"} 1`, `charter_node_resource_short{resource="memory"} 1`,
		`charter_node_resource_short{resource="files"} 1`, "charter_node_memory_available_bytes 1.048576e+06",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	open.Store(1024)
	n.files.check()
	if _, err := (&http.Client{Transport: new(http.Transport)}).Get(url + "/livez"); err == nil {
		t.Error("answered although no more files can be opened")
	}
}

// All metrics of all parts are named and explained as Prometheus asks for,
// and those that operators rely on are there.
func TestMetrics(t *testing.T) {
	n := newNode(t, t.TempDir())
	url := run(t, n)
	if err := rpcClient(t, n).Call(t.Context(), "getblockcount", nil, nil); err != nil {
		t.Fatal(err)
	}
	_, text := get(t, url+"/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name := range families {
		if !strings.HasPrefix(name, "charter_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s does not begin with charter_", name)
		}
	}
	for _, name := range []string{
		"charter_chain_height", "charter_chain_header_height", "charter_chain_work", "charter_chain_reorganisations_total",
		"charter_chain_utxos", "charter_chain_utxo_cache_bytes", "charter_chain_block_connect_seconds",
		"charter_node_resource_short", "charter_node_memory_available_bytes", "charter_node_refused_connections_total",
		"charter_node_best_block_age_seconds", "charter_node_build_info", "charter_sigcheck_inputs_total",
		"charter_sigcheck_batches_total", "charter_sigcheck_wrong_hints_total", "charter_sigcheck_overruled_inputs_total",
		"charter_mempool_transactions", "charter_mempool_size_bytes", "charter_p2p_peers",
		"charter_rpc_requests_total", "charter_rpc_request_duration_seconds", "charter_rpc_websocket_clients",
		"go_goroutines", "process_cpu_seconds_total",
	} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// What ended a node is told once, although every part that still has to
// write meets it again.
func TestCloseAfterFailure(t *testing.T) {
	full, other := errors.New("disk full"), errors.New("other")
	n := &Node{ended: full}
	for _, err := range []error{full, nil, other} {
		n.onClose(func() error { return err })
	}
	if err := n.Close(); !errors.Is(err, other) || errors.Is(err, full) {
		t.Errorf("closing says %v", err)
	}
}
