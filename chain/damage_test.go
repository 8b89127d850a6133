package chain_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

// TestCannotDisconnect: what a reorganisation needs of the best branch is
// damaged. The node stops and says what helps, and that does help.
func TestCannotDisconnect(t *testing.T) {
	for _, file := range []string{"blk00000.dat", "undo00000.dat"} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			h := chaintest.New(t, chaintest.Options{Dir: dir})
			h.Next("b1").Accept()
			h.Next("b2", h.Spend("b1")).Accept()
			h.Next("b3").Accept()
			h.On("b1").Next("b2a", h.Spend("b1")).Side()
			h.Next("b3a").Side()
			hash := h.Block("b2").Hash
			damage(t, filepath.Join(dir, "blocks", file), hash[:], 33)

			_, err := h.Chain.AcceptBlock(t.Context(), h.Next("b4a").Block)
			if err == nil || consensus.AsRule(err) != nil {
				t.Fatalf("error %v, want one that is no broken rule", err)
			}
			var found *store.DamageError
			if err := h.Chain.Run(t.Context()); !errors.As(err, &found) {
				t.Fatalf("Run ended with %v", err)
			}
			h.Kill()
			n, err := openDir(dir, h.Maker, dropState)
			if err != nil {
				t.Fatal(err)
			}
			defer n.close()
			if got := n.Best().Hash; got != h.Block("b4a").Hash {
				t.Errorf("best block after the repair is %v, want b4a", got)
			}
			if info, _ := n.Lookup(hash); info.State == chain.StateInvalid {
				t.Error("the damaged block counts as invalid")
			}
		})
	}
}

// TestLostIndexAndGenesis: the genesis block is known without its record.
func TestLostIndexAndGenesis(t *testing.T) {
	dir := t.TempDir()
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	h.Next("b1").Accept()
	h.Close()
	damage(t, filepath.Join(dir, "blocks", "blk00000.dat"), h.Params.GenesisHash[:], 50)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	h.Open()
	h.ExpectTip("b1")
	h.Next("b2").Accept()
}
