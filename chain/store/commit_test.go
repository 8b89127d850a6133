package store_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/syndtr/goleveldb/leveldb/journal"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// commits makes n commits on a new disk, of which keep rows are kept.
func commits(t *testing.T, n, keep int) (*storetest.Disk, store.Config) {
	t.Helper()
	d := storetest.New()
	cfg := config(d)
	cfg.KeepRows(uint64(keep))
	s := open(t, cfg)
	for i := range n {
		if err := s.Commit(commitOf(i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)
	return d, cfg
}

func TestCommitRowGolden(t *testing.T) {
	row := store.CommitRow{Generation: 2, Best: [32]byte{0: 0xb1, 31: 0xb2}, Height: 300, Prev: [32]byte{0: 0xc1, 31: 0xc2}, Meta: []byte("meta")}
	zeros := strings.Repeat("00", 30)
	want := "0200000000000000" + "b1" + zeros + "b2" + "2c010000" + "c1" + zeros + "c2" + hex.EncodeToString([]byte("meta"))
	if got := hex.EncodeToString(row.Encode()); got != want {
		t.Errorf("encodes as %s", got)
	}
	back, ok := store.DecodeCommitRow(row.Encode())
	if diff := cmp.Diff(row, back); diff != "" || !ok {
		t.Error(diff, ok)
	}
	if _, ok := store.DecodeCommitRow(row.Encode()[:75]); ok {
		t.Error("75 bytes decode")
	}
	if got := hex.EncodeToString(store.CommitKey(258)); got != "000000000000000102" {
		t.Errorf("key %s", got)
	}
}

// TestCommitRows opens chain states with few, exactly enough and more
// commits than are kept.
func TestCommitRows(t *testing.T) {
	const keep = 4
	for n := range 8 {
		d, cfg := commits(t, n, keep)
		cfg.FS = d
		s := open(t, cfg)
		best, ok := s.Best()
		if ok != (n > 0) || int(best.Generation) != n || int(best.Height) != n {
			t.Errorf("%d commits: best %+v, %v", n, best, ok)
		}
		if n > 0 && (best.Best != hashOf(n) || !bytes.Equal(best.Meta, []byte{byte(n)})) {
			t.Errorf("%d commits: best %+v", n, best)
		}
		rows := 0
		for i := range n {
			if _, ok, _ := s.Get(store.CommitKey(uint64(i + 1))); ok {
				rows++
			}
		}
		if rows != min(n, keep) {
			t.Errorf("%d commits: %d rows", n, rows)
		}
	}
}

// TestCommitRowDamage takes away and changes commit rows.
func TestCommitRowDamage(t *testing.T) {
	type get = func(key []byte) []byte
	type put = func(key, value []byte)
	type del = func(key []byte)
	edit := func(g get, p put, generation uint64, change func(r *store.CommitRow)) {
		key := store.CommitKey(generation)
		row, _ := store.DecodeCommitRow(g(key))
		change(&row)
		p(key, row.Encode())
	}
	tests := []struct {
		name   string
		n      int
		change func(g get, p put, d del)
	}{
		{"first missing", 3, func(_ get, _ put, d del) { d(store.CommitKey(1)) }},
		{"middle missing", 3, func(_ get, _ put, d del) { d(store.CommitKey(2)) }},
		{"last missing", 3, func(_ get, _ put, d del) { d(store.CommitKey(3)) }},
		{"all missing", 1, func(_ get, _ put, d del) { d(store.CommitKey(1)) }},
		{"oldest kept missing", 7, func(_ get, _ put, d del) { d(store.CommitKey(4)) }},
		{"one too many", 7, func(_ get, p put, _ del) { p(store.CommitKey(3), []byte("old")) }},
		{"best pointer missing", 3, func(_ get, _ put, d del) { d([]byte{1}) }},
		{"best pointer to another", 3, func(g get, p put, _ del) {
			p([]byte{1}, store.EncodeBest(2, g(store.CommitKey(2))))
		}},
		{"middle changed", 3, func(g get, p put, _ del) { edit(g, p, 2, func(r *store.CommitRow) { r.Best[5] ^= 1 }) }},
		{"last changed", 3, func(g get, p put, _ del) { edit(g, p, 3, func(r *store.CommitRow) { r.Height++ }) }},
		{"first names another", 3, func(g get, p put, _ del) { edit(g, p, 1, func(r *store.CommitRow) { r.Prev[0] = 1 }) }},
		{"row of another generation", 3, func(g get, p put, _ del) { p(store.CommitKey(2), g(store.CommitKey(1))) }},
		{"short row", 3, func(_ get, p put, _ del) { p(store.CommitKey(2), []byte{1, 2, 3}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, cfg := commits(t, tt.n, 4)
			s := open(t, cfg)
			if err := s.Tamper(tt.change); err != nil {
				t.Fatal(err)
			}
			mustClose(t, s)
			_, err := store.Open(cfg)
			wantDamage(t, err, "chainstate")
			t.Log(err)
		})
	}
}

// TestLogDamage flips every byte of a log as LevelDB writes it.
func TestLogDamage(t *testing.T) {
	var buf bytes.Buffer
	w := journal.NewWriter(&buf)
	var starts []int // of the records
	for _, n := range []int{40, 0, 100, 32 << 10, 70 << 10, 3, 50} {
		r, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		starts = append(starts, buf.Len())
		if _, err := r.Write(bytes.Repeat([]byte{0xab}, n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	b := buf.Bytes()
	if at, damaged := store.FindLogDamage(b); damaged {
		t.Fatalf("intact log: damage at %d", at)
	}
	last := starts[len(starts)-1]
	step := 1
	for at := 0; at < len(b); at += step {
		if step = 1; at > 200 && at < last-20 {
			step = 499
		}
		b[at] ^= 0x20
		found, damaged := store.FindLogDamage(b)
		b[at] ^= 0x20
		if damaged != (at < last) || (damaged && found > at) {
			t.Fatalf("byte %d of %d, last record at %d: damage %v at %d", at, len(b), last, damaged, found)
		}
	}
	for n := last; n < len(b); n++ {
		if at, damaged := store.FindLogDamage(b[:n]); damaged {
			t.Fatalf("cut at %d: damage at %d", n, at)
		}
	}
}

func FuzzFindLogDamage(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add(bytes.Repeat([]byte{1}, 64), uint16(32<<10-20))
	f.Fuzz(func(t *testing.T, b []byte, before uint16) {
		store.FindLogDamage(append(make([]byte, before), b...))
	})
}

func FuzzDecodeCommitRow(f *testing.F) {
	row := store.CommitRow{Generation: 7, Height: -1, Meta: []byte{1}}
	f.Add(row.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		row, ok := store.DecodeCommitRow(b)
		if ok && !bytes.Equal(row.Encode(), b) {
			t.Fatalf("%x decodes, but encodes as %x", b, row.Encode())
		}
	})
}

// FuzzBlockFile opens a store over a block file of any content: it opens,
// walks it, and goes on appending.
func FuzzBlockFile(f *testing.F) {
	d := storetest.New()
	s, err := store.Open(config(d))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := runSteps(s, 0, 2); err != nil {
		f.Fatal(err)
	}
	s.Close()
	whole := d.ReadFile("data/blocks/blk00000.dat")
	f.Add([]byte{})
	f.Add(whole)
	f.Add(append([]byte("garbage"), whole...))
	f.Add(whole[:len(whole)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		d := storetest.New()
		d.WriteFile("data/blocks/blk00000.dat", b)
		s := open(t, config(d))
		before := records(t, s, nil)
		loc, err := s.AppendBlock(hashOf(77), blockOf(77))
		if err != nil {
			t.Fatal(err)
		}
		after := records(t, s, nil)
		if len(after) == 0 || after[len(after)-1] != "77" || len(after) < len(before)+1 {
			t.Fatalf("records before %v, after an append at %v: %v", before, loc, after)
		}
		mustClose(t, s)
	})
}
