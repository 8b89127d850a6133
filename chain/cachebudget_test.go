package chain_test

import (
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

// TestSetCacheBytes: a budget that is used up flushes, one that is not does
// nothing, and the chain goes on.
func TestSetCacheBytes(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	committed := func() int32 {
		row, _ := h.Store.Best()
		return row.Height
	}
	h.Next("b1").Accept()
	if err := h.Chain.SetCacheBytes(t.Context(), 16<<20); err != nil || committed() != 0 {
		t.Errorf("room enough: %v, flushed at height %d", err, committed())
	}
	if err := h.Chain.SetCacheBytes(t.Context(), 1); err != nil || committed() != 1 {
		t.Errorf("no room: %v, flushed at height %d", err, committed())
	}
	if size := h.Chain.Stats().CacheBytes; size != 0 {
		t.Errorf("%d bytes are kept", size)
	}
	h.Next("b2", h.Spend("b1")).Accept()
	h.ExpectTip("b2")
}
