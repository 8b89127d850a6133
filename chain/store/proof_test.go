package store_test

import (
	"bytes"
	"testing"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestProofRows: proofs are rows of their own, that the block rows do not show.
func TestProofRows(t *testing.T) {
	d := storetest.New()
	s := open(t, config(d))
	most := [32]byte(bytes.Repeat([]byte{0xff}, 32))
	most[31] = 0xfe // the hash closest to the keys of proofs
	rows := []store.IndexRow{{Hash: hashOf(1), Value: []byte("row")}, {Hash: most, Value: []byte("last")}}
	proofs := []store.IndexRow{{Hash: hashOf(1), Value: []byte("proof")}, {Hash: most, Value: nil}}
	if err := s.WriteIndex(rows, proofs...); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = open(t, config(d))
	defer mustClose(t, s)
	count := 0
	if err := s.EachIndex(func(store.IndexRow) error { count++; return nil }); err != nil || count != 2 {
		t.Errorf("%d block rows, %v", count, err)
	}
	for i, want := range []struct {
		hash  [32]byte
		value string
		ok    bool
	}{{hashOf(1), "proof", true}, {most, "", true}, {hashOf(2), "", false}} {
		got, ok, err := s.Proof(want.hash)
		if string(got) != want.value || ok != want.ok || err != nil {
			t.Errorf("proof %d: %q, %v, %v", i, got, ok, err)
		}
	}
}
