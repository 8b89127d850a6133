package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/index"
	"github.com/charterchain/charter/rpc/client"
)

// Bounds of the HTTP side; doc.go lists them.
const (
	bodySlack     = 1 << 20
	bodyWait      = 60 * time.Second
	maxHTTPCalls  = 128
	authDelay     = 250 * time.Millisecond
	maxBatch      = 1000
	maxBatchReply = 256 << 20
)

// Config is what a Server is built from. Chain, Mempool, Miner, Stop, Now and
// Log are required.
type Config struct {
	Chain   Chain
	Mempool Mempool
	Miner   Miner
	Peers   Peers // nil: the node has no peer-to-peer part

	// Indexes are the optional indexes; nil: none.
	Indexes *index.Set

	// Users may call every method. Nobody else may call any.
	Users []Credential

	// Stop begins the node's shutdown and returns at once.
	Stop func()

	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics // nil: not counted

	// UserAgent is the node's name and version, as "/Charter:0.1.0/", and
	// Version the same as a number: 10000·major + 100·minor + patch.
	UserAgent string
	Version   int

	// ProtocolVersion is the peer-to-peer protocol's.
	ProtocolVersion int

	// Backup copies the node's data to dir, an absolute path; with its key
	// if asked for. nil: there is no method for it.
	Backup func(ctx context.Context, dir string, withKey bool) (chain.BackupReport, error)

	// Snapshots writes and reads UTXO snapshots. nil: not offered.
	Snapshots Snapshots

	// Warnings says what an operator should look after; "": nothing. nil:
	// not known.
	Warnings func() string

	// MiningStatus says how mining stands where it is restricted, without
	// Own and Restart; ok is false elsewhere. nil: not known.
	MiningStatus func() (status *client.MiningStatus, ok bool)

	// Entrance says how others reach this node. nil: they do not.
	Entrance func() Entrance

	// SizeOnDisk returns the bytes of blocks and undo data. nil: not shown.
	SizeOnDisk func() int64

	// Hosts are names, besides localhost and IP addresses, under which web
	// pages of this very server may call it.
	Hosts []string
}

// Server answers requests. It is an http.Handler for POST / and GET /ws.
type Server struct {
	users   []Credential
	hosts   []string
	now     func() time.Time
	log     *slog.Logger
	metrics *Metrics

	table    *table
	shape    *shaper
	notifier *notifier
	slots    chan struct{}
	maxBody  int64

	stopping context.Context // ends when Shutdown is called
	stop     context.CancelFunc
}

// New builds a server. It starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Chain == nil || cfg.Mempool == nil || cfg.Miner == nil || cfg.Stop == nil || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("rpc: Config needs Chain, Mempool, Miner, Stop, Now and Log")
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Warnings == nil {
		cfg.Warnings = func() string { return "" }
	}
	if cfg.MiningStatus == nil {
		cfg.MiningStatus = func() (*client.MiningStatus, bool) { return nil, false }
	}
	p := cfg.Chain.Params()
	s := &Server{
		users:   cfg.Users,
		hosts:   cfg.Hosts,
		now:     cfg.Now,
		log:     cfg.Log.With("pkg", "rpc"),
		metrics: cfg.Metrics,
		slots:   make(chan struct{}, maxHTTPCalls),
		maxBody: 2*p.Limits.BlockSerialized + bodySlack,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.notifier = newNotifier(cfg.Metrics, cfg.Chain.Best().Hash)
	s.table = newTable(s.metrics, s.now, s.stopping)
	s.shape = &shaper{address: p.Address, chain: cfg.Chain}
	s.table.add(methodsOf(&cfg, s)...)
	return s, nil
}

