package node

import "testing"

// TestHeapWatch: the limit leaves room for the rest beside --dbcache, and is
// above what is in use.
func TestHeapWatch(t *testing.T) {
	var used, limit int64
	w := &heapWatch{cache: 100 << 20, used: func() int64 { return used }, limit: func(n int64) { limit = n }}
	for _, tt := range []struct{ used, want int64 }{
		{0, 228 << 20},
		{171 << 20, 228 << 20},
		{174 << 20, 228 << 20}, // too little a change
		{180 << 20, 240 << 20},
		{900 << 20, 1200 << 20},
		{30 << 20, 228 << 20},
	} {
		used = tt.used
		if w.check(); limit != tt.want {
			t.Errorf("%d MiB in use: limit %d, want %d", tt.used>>20, limit, tt.want)
		}
	}
	if newHeapWatch(1, func(string) string { return "1GiB" }) != nil {
		t.Error("the operator's limit is not left alone")
	}
	if w := newHeapWatch(1, func(string) string { return "" }); w == nil || w.used() < 1<<20 {
		t.Error("no memory in use")
	}
	var none *heapWatch
	if err := none.Run(t.Context()); err != nil {
		t.Error(err)
	}
}
