package index

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestWaitIsLoggedOnce: while the chain is on its way the reason changes with
// every block; the log has it once, the status as it is now.
func TestWaitIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := &follower{log: slog.New(slog.NewTextHandler(&log, nil)), changed: make(chan struct{}), gauge: func(float64) {}}
	logged := func() int { return strings.Count(log.String(), "cannot go on") }
	for height := range 5 {
		f.wait(fmt.Errorf("%w: at height %d", ErrNoData, height))
	}
	if got := logged(); got != 1 || !strings.HasSuffix(f.waiting, "at height 4") {
		t.Errorf("logged %d times; waits for %q", got, f.waiting)
	}
	f.wait(errors.New("the disk does not read"))
	if got := logged(); got != 2 {
		t.Errorf("another reason: logged %d times", got)
	}
	f.update(func() { f.waiting = "" }) // it went on
	f.wait(errors.New("the disk does not read"))
	if got := logged(); got != 3 {
		t.Errorf("after it went on: logged %d times", got)
	}
}
