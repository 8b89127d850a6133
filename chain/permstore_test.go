package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestPermissionsOnDisk: rows of permissions that are damaged, missing or of
// another branch are named, and made again from the blocks.
func TestPermissionsOnDisk(t *testing.T) {
	tree := growPermTree(t, rand.New(rand.NewPCG(1, 2)), 24)
	type rows = map[string][]byte
	for name, damage := range map[string]func(rows, string, func(k, v []byte), func([]byte)){
		"a row is gone":           func(_ rows, first string, _ func(k, v []byte), del func([]byte)) { del([]byte(first)) },
		"a row does not decode":   func(_ rows, first string, put func(k, v []byte), _ func([]byte)) { put([]byte(first), []byte{1}) },
		"a row of another height": func(r rows, first string, put func(k, v []byte), _ func([]byte)) { put(moved(first), r[first]) },
		"a key that is too long":  func(r rows, first string, put func(k, v []byte), _ func([]byte)) { put([]byte(first+"x"), r[first]) },
	} {
		t.Run(name, func(t *testing.T) {
			h := tree.open(t, 8<<20)
			if err := tree.offerAll(h, inOrder(len(tree.blocks))); err != nil {
				t.Fatal(err)
			}
			want := permState(t, h)
			if err := h.Chain.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			found, first := permRows(t, h.Store)
			best, _ := h.Store.Best()
			err := h.Store.Commit(store.Commit{Best: best.Best, Height: best.Height, Meta: best.Meta,
				Each: func(put func(k, v []byte), del func([]byte)) error {
					damage(found, first, put, del)
					return nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			report, err := h.Chain.VerifyChain(t.Context(), chain.VerifyDisconnect, 1, nil)
			if err != nil || report.Fault == nil || !strings.Contains(report.Fault.Error(), "permissions") {
				t.Errorf("verified: %+v, %v", report.Fault, err)
			}
			h.Kill()
			var damaged *store.DamageError
			if err := h.TryOpen(); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "--reindex-chainstate") {
				t.Fatalf("opened: %v", err)
			}
			if err := h.TryOpenWith(dropState); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(permState(t, h), want) {
				t.Error("other permissions after a rebuild")
			}
		})
	}
}

func moved(key string) []byte {
	b := []byte(key)
	b[4]++
	return b
}

// permRows returns the rows of the permissions, and the first key.
func permRows(t *testing.T, s *store.Store) (map[string][]byte, string) {
	t.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	rows, first := make(map[string][]byte), ""
	err = snap.Each([]byte{0x40}, func(k, v []byte) error {
		if first == "" {
			first = string(k)
		}
		rows[string(k)] = append([]byte(nil), v...)
		return nil
	})
	if err != nil || len(rows) < 3 {
		t.Fatalf("%d rows of permissions, %v", len(rows), err)
	}
	return rows, first
}

// TestSealedImport reads the blocks of a sealed chain from a file, in any
// order, second variants among them.
func TestSealedImport(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.Variant("v2", "b2")
	h.On("v2").Next("v3")
	h.Next("v4")
	for _, order := range [][]string{{"b1", "b2", "v2", "v3", "v4"}, {"v4", "v3", "b1", "b2", "v2"}, {"v3", "v2", "b2", "b1", "v4"}} {
		_, other := consortium(t, chaintest.ConsortiumOptions{})
		var blocks []*consensus.Block
		for _, name := range order {
			blocks = append(blocks, h.Block(name))
		}
		progress, err := other.Chain.Import(t.Context(), bytes.NewReader(framed(t, h.Maker, blocks...)), nil)
		if err != nil || progress.Refused > 0 || other.Chain.Best().Hash != h.Block("v4").Hash {
			t.Errorf("%v: %+v, %v", order, progress, err)
		}
	}
}

// TestSealedBackup starts from a copy of a running node.
func TestSealedBackup(t *testing.T) {
	tree := growPermTree(t, rand.New(rand.NewPCG(4, 2)), 24)
	h := chaintest.New(t, chaintest.Options{Consortium: tree.net, Settle: 1000})
	if err := tree.offerAll(h, inOrder(len(tree.blocks))); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if _, err := h.Chain.Backup(context.Background(), chain.BackupOptions{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	copied := chaintest.New(t, chaintest.Options{Consortium: tree.net, Settle: 1000, Dir: dir})
	if !bytes.Equal(permState(t, copied), permState(t, h)) {
		t.Error("the copy has other permissions")
	}
	for height := int32(1); height <= h.Chain.Best().Height; height++ {
		info, _ := copied.Chain.AtHeight(height)
		if _, err := copied.Chain.SealProof(info.Hash); err != nil {
			t.Errorf("proof of block %d in the copy: %v", height, err)
		}
	}
}

// TestRecoveredSealers: a killed node names the sealers of blocks again that
// it had stored and not flushed.
func TestRecoveredSealers(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net, FS: storetest.New(), Dir: "/data"})
	for i := range 5 {
		h.Next(fmt.Sprint("b", i)).Accept()
	}
	want := fmt.Sprint(h.Chain.Sealers(10))
	h.Kill()
	h.Open()
	if got := fmt.Sprint(h.Chain.Sealers(10)); got != want {
		t.Errorf("sealers %s, want %s", got, want)
	}
	if _, err := h.Chain.MaySeal(net.Member("beta").SealKey()); err == nil {
		t.Error("who sealed the last block may seal again")
	}
}
