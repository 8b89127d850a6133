package consensus

import (
	"bytes"
	"runtime"
	"testing"
)

// TestMemoryIsHonest compares what a decoded block says of its memory with
// what it takes.
func TestMemoryIsHonest(t *testing.T) {
	raw, _ := fullBlock(t)
	const n = 8
	var blocks []*Block
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		b, err := DecodeBlock(bytes.Clone(raw), fourMillion())
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	took := float64(after.HeapAlloc-before.HeapAlloc) / n
	said := float64(blocks[0].Memory())
	t.Logf("a block of %d bytes takes %.0f and says %.0f", len(raw), took, said)
	if said < 0.85*took || said > 1.15*took {
		t.Errorf("a block of %d bytes takes %.0f bytes of memory and says %.0f", len(raw), took, said)
	}
	runtime.KeepAlive(blocks)
}
