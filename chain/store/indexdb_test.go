package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

func openIndex(t *testing.T, d *storetest.Disk) (*store.Store, *store.IndexDB) {
	t.Helper()
	s, err := store.Open(config(d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	x, err := s.OpenIndex("test", 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, x
}

func writeRows(x *store.IndexDB, keys ...string) error {
	var b store.IndexBatch
	for _, k := range keys {
		b.Put([]byte(k), []byte("of "+k))
	}
	return x.Write(&b)
}

// keysOf walks r and stops after most keys.
func keysOf(t *testing.T, x *store.IndexDB, r store.IndexRange, most int) (keys []string) {
	t.Helper()
	err := x.View(func(v *store.IndexView) error {
		return v.Each(r, func(k, _ []byte) (bool, error) {
			keys = append(keys, string(k))
			return len(keys) < most, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestIndexRange compares walks with a sorted list.
func TestIndexRange(t *testing.T) {
	_, x := openIndex(t, storetest.New())
	rng := rand.New(rand.NewPCG(1, 1))
	var all []string
	for range 60 {
		k := fmt.Sprintf("%c%c%c", 'a'+rng.IntN(3), 'a'+rng.IntN(4), 'a'+rng.IntN(4))
		if !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	all = append(all, "b\xff", "b\xff\xff")
	if err := writeRows(x, all...); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	for range 400 {
		r := store.IndexRange{Reverse: rng.IntN(2) == 0}
		r.Prefix = []byte("abcdb"[rng.IntN(5):][:rng.IntN(2)])
		if rng.IntN(3) > 0 {
			r.From = append(slices.Clone(r.Prefix), string([]rune{rune(97 + rng.IntN(4)), rune(97 + rng.IntN(4))})[:rng.IntN(3)]...)
		}
		most := 1 + rng.IntN(20)
		var want []string
		for _, k := range all {
			in := strings.HasPrefix(k, string(r.Prefix))
			if r.From != nil {
				in = in && (k == string(r.From) || k > string(r.From) != r.Reverse)
			}
			if in {
				want = append(want, k)
			}
		}
		if r.Reverse {
			slices.Reverse(want)
		}
		if diff := cmp.Diff(want[:min(most, len(want))], keysOf(t, x, r, most), empty); diff != "" {
			t.Fatalf("%q %q reverse %v (-want +got):\n%s", r.Prefix, r.From, r.Reverse, diff)
		}
	}
}

var empty = cmp.Transformer("empty", func(l []string) string { return strings.Join(l, "|") })

// TestClearStops: a Clear that is cut short at any change leaves the old
// rows or none, and never a damaged database.
func TestClearStops(t *testing.T) {
	for k, done := 1, false; !done; k++ {
		for _, loss := range []storetest.Loss{storetest.LoseNothing, storetest.LoseUnsynced, storetest.TearUnsynced} {
			d := storetest.New()
			s, x := openIndex(t, d)
			if err := writeRows(x, "a", "b"); err != nil {
				t.Fatal(err)
			}
			d.StopAt(k, false)
			err := x.Clear()
			if done = err == nil; !done && !errors.Is(err, storetest.ErrStopped) {
				t.Fatalf("change %d: %v", k, err)
			}
			s.Close()
			after, y := openIndex(t, d.Crash(loss))
			got := keysOf(t, y, store.IndexRange{}, 9)
			if len(got) != 0 && (done || len(got) != 2) {
				t.Errorf("change %d, loss %d: rows %q", k, loss, got)
			}
			if err := writeRows(y, "c"); err != nil {
				t.Error(err)
			}
			after.Close()
		}
	}
}

// TestIndexDamage: damage in an index is named and leaves the store as it is.
func TestIndexDamage(t *testing.T) {
	d := storetest.New()
	s, x := openIndex(t, d)
	for i := range 9 {
		if err := writeRows(x, fmt.Sprint("key", i)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	for _, name := range d.Names() {
		if filepath.Dir(name) == filepath.Join("data", "indexes", "test") && filepath.Ext(name) == ".log" {
			b := d.ReadFile(name)
			b[len(b)/2] ^= 1
			d.WriteFile(name, b)
		}
	}
	s, err := store.Open(config(d))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.OpenIndex("test", 0)
	var damage *store.DamageError
	if !errors.As(err, &damage) || filepath.Dir(damage.File) != filepath.Join("indexes", "test") {
		t.Errorf("error %v, want damage below indexes/test", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("the store failed: %v", err)
	}
	if _, err := s.OpenIndex("other", 0); err != nil {
		t.Error(err)
	}
}

// TestIndexLife: names, and what comes after Close.
func TestIndexLife(t *testing.T) {
	s, x := openIndex(t, storetest.New())
	for _, name := range []string{"", "a/b", "..", "test"} {
		if _, err := s.OpenIndex(name, 0); err == nil {
			t.Errorf("index %q was opened", name)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := writeRows(x, "a"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	y, err := s.OpenIndex("test", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := y.View(func(*store.IndexView) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("view after the store was closed: %v", err)
	}
}
