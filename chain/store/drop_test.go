package store_test

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestDropCutShort stops a drop at every one of its changes: the next start,
// without being asked to drop anything, finds all as it was, or all dropped
// that was to be dropped.
func TestDropCutShort(t *testing.T) {
	base := filled(t, 9)
	for _, what := range []struct {
		name   string
		ask    func(*store.Config)
		indexN int // rows left in the index once it is done
	}{
		{"index", func(c *store.Config) { c.DropIndex = true }, 0},
		{"chainstate", func(c *store.Config) { c.DropChainstate = true }, 9},
	} {
		t.Run(what.name, func(t *testing.T) {
			dropped := 0
			for k := 1; ; k++ {
				d := base.Crash(storetest.LoseNothing)
				d.StopAt(k, false)
				cfg := config(d)
				what.ask(&cfg)
				s, err := store.Open(cfg)
				if err == nil {
					mustClose(t, s)
					break // the drop took fewer changes
				}
				for _, loss := range []storetest.Loss{storetest.LoseNothing, storetest.LoseUnsynced, storetest.TearUnsynced} {
					done, err := droppedOrWhole(d.Crash(loss), what.indexN)
					if err != nil {
						t.Fatalf("change %d, loss %d: %v", k, loss, err)
					}
					if done {
						dropped++
					}
				}
			}
			if dropped == 0 {
				t.Error("no drop that was cut short was ever finished")
			}
		})
	}
}

// droppedOrWhole opens d and says whether what was asked for is gone.
func droppedOrWhole(d *storetest.Disk, indexN int) (dropped bool, err error) {
	s, err := store.Open(config(d))
	if err != nil {
		return false, err
	}
	rows := 0
	if err := s.EachIndex(func(store.IndexRow) error { rows++; return nil }); err != nil {
		return false, err
	}
	_, best := s.Best()
	switch {
	case best && rows == 9:
	case !best && rows == indexN:
		dropped = true
	default:
		err = fmt.Errorf("%d index rows, committed state: %v", rows, best)
	}
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return dropped, err
}
