//go:build unix

package node

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/node/config"
)

// TestLoadBlockFromIdlePipe: a node that reads a pipe into which nobody writes
// can be stopped.
func TestLoadBlockFromIdlePipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip("no pipes with names here: ", err)
	}
	writer, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	n := &Node{chain: h.Chain, log: slog.New(slog.DiscardHandler), opts: Options{
		Now: time.Now, Config: &config.Config{LoadBlock: []string{name}},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- n.loadBlocks(ctx) }()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the import does not end")
	}
}

// TestOpenUntil: a pipe that nobody opens for writing does not keep the node
// from stopping either.
func TestOpenUntil(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip("no pipes with names here: ", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := openUntil(ctx, name)
		ended <- err
	}()
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("opening does not end")
	}
	if f, err := os.OpenFile(name, os.O_RDWR, 0); err == nil { // lets whoever still opens it go
		f.Close()
	}
	if _, err := openUntil(t.Context(), name+"-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
