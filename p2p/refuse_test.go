package p2p

import (
	"encoding/binary"
	"testing"
	"time"
)

func TestRefusalsGrowAndEnd(t *testing.T) {
	r := newRefusals()
	now := time.Unix(1_000_000, 0)
	key := [32]byte{1}
	refused := func(at time.Time) bool { _, ok := r.until(key, at); return ok }
	r.add(key, now)
	if !refused(now.Add(firstRefusal-1)) || refused(now.Add(firstRefusal)) {
		t.Error("first refusal does not last as long as it should")
	}
	r.add(key, now.Add(time.Hour))
	if at := now.Add(time.Hour + 2*firstRefusal); !refused(at.Add(-1)) || refused(at) {
		t.Error("second refusal is not twice as long")
	}
	for range 20 {
		r.add(key, now)
	}
	if !refused(now.Add(longestRefusal-1)) || refused(now.Add(longestRefusal)) {
		t.Error("refusals are not bounded")
	}
	later := now.Add(10 * longestRefusal)
	r.add(key, later)
	if refused(later.Add(firstRefusal)) {
		t.Error("old faults are not forgotten")
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	r := newRefusals()
	now := time.Unix(1_000_000, 0)
	for i := range maxRefusals + 10 {
		var key [32]byte
		binary.BigEndian.PutUint32(key[:], uint32(i))
		r.add(key, now.Add(time.Duration(i)))
	}
	if len(r.byKey) != maxRefusals {
		t.Errorf("%d remembered, want %d", len(r.byKey), maxRefusals)
	}
	if _, ok := r.until([32]byte{}, now); ok {
		t.Error("the oldest was not the one to go")
	}
}
