package chain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/store"
)

// proves expects that the proof of a block's seal is here, or is not, and good.
func proves(t *testing.T, h *chaintest.Harness, name string, want bool) {
	t.Helper()
	b := h.Block(name)
	proof, err := h.Chain.SealProof(b.Hash)
	if !want {
		if !errors.Is(err, chain.ErrNoData) {
			t.Errorf("proof of %s: %v, want none", name, err)
		}
		return
	}
	if err != nil {
		t.Errorf("proof of %s: %v", name, err)
		return
	}
	info, _ := h.Chain.Lookup(b.Hash)
	if _, _, _, err := proof.Check(h.Params.GenesisHash, &b.Header, info.Height); err != nil {
		t.Errorf("proof of %s: %v", name, err)
	}
}

// loseBodies makes the block files unreadable.
func loseBodies(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "blocks", "blk*.dat"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			raw[i] ^= 0x55
		}
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProofNeedsNoBody: blocks, in several orders and ways of stopping, whose
// bodies cannot be read any more.
func TestProofNeedsNoBody(t *testing.T) {
	stops := map[string]func(h *chaintest.Harness, dir string) error{
		"stopped": func(h *chaintest.Harness, dir string) error { h.Close(); return nil },
		"killed": func(h *chaintest.Harness, dir string) error { // rows from the block files
			h.Kill()
			h.Open()
			h.Close()
			return nil
		},
		"indexed anew": func(h *chaintest.Harness, dir string) error {
			h.Close()
			err := h.TryOpenWith(func(sc *store.Config, _ *chain.Config) { sc.DropIndex = true })
			h.Close()
			return err
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Allocation: 1 << 40})
			dir := t.TempDir()
			h := chaintest.New(t, chaintest.Options{Consortium: net, Dir: dir})
			h.Next("b1").Accept()
			h.Next("b2", chaintest.Tx(chaintest.PayAndKeep(net.Member("alpha").Key, net.Funds(net.Member("alpha")), net.Member("beta").Key, 1, 1000), 0)).Accept()
			h.Next("b3").Accept()
			h.On("b1").Next("side").Side()
			proves(t, h, "b3", true) // before a flush
			if err := stop(h, dir); err != nil {
				t.Fatal(err)
			}
			h.Open()
			defer h.Close()
			loseBodies(t, dir)
			for _, b := range []string{"b1", "b2", "b3", "side"} {
				if _, err := h.Chain.ReadBlock(h.Block(b).Hash); err == nil {
					t.Fatal("the body is still there")
				}
				proves(t, h, b, true)
			}
		})
	}
}

// TestManyProofs: more of them than wait in memory.
func TestManyProofs(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net})
	h.Next("b1").Accept()
	most := 0
	for i := range 2 * chain.ProofBatch / 64 {
		if err := h.Chain.KeepProofOf(h.Block("b1"), [32]byte{1, byte(i), byte(i >> 8), byte(i >> 16)}); err != nil {
			t.Fatal(err)
		}
		most = max(most, h.Chain.ProofsWaiting())
	}
	if most >= chain.ProofBatch || most < chain.ProofBatch/2 {
		t.Errorf("up to %d bytes waited, at most %d may", most, chain.ProofBatch)
	}
	if _, ok, err := h.Store.Proof([32]byte{1}); !ok || err != nil {
		t.Errorf("the first one is on disk: %v, %v", ok, err)
	}
}

// TestPrunedProofs: a node whose old blocks are pruned still proves who made
// them, also those stored by a version that kept no proofs.
func TestPrunedProofs(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net})
	h.Close()
	open := func() {
		t.Helper()
		err := h.TryOpenWith(func(sc *store.Config, cc *chain.Config) { sc.FileSize, cc.Prune = 4096, true })
		if err != nil {
			t.Fatal(err)
		}
	}
	open()
	const count = chain.MinKeep + 40
	for i := range count {
		h.Next(fmt.Sprint("b", i+1)).Accept()
	}
	if err := h.Chain.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	// As if the first ones had been stored without rows.
	for i := range 10 {
		if err := h.Store.WriteIndex(nil, store.IndexRow{Hash: h.Block(fmt.Sprint("b", i+1)).Hash}); err != nil {
			t.Fatal(err)
		}
	}
	height, err := h.Chain.PruneTo(t.Context(), count)
	if err != nil || height < 20 {
		t.Fatalf("pruned to %d, %v", height, err)
	}
	h.Close()
	open()
	if _, err := h.Chain.ReadBlock(h.Block("b1").Hash); !errors.Is(err, chain.ErrPruned) {
		t.Fatalf("the first block: %v", err)
	}
	for i := range count {
		proves(t, h, fmt.Sprint("b", i+1), true)
	}
	proves(t, h, "genesis", false)
}

func FuzzProof(f *testing.F) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	b := net.NewMaker().Make(net.Params.GenesisHash)
	f.Add(chain.EncodeProof(chaintest.Sealed(b).Proof))
	f.Add([]byte{1, 0})
	f.Add([]byte{1, 25})
	f.Fuzz(func(t *testing.T, row []byte) {
		proof, err := chain.DecodeProof(row)
		if err != nil {
			return
		}
		if again := chain.EncodeProof(proof); string(again) != string(row) {
			t.Errorf("%x was read and written as %x", row, again)
		}
	})
}
