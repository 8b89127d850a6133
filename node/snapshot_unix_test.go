//go:build unix

package node

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSnapshotFromPipe: nobody writes to the pipe, and the node must not wait
// for that.
func TestSnapshotFromPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := snapshotFiles{&Node{}}.Load(context.Background(), path, nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "no plain file") {
			t.Errorf("a pipe is loaded: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the load waits")
	}
}
