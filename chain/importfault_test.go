package chain_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestImportFaults makes the disk fail for good at every third of its changes
// during an import with its blocks looked at ahead. The import ends with an error,
// what it says it has accepted is what the chain has, nothing is looked at
// any more, and the next process finishes the import.
func TestImportFaults(t *testing.T) {
	const n = 8
	maker := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	fuzzBase(maker)
	blocks, _ := spendingChain(maker, n)
	data := framed(t, maker.Maker, blocks...)
	// A chain that flushes at each block.
	begin := func(t *testing.T, disk *storetest.Disk) *chaintest.Harness {
		h := chaintest.New(t, chaintest.Options{FS: disk, Dir: "/data", CacheBytes: 1})
		if h.Chain.Best().Height == 0 {
			fuzzBase(h)
		}
		return h
	}
	for k := 1; ; k += 3 {
		ended := false
		t.Run(fmt.Sprint("change ", k), func(t *testing.T) {
			disk := storetest.New()
			h := begin(t, disk)
			if err := h.Chain.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			base := h.Chain.Best().Height
			disk.StopAt(k, k%2 == 0)
			got, err := h.Chain.Import(t.Context(), bytes.NewReader(data), nil)
			if err == nil && got.Accepted != n {
				t.Errorf("no error, but %+v", got)
			}
			if err == nil { // the last flush may still be under way
				err = h.Chain.Flush(t.Context())
			}
			if ended = err == nil; ended {
				disk.StopAt(1<<30, false)
				return
			}
			if disk.Failed() == 0 {
				t.Fatal(err)
			}
			if height := h.Chain.Best().Height - base; int(height) < got.Accepted || int(height) > got.Accepted+1 {
				t.Errorf("%d blocks are connected, %d were said to be accepted", height, got.Accepted)
			}
			if left := h.Chain.AheadBlocks(); left != 0 {
				t.Errorf("%d blocks are still looked at", left)
			}
			h.Kill()
			after := begin(t, disk.Crash(storetest.LoseUnsynced))
			if _, err := after.Chain.Import(t.Context(), bytes.NewReader(data), nil); err != nil {
				t.Fatal(err)
			}
			if after.Chain.Best().Hash != blocks[n-1].Hash {
				t.Errorf("at height %d in the end", after.Chain.Best().Height)
			}
		})
		if ended || t.Failed() || k > 400 {
			break
		}
	}
}
