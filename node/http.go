package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"

	"github.com/charterchain/charter/node/config"
)

// Bounds on HTTP connections. A reply has no bound of its own: long polls
// and large blocks take their time.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	shutdownWait   = 5 * time.Second
	maxHeaderBytes = 64 << 10
)

// certLife is how long a certificate made here is valid.
const certLife = 10 * 365 * 24 * time.Hour

// httpListener is one address with what it serves.
type httpListener struct {
	name   string // for messages: the flag that sets it
	ln     net.Listener
	server *http.Server
}

// listenHTTP opens addr; with TLS unless it is a loopback address. guard is
// put around the listener of the connections as they are.
func listenHTTP(name, addr, dir string, handler http.Handler, guard func(net.Listener) net.Listener, log *slog.Logger) (*httpListener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, listenError(name, addr, err)
	}
	ln = guard(ln)
	if !config.IsLoopback(addr) {
		cert, err := loadCert(dir, addr)
		if err != nil {
			ln.Close()
			return nil, err
		}
		ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}})
	}
	return &httpListener{name: name, ln: ln, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// What clients do wrong is theirs; a server's own faults come back
		// from Serve.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}, nil
}

// addHTTP opens a listener that Run serves.
func (n *Node) addHTTP(name, addr string, handler http.Handler) error {
	guard := func(ln net.Listener) net.Listener { return n.files.listener(ln, "http", httpReserves) }
	l, err := listenHTTP(name, addr, n.opts.Dir, handler, guard, n.opts.Log)
	if err != nil {
		return err
	}
	n.http = append(n.http, l)
	n.onClose(func() error {
		if err := l.ln.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// listenError names the flag that changes a taken address.
func listenError(name, addr string, err error) error {
	return fmt.Errorf("listen on %s: %w; --%s HOST:PORT takes another address", addr, err, name)
}

// Run serves until ctx is done.
func (l *httpListener) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
		defer cancel()
		if l.server.Shutdown(wait) != nil {
			l.server.Close()
		}
	})
	err := l.server.Serve(l.ln)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve --%s %s: %w", l.name, l.ln.Addr(), err)
}

func (l *httpListener) scheme() string {
	if config.IsLoopback(l.ln.Addr().String()) {
		return "http"
	}
	return "https"
}

// loadCert reads the node's certificate, or makes one for the host of addr.
func loadCert(dir, addr string) (tls.Certificate, error) {
	certPath, keyPath := filepath.Join(dir, tlsCertName), filepath.Join(dir, tlsKeyName)
	if _, err := os.Stat(certPath); errors.Is(err, os.ErrNotExist) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return tls.Certificate{}, err
		}
		cert, key, err := btcutil.NewTLSCertPair("Charter node", time.Now().Add(certLife), []string{host})
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("make a TLS certificate: %w", err)
		}
		if err := errors.Join(replaceFile(keyPath, key), replaceFile(certPath, cert)); err != nil {
			return tls.Certificate{}, fmt.Errorf("write the TLS certificate: %w", err)
		}
	}
	cert, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return cert, fmt.Errorf("TLS certificate %s with key %s: %w; move both away for new ones", certPath, keyPath, err)
	}
	return cert, nil
}

// profiler serves Go's runtime profiles.
func profiler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
