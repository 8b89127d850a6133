package chain_test

import (
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

// TestStoredAboveUndecided: bodies that came before those below them are there
// after a start, with the headers that lead to them.
func TestStoredAboveUndecided(t *testing.T) {
	for name, stop := range map[string]func(*chaintest.Harness){"closed": (*chaintest.Harness).Close, "killed": (*chaintest.Harness).Kill} {
		t.Run(name, func(t *testing.T) {
			_, h := consortium(t, chaintest.ConsortiumOptions{})
			for _, name := range []string{"b1", "b2", "b3", "b4"} {
				h.Next(name)
			}
			if _, err := h.Chain.AcceptSealed(t.Context(), h.Headers("b1", "b2", "b3", "b4"), [32]byte{1}); err != nil {
				t.Fatal(err)
			}
			h.Again("b3").Side()
			if err := h.Chain.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.Again("b4").Side()
			stop(h)
			h.Open()
			if info, ok := h.Chain.Lookup(h.Block("b4").Hash); !ok || !info.HaveData || !info.Undecided {
				t.Errorf("block 4 after a start: %+v, %v", info, ok)
			}
			if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b1")); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b2")); err != nil {
				t.Fatal(err)
			}
			h.ExpectTip("b4")
		})
	}
}
