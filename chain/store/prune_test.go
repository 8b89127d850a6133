package store_test

import (
	"errors"
	"testing"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

func TestRemoveFiles(t *testing.T) {
	d := storetest.New()
	open := func() *store.Store {
		t.Helper()
		s, err := store.Open(store.Config{Dir: "/data", FS: d, FileSize: 100})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var locs []store.Location
	for i := range 3 { // a file each
		loc, err := s.AppendBlock([32]byte{byte(i)}, make([]byte, 90))
		if err != nil {
			t.Fatal(err)
		}
		locs = append(locs, loc)
	}
	if _, err := s.ReadBlock(locs[0], [32]byte{0}); err != nil {
		t.Fatal(err)
	}
	files, err := s.Files()
	if err != nil || len(files) != 4 || files[0].Current || !files[2].Current || !files[3].Current || files[3].Kind != store.UndoFile || files[0].Size < 90 {
		t.Fatalf("files %+v, %v", files, err)
	}
	if err := s.RemoveFiles(files[2:3]); err == nil {
		t.Error("the newest file was removed")
	}
	if pruned, err := s.Pruned(); pruned || err != nil {
		t.Errorf("pruned %v, %v before anything was removed", pruned, err)
	}
	if err := s.RemoveFiles(files[:1]); err != nil {
		t.Fatal(err)
	}
	var damage *store.DamageError
	if _, err := s.ReadBlock(locs[0], [32]byte{0}); !errors.As(err, &damage) {
		t.Errorf("a removed block: %v", err)
	}
	if _, err := s.ReadBlock(locs[1], [32]byte{1}); err != nil {
		t.Error(err)
	}
	s.Close()
	d = d.Crash(storetest.LoseUnsynced)
	s = open()
	defer s.Close()
	if files, err := s.Files(); err != nil || files[0].Number != 1 {
		t.Errorf("after a crash: %+v, %v", files, err)
	}
	if pruned, err := s.Pruned(); !pruned || err != nil {
		t.Errorf("pruned %v, %v after a crash", pruned, err)
	}
}
