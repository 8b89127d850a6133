package store_test

import (
	"bytes"
	"testing"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestHintRows: hints are rows of their own, that neither block rows nor
// proofs show, and that can be removed.
func TestHintRows(t *testing.T) {
	d := storetest.New()
	s := open(t, config(d))
	ff := [32]byte(bytes.Repeat([]byte{0xff}, 32))
	rows := store.IndexRows{
		Blocks: []store.IndexRow{{Hash: hashOf(1), Value: []byte("row")}},
		Proofs: []store.IndexRow{{Hash: hashOf(1), Value: []byte("proof")}, {Hash: ff, Value: []byte("of ff")}},
		Hints:  []store.IndexRow{{Hash: hashOf(1), Value: []byte("hints")}, {Hash: hashOf(2), Value: nil}, {Hash: ff, Value: []byte("ff")}},
	}
	if err := s.ChangeIndex(rows); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = open(t, config(d))
	defer mustClose(t, s)
	expect := func(hash [32]byte, want string, wantOK bool) {
		t.Helper()
		if got, ok, err := s.Hints(hash); string(got) != want || ok != wantOK || err != nil {
			t.Errorf("hints: %q, %v, %v, want %q", got, ok, err, want)
		}
	}
	expect(hashOf(1), "hints", true)
	expect(hashOf(2), "", true)
	expect(ff, "ff", true)
	expect(hashOf(3), "", false)
	if got, _, err := s.Proof(ff); string(got) != "of ff" || err != nil {
		t.Errorf("proof: %q, %v", got, err)
	}
	count := 0
	if err := s.EachIndex(func(store.IndexRow) error { count++; return nil }); err != nil || count != 1 {
		t.Errorf("%d block rows, %v", count, err)
	}
	drop := store.IndexRows{DropHints: [][32]byte{hashOf(1), hashOf(3)}, Hints: []store.IndexRow{{Hash: hashOf(3), Value: []byte("new")}}}
	if err := s.ChangeIndex(drop); err != nil {
		t.Fatal(err)
	}
	expect(hashOf(1), "", false)
	expect(hashOf(2), "", true)
	expect(hashOf(3), "new", true)
	if _, ok, _ := s.Proof(hashOf(1)); !ok {
		t.Error("the proof went with the hints")
	}
}
