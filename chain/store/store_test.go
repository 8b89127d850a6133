package store_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustClose(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// filled returns a disk on which n steps were done and the store closed.
func filled(t testing.TB, n int) *storetest.Disk {
	t.Helper()
	d := storetest.New()
	s := open(t, config(d))
	if _, err := runSteps(s, 0, n); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	return d
}

func wantDamage(t *testing.T, err error, file string) {
	t.Helper()
	var damage *store.DamageError
	if !errors.As(err, &damage) {
		t.Errorf("error %v, want a DamageError", err)
	} else if !strings.HasPrefix(filepath.ToSlash(damage.File), file) {
		t.Errorf("damage named in %s (%v), want %s", damage.File, err, file)
	}
}

// TestGoldenFiles fixes the bytes of block and undo records.
func TestGoldenFiles(t *testing.T) {
	d := storetest.New()
	s := open(t, config(d))
	hash, parent := [32]byte{0: 1, 31: 2}, [32]byte{0: 3, 31: 4}
	loc, err := s.AppendBlock(hash, []byte("block"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(store.Location{Offset: 44, Size: 5}, loc); diff != "" {
		t.Error(diff)
	}
	if loc, err = s.AppendUndo(hash, parent, []byte("undo")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(store.Location{Offset: 76, Size: 4}, loc); diff != "" {
		t.Error(diff)
	}
	for name, base := range map[string]string{"block": "blk00000.dat", "undo": "undo00000.dat"} {
		want, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
		if err != nil {
			t.Fatal(err)
		}
		got := hex.EncodeToString(d.ReadFile("data/blocks/" + base))
		if got != strings.TrimSpace(string(want)) {
			t.Errorf("%s record: %s", name, got)
		}
	}
}

// TestReadChecks asks for records that are not what was written.
func TestReadChecks(t *testing.T) {
	d := storetest.New()
	s := open(t, config(d))
	var locs []store.Location
	for i := range 3 {
		loc, err := s.AppendBlock(hashOf(i), blockOf(i))
		if err != nil {
			t.Fatal(err)
		}
		locs = append(locs, loc)
	}
	undo, err := s.AppendUndo(hashOf(1), hashOf(0), undoOf(1))
	if err != nil {
		t.Fatal(err)
	}
	good := locs[1]
	if raw, err := s.ReadBlock(good, hashOf(1)); err != nil || !bytes.Equal(raw, blockOf(1)) {
		t.Fatal(err)
	}
	change := func(fn func(l *store.Location)) store.Location {
		l := good
		fn(&l)
		return l
	}
	for name, loc := range map[string]store.Location{
		"one byte before":  change(func(l *store.Location) { l.Offset-- }),
		"in no record":     change(func(l *store.Location) { l.Offset = 3 }),
		"shorter":          change(func(l *store.Location) { l.Size-- }),
		"longer":           change(func(l *store.Location) { l.Size++ }),
		"behind the end":   change(func(l *store.Location) { l.Offset = 1 << 31 }),
		"huge":             change(func(l *store.Location) { l.Size = 1<<32 - 1 }),
		"missing file":     change(func(l *store.Location) { l.File = 7 }),
		"another's record": locs[2],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ReadBlock(loc, hashOf(1))
			wantDamage(t, err, fmt.Sprintf("blocks/blk%05d.dat", loc.File))
		})
	}
	_, err = s.ReadUndo(undo, hashOf(1), hashOf(2))
	wantDamage(t, err, "blocks/undo00000.dat")

	name := "data/blocks/blk00000.dat"
	whole := d.ReadFile(name)
	for at := int(good.Offset) - 44; at < int(good.Offset+good.Size); at += 13 {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		d.WriteFile(name, b)
		fresh := open(t, store.Config{Dir: "data", FS: d.Crash(storetest.LoseNothing), Magic: magic, DBCache: 1})
		_, err := fresh.ReadBlock(good, hashOf(1))
		wantDamage(t, err, "blocks/blk00000.dat")
		mustClose(t, fresh)
	}
}

// records walks all block records of a store: a number per intact one, a
// text per damaged one.
func records(t testing.TB, s *store.Store, after *store.Location) (out []string) {
	t.Helper()
	err := s.EachBlockRecord(after, func(hash [32]byte, loc store.Location, read func() ([]byte, error)) error {
		_, err := read()
		var damage *store.DamageError
		switch {
		case err == nil:
			out = append(out, fmt.Sprint(hash[0]))
		case errors.As(err, &damage):
			out = append(out, fmt.Sprintf("damage %s@%d known=%v", filepath.Base(damage.File), damage.Offset, loc.Size > 0))
		default:
			t.Fatal(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestScan damages files in the middle and at the end.
func TestScan(t *testing.T) {
	base := storetest.New()
	s := open(t, config(base))
	var locs []store.Location
	for i := range 8 { // the first 7 of 1,092 bytes on average fill two files
		loc, err := s.AppendBlock(hashOf(i), bytes.Repeat([]byte{byte(i)}, 1000))
		if err != nil {
			t.Fatal(err)
		}
		locs = append(locs, loc)
	}
	if diff := cmp.Diff([]string{"3", "4", "5", "6", "7"}, records(t, s, &locs[2])); diff != "" {
		t.Error(diff)
	}
	mustClose(t, s)
	if locs[2].File != 0 || locs[3].File != 1 || locs[7].File != 2 {
		t.Fatalf("records lie in other files than this test thinks: %v", locs)
	}
	const rec = 1044
	tests := []struct {
		name   string
		file   int
		damage func(b []byte) []byte
		want   []string
		size   int // of the newest file after opening
	}{
		{"none", 0, func(b []byte) []byte { return b }, []string{"0", "1", "2", "3", "4", "5", "6", "7"}, 2 * rec},
		{"payload in the middle", 0, func(b []byte) []byte { b[rec+100] ^= 1; return b },
			[]string{"0", "damage blk00000.dat@1044 known=true", "2", "3", "4", "5", "6", "7"}, 2 * rec},
		{"length in the middle", 0, func(b []byte) []byte { b[rec+5] ^= 1; return b },
			[]string{"0", "damage blk00000.dat@1044 known=false", "2", "3", "4", "5", "6", "7"}, 2 * rec},
		{"magic of the first", 1, func(b []byte) []byte { b[0] ^= 1; return b },
			[]string{"0", "1", "2", "damage blk00001.dat@0 known=false", "4", "5", "6", "7"}, 2 * rec},
		{"end of an old file", 1, func(b []byte) []byte { return b[:3*rec-10] },
			[]string{"0", "1", "2", "3", "4", "damage blk00001.dat@2088 known=false", "6", "7"}, 2 * rec},
		{"payload of the first in the newest", 2, func(b []byte) []byte { b[100] ^= 1; return b },
			[]string{"0", "1", "2", "3", "4", "5", "damage blk00002.dat@0 known=true", "7"}, 2 * rec},
		{"torn end", 2, func(b []byte) []byte { return b[:2*rec-1] },
			[]string{"0", "1", "2", "3", "4", "5", "6"}, rec},
		{"torn head", 2, func(b []byte) []byte { return b[:rec+20] },
			[]string{"0", "1", "2", "3", "4", "5", "6"}, rec},
		{"zeros behind the end", 2, func(b []byte) []byte { return append(b, make([]byte, 5000)...) },
			[]string{"0", "1", "2", "3", "4", "5", "6", "7"}, 2 * rec},
		{"end never written", 2, func(b []byte) []byte { clear(b[rec+44+300:]); return b },
			[]string{"0", "1", "2", "3", "4", "5", "6"}, rec},
		{"nothing whole", 2, func(b []byte) []byte { return b[:30] },
			[]string{"0", "1", "2", "3", "4", "5"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := base.Crash(storetest.LoseNothing)
			name := fmt.Sprintf("data/blocks/blk%05d.dat", tt.file)
			d.WriteFile(name, tt.damage(d.ReadFile(name)))
			s := open(t, config(d))
			if diff := cmp.Diff(tt.want, records(t, s, nil)); diff != "" {
				t.Error(diff)
			}
			if n := len(d.ReadFile("data/blocks/blk00002.dat")); n != tt.size {
				t.Errorf("newest file of %d bytes, want %d", n, tt.size)
			}
			loc, err := s.AppendBlock(hashOf(99), []byte("next"))
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := s.ReadBlock(loc, hashOf(99)); err != nil || string(raw) != "next" {
				t.Error("append after opening:", err)
			}
		})
	}
}

// TestSearchEnds opens a file whose damage is followed by a payload full of
// heads of records that are none: it must not be read for ever, nor cut.
func TestSearchEnds(t *testing.T) {
	d := storetest.New()
	head := append(append([]byte{}, magic[:]...), 0, 0, 8, 0) // announces 512 KiB
	d.WriteFile("data/blocks/blk00000.dat", bytes.Repeat(head, 100_000))
	s := open(t, config(d))
	if n := len(d.ReadFile("data/blocks/blk00000.dat")); n != 800_000 {
		t.Errorf("file cut to %d bytes", n)
	}
	loc, err := s.AppendBlock(hashOf(1), blockOf(1))
	if err != nil || loc.File != 1 {
		t.Errorf("appended to %v, %v", loc, err)
	}
	want := []string{"damage blk00000.dat@0 known=false", "1"}
	if diff := cmp.Diff(want, records(t, s, nil)); diff != "" {
		t.Error(diff)
	}
}

// TestFlippedBits flips bits in the databases' logs and tables. Opening and
// reading must name the damage, or show a state that was there once.
func TestFlippedBits(t *testing.T) {
	base := filled(t, 12)
	for _, name := range base.Names() {
		name := filepath.ToSlash(name)
		if strings.HasPrefix(name, "data/blocks") || strings.HasSuffix(name, "lock") {
			continue
		}
		size := len(base.ReadFile(name))
		named := 0
		for i := range 12 {
			if size == 0 {
				break
			}
			d := base.Crash(storetest.LoseNothing)
			b := d.ReadFile(name)
			b[(i*size+size/2)/12] ^= 0x04
			d.WriteFile(name, b)
			switch err := wholeState(d); {
			case err == nil:
			case errors.As(err, new(*store.DamageError)):
				named++
			default:
				t.Errorf("%s byte %d: %v", name, (i*size+size/2)/12, err)
			}
		}
		t.Logf("%s: %d bytes, %d of 12 flips named", name, size, named)
	}
}

// wholeState reads everything: the chain state must be one after a commit,
// the index must hold the first blocks without a gap.
func wholeState(d *storetest.Disk) error {
	s, err := store.Open(config(d))
	if err != nil {
		return err
	}
	defer s.Close()
	best, ok := s.Best()
	if !ok || best.Height%commitEvery != 0 {
		return fmt.Errorf("best %v %v", best, ok)
	}
	if err := checkRows(s, best); err != nil {
		return err
	}
	last, n := 0, 0
	err = s.EachIndex(func(row store.IndexRow) error {
		n++
		last = max(last, int(row.Hash[0]))
		return nil
	})
	if err == nil && last != n {
		err = fmt.Errorf("%d index rows, the last is %d", n, last)
	}
	return err
}

// TestJournalMiddle is the case that LevelDB would open in silence: a bit in
// the middle of the journal.
func TestJournalMiddle(t *testing.T) {
	for _, torn := range []bool{false, true} {
		d := storetest.New()
		s := open(t, config(d))
		if _, err := runSteps(s, 0, 12); err != nil {
			t.Fatal(err)
		}
		d = d.Crash(storetest.LoseUnsynced)
		name := ""
		for _, n := range d.Names() {
			if strings.HasPrefix(filepath.ToSlash(n), "data/index/") && strings.HasSuffix(n, ".log") && len(d.ReadFile(n)) > 0 {
				name = n
			}
		}
		b := d.ReadFile(name)
		if torn {
			d.WriteFile(name, b[:len(b)-3])
			got := open(t, config(d))
			rows := 0
			if err := got.EachIndex(func(store.IndexRow) error { rows++; return nil }); err != nil || rows != 11 {
				t.Errorf("torn tail: %d rows, %v", rows, err)
			}
			continue
		}
		b[len(b)/2] ^= 1
		d.WriteFile(name, b)
		_, err := store.Open(config(d))
		wantDamage(t, err, "index/")
	}
}

func TestMissingFiles(t *testing.T) {
	base := filled(t, 12)
	want := contents(t, open(t, config(base.Crash(storetest.LoseNothing))))
	missed := 0
	for _, name := range base.Names() {
		name = filepath.ToSlash(name)
		if !strings.HasSuffix(name, ".ldb") && !strings.HasSuffix(name, "CURRENT") && !strings.Contains(name, "MANIFEST") {
			continue
		}
		d := base.Crash(storetest.LoseNothing)
		if err := d.Remove(name); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(config(d))
		if err == nil {
			// A table that a compaction had replaced: nothing lacks.
			if diff := cmp.Diff(want, contents(t, s)); diff != "" || !strings.HasSuffix(name, ".ldb") {
				t.Errorf("without %s (-whole +opened):\n%s", name, diff)
			}
			mustClose(t, s)
			continue
		}
		missed++
		wantDamage(t, err, strings.Split(name, "/")[1])
	}
	if missed < 5 { // CURRENT and MANIFEST of two databases, and a table
		t.Errorf("only %d files were missed", missed)
	}
}

// contents is everything in both databases, as text.
func contents(t testing.TB, s *store.Store) map[string]string {
	t.Helper()
	all := make(map[string]string)
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	err = snap.Each(nil, func(k, v []byte) error { all["state "+string(k)] = string(v); return nil })
	if err != nil {
		t.Fatal(err)
	}
	err = s.EachIndex(func(r store.IndexRow) error { all["index "+string(r.Hash[:])] = string(r.Value); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLock(t *testing.T) {
	for name, cfg := range map[string]store.Config{
		"disk":   {Dir: filepath.Join(t.TempDir(), "x", "y"), FS: store.OS()},
		"memory": {Dir: "data", FS: storetest.New()},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, cfg)
			_, err := store.Open(cfg)
			var locked *store.LockedError
			if !errors.As(err, &locked) || !strings.Contains(err.Error(), cfg.Dir) {
				t.Fatalf("second open: %v", err)
			}
			if _, err := s.AppendBlock(hashOf(1), blockOf(1)); err != nil {
				t.Errorf("first store after it: %v", err)
			}
			mustClose(t, s)
			open(t, cfg)
		})
	}
}

// TestOnDisk does the whole thing on the real file system.
func TestOnDisk(t *testing.T) {
	cfg := config(store.OS())
	cfg.Dir = filepath.Join(t.TempDir(), "a", "b")
	s := open(t, cfg)
	p, err := runSteps(s, 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = open(t, cfg)
	if _, err := checkState(s, p); err != nil {
		t.Error(err)
	}
}

func TestDrop(t *testing.T) {
	d := filled(t, 9)
	count := func(s *store.Store) (n int) {
		if err := s.EachIndex(func(store.IndexRow) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	cfg := config(d)
	cfg.DropChainstate = true
	s := open(t, cfg)
	if _, ok := s.Best(); ok || count(s) != 9 {
		t.Errorf("chain state dropped: best %v, %d index rows", ok, count(s))
	}
	mustClose(t, s)
	cfg.DropChainstate, cfg.DropIndex = false, true
	s = open(t, cfg)
	if n := count(s); n != 0 {
		t.Errorf("index dropped: %d rows", n)
	}
	if err := checkRecords(s, 9); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, config(storetest.New()))
	loc, err := s.AppendBlock(hashOf(1), blockOf(1))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	mustClose(t, s)
	_, appendErr := s.AppendBlock(hashOf(1), nil)
	_, readErr := s.ReadBlock(loc, hashOf(1))
	_, _, getErr := s.Get([]byte("C"))
	_, _, snapErr := snap.Get([]byte("C"))
	snap.Release()
	for name, err := range map[string]error{
		"append": appendErr, "read": readErr, "get": getErr, "snapshot": snapErr, "sync": s.SyncFiles(),
		"index": s.WriteIndex(nil), "commit": s.Commit(store.Commit{}),
		"each": s.EachIndex(func(store.IndexRow) error { return nil }),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCommitRefused lets the caller's part of a commit fail: nothing changes
// and the store goes on.
func TestCommitRefused(t *testing.T) {
	s := open(t, config(storetest.New()))
	if _, err := runSteps(s, 0, 4); err != nil {
		t.Fatal(err)
	}
	before, _ := s.Best()
	own := errors.New("own")
	for name, each := range map[string]func(put func(k, v []byte), del func(k []byte)) error{
		"error":        func(put func(k, v []byte), del func(k []byte)) error { put([]byte("Cx"), nil); return own },
		"reserved key": func(put func(k, v []byte), del func(k []byte)) error { put([]byte{1}, nil); return nil },
		"empty key":    func(put func(k, v []byte), del func(k []byte)) error { del(nil); return nil },
	} {
		if err := s.Commit(store.Commit{Best: hashOf(5), Height: 5, Each: each}); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if after, _ := s.Best(); s.Err() != nil || after.Generation != before.Generation {
		t.Errorf("store says %v, generation %d", s.Err(), after.Generation)
	}
	if err := s.Commit(commitOf(4, 6)); err != nil {
		t.Fatal(err)
	}
	after, _ := s.Best()
	if err := checkRows(s, after); err != nil || after.Generation != before.Generation+1 {
		t.Error(after, err)
	}
}

// TestSnapshot reads an old state while newer ones are committed.
func TestSnapshot(t *testing.T) {
	s := open(t, config(storetest.New()))
	if _, err := runSteps(s, 0, 4); err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	if err := s.Commit(commitOf(4, 6)); err != nil {
		t.Fatal(err)
	}
	best, _ := snap.Best()
	var keys []string
	err = snap.Each([]byte{'C'}, func(k, v []byte) error {
		keys = append(keys, string(k))
		return nil
	})
	want := []string{string(coinKey(2)), string(coinKey(3)), string(coinKey(4))}
	if diff := cmp.Diff(want, keys); diff != "" || err != nil || best.Height != 4 {
		t.Error(diff, err, best)
	}
	if _, ok, err := snap.Get(coinKey(5)); ok || err != nil {
		t.Error("a row of a later commit is seen", err)
	}
}

// TestConcurrent appends, syncs, commits and reads at the same time, with few
// files allowed.
func TestConcurrent(t *testing.T) {
	d := storetest.New()
	cfg := config(d)
	cfg.MaxFiles = 32
	s := open(t, cfg)
	const n = 120
	locs := make([]store.Location, n)
	var ready sync.Map
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			loc, err := s.AppendBlock(hashOf(i), blockOf(i))
			if err != nil {
				t.Error(err)
				return
			}
			locs[i] = loc
			ready.Store(i, true)
		}
	})
	wg.Go(func() {
		for i := range 20 {
			if err := errors.Join(s.SyncFiles(), s.Commit(commitOf(i, i+1))); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for i := range 4 * n {
				i %= n
				if _, ok := ready.Load(i); !ok {
					continue
				}
				if raw, err := s.ReadBlock(locs[i], hashOf(i)); err != nil || !bytes.Equal(raw, blockOf(i)) {
					t.Errorf("block %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	if files := d.OpenFiles(); files > 60 {
		t.Errorf("%d files open", files)
	}
	mustClose(t, s)
	if files := d.OpenFiles(); files != 0 {
		t.Errorf("%d files left open", files)
	}
}

func TestTooLarge(t *testing.T) {
	cfg := config(storetest.New())
	cfg.MaxBlock = 1000
	s := open(t, cfg)
	if _, err := s.AppendBlock(hashOf(1), make([]byte, 1001)); err == nil || s.Err() != nil {
		t.Errorf("one byte too large: %v, store %v", err, s.Err())
	}
	if _, err := s.AppendBlock(hashOf(1), make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	// Larger than a file: it gets one for itself.
	loc, err := s.AppendUndo(hashOf(1), hashOf(0), make([]byte, 10<<10))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadUndo(loc, hashOf(1), hashOf(0)); err != nil {
		t.Error(err)
	}
	next, err := s.AppendUndo(hashOf(2), hashOf(1), []byte{1})
	if err != nil || next.File != loc.File+1 {
		t.Error(next, err)
	}
}