// methodsOf lists every method, area by area.
func methodsOf(cfg *Config, s *Server) []*method {
	shape, authority := s.shape, newAuthorityMethods(cfg)
	var all []*method
	for _, area := range [][]*method{
		(&blockchainMethods{cfg: cfg}).methods(),
		(&blockMethods{chain: cfg.Chain, shape: shape}).methods(),
		(&hintMethods{chain: cfg.Chain}).methods(),
		(&coinMethods{chain: cfg.Chain, pool: cfg.Mempool, shape: shape}).methods(),
		(&coinSetMethods{chain: cfg.Chain}).methods(),
		(&verifyMethods{chain: cfg.Chain}).methods(),
		(&pruneMethods{chain: cfg.Chain}).methods(),
		(&snapshotMethods{chain: cfg.Chain, files: cfg.Snapshots}).methods(),
		(&scanMethods{chain: cfg.Chain}).methods(),
		(&mempoolMethods{pool: cfg.Mempool}).methods(),
		(&rawTxMethods{chain: cfg.Chain, pool: cfg.Mempool, shape: shape, txs: cfg.Indexes.Tx()}).methods(),
		(&indexMethods{cfg: cfg, shape: shape}).methods(),
		newMiningMethods(cfg, s.notifier).methods(),
		(&generateMethods{chain: cfg.Chain, pool: cfg.Mempool, miner: cfg.Miner}).methods(),
		(&sealMethods{cfg: cfg}).methods(),
		(&memberMethods{chain: cfg.Chain}).methods(),
		(&permissionMethods{chain: cfg.Chain, miner: cfg.Miner}).methods(),
		(&grantMethods{chain: cfg.Chain, authority: authority}).methods(),
		(&simulateMethods{chain: cfg.Chain}).methods(),
		authority.methods(),
		(&networkMethods{cfg: cfg}).methods(),
		(&joinMethods{cfg: cfg}).methods(),
		(&utilMethods{address: cfg.Chain.Params().Address}).methods(),
		(&backupMethods{run: cfg.Backup}).methods(),
		(&controlMethods{cfg: cfg, table: s.table, started: cfg.Now()}).methods(),
		subscriptionMethods(cfg.Users),
	} {
		all = append(all, area...)
	}
	return all
}

// Shutdown ends long polls and WebSocket connections, and waits until these
// have sent what was queued for them or ctx ends. The HTTP server's own
// Shutdown does not know them.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	return s.notifier.shutdown(ctx)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.checkOrigin(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case "/":
		s.servePost(w, r)
	case "/ws":
		s.serveWS(w, r)
	default:
		http.Error(w, "nothing here: POST / takes JSON-RPC, /ws WebSocket connections", http.StatusNotFound)
	}
}

func (s *Server) servePost(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "JSONRPC server handles only POST requests", http.StatusMethodNotAllowed)
		return
	}
	user, password, _ := r.BasicAuth()
	if !authorized(s.users, user, password) {
		s.refuseLogin(w, r)
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		http.Error(w, "too many requests at once, try again", http.StatusServiceUnavailable)
		return
	}
	body, err := s.readBody(w, r)
	if err != nil {
		status := http.StatusBadRequest
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
			err = fmt.Errorf("request is larger than %d bytes", s.maxBody)
		}
		http.Error(w, err.Error(), status)
		return
	}
	ctx, cancel := s.untilShutdown(r.Context())
	defer cancel()
	status, reply := s.answer(ctx, body, nil)
	writeReply(w, status, reply)
}

// untilShutdown returns a context that also ends when the server stops.
func (s *Server) untilShutdown(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	detach := context.AfterFunc(s.stopping, cancel)
	return ctx, func() { detach(); cancel() }
}

// refuseLogin answers a request without a valid login. The wait slows guessing
// down; it costs a caller with a valid login nothing, because that is looked at
// first.
func (s *Server) refuseLogin(w http.ResponseWriter, r *http.Request) {
	s.metrics.authFailures.Inc()
	s.log.Debug("login refused", "remote", r.RemoteAddr)
	wait := time.NewTimer(authDelay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
	case <-s.stopping.Done():
	}
	// The body was not read: the connection cannot be used again.
	w.Header().Set("Connection", "close")
	w.Header().Set("WWW-Authenticate", `Basic realm="jsonrpc"`)
	w.WriteHeader(http.StatusUnauthorized)
}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > s.maxBody {
		return nil, &http.MaxBytesError{Limit: s.maxBody}
	}
	// A timer instead of a deadline computed from the clock: that one may be
	// a test's. Where the connection cannot have a deadline there is none.
	conn := http.NewResponseController(w)
	late := time.AfterFunc(bodyWait, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer late.Stop()
	return io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
}

func writeReply(w http.ResponseWriter, status int, reply []byte) {
	if reply == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(reply) // the client may be gone; there is nobody to tell
}

// encode writes v as one line of JSON. Everything that is replied can be
// encoded; a value that cannot is a fault of ours and is said so.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		b.Reset()
		_ = enc.Encode(legacyReply{Error: fail(codeInternal, "encode the reply: %v", err)})
	}
	return b.Bytes()
}
