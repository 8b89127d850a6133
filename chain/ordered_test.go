package chain

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestOrdered: items come in the order of production with their work done, not
// more than the limit of them is under way, and none is lost at the end.
func TestOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 4 * orderedLeast
		var under atomic.Int64
		var most int64
		o := newOrdered(t.Context(), limit, func(o *ordered[*int]) {
			for i := range 100 {
				size, ok := o.reserve(int64(i%3) * orderedLeast)
				if !ok {
					return
				}
				most = max(most, under.Add(size))
				item := i
				var work func(*int)
				if i%7 != 0 {
					work = func(item *int) { *item *= 2 }
				}
				if !o.add(&item, size, work) {
					t.Error("an item was not taken")
				}
			}
		})
		var got []int
		for i := range 60 {
			synctest.Wait() // production is as far as it may be
			item, ok := o.next()
			if !ok {
				t.Fatal("no more items")
			}
			want := i
			if i%7 != 0 {
				want *= 2
			}
			if *item != want {
				t.Fatalf("item %d is %d, want %d", i, *item, want)
			}
			under.Add(-max(int64(i%3), 1) * orderedLeast) // given back by the next call
		}
		o.end(func(item *int) { got = append(got, *item) })
		if most > limit+2*orderedLeast || most < limit {
			t.Errorf("%d bytes were under way, the limit is %d and what the last one took", most, limit)
		}
		if len(got) == 0 || !slices.Contains(got, 60*2) {
			t.Errorf("the rest is %v", got)
		}
		if _, ok := o.next(); ok {
			t.Error("an item comes after the end")
		}
	})
}

// TestOrderedLargest: an item larger than the limit passes alone.
func TestOrderedLargest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrdered(t.Context(), 100<<10, func(o *ordered[int]) {
			for i := range 3 {
				if size, ok := o.reserve(1 << 30); ok {
					o.add(i, size, nil)
				}
			}
		})
		for i := range 3 {
			if got, ok := o.next(); !ok || got != i {
				t.Fatal(got, ok)
			}
		}
		if _, ok := o.next(); ok {
			t.Error("a fourth item")
		}
		o.end(nil)
	})
}

// TestOrderedEnds: a user that stops early, or whose context ends, leaves no
// goroutine behind.
func TestOrderedEnds(t *testing.T) {
	for _, cancelFirst := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := newOrdered(ctx, 2*orderedLeast, func(o *ordered[int]) {
				for i := 0; ; i++ {
					size, ok := o.reserve(1)
					if !ok || !o.add(i, size, func(int) {}) {
						return
					}
				}
			})
			o.next()
			if cancelFirst {
				cancel()
				synctest.Wait()
			}
			o.end(func(int) {})
		})
	}
}

// TestAheadLimit: the window takes a part of the memory for coins, within bounds.
func TestAheadLimit(t *testing.T) {
	l := newLookahead(90 << 20)
	for cache, want := range map[int64]int64{0: 16 << 20, 48 << 20: 16 << 20, 90 << 20: 30 << 20, 288 << 20: 96 << 20, 1 << 40: 96 << 20} {
		l.share(cache)
		if got := l.most(); got != want {
			t.Errorf("%d bytes of %d for coins, want %d", got, cache, want)
		}
	}
}
