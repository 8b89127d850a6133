package chain_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

// TestAnchor: a chain with another block at the anchor's height is not
// followed, and nobody is to blame for it.
func TestAnchor(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	for _, name := range []string{"b1", "b2", "b3"} {
		h.Next(name).Accept()
	}
	h.On("b1").Next("b2a")
	h.Next("b3a")
	h.Next("b4a")
	reopen := func(height int32, hash chainhash.Hash) error {
		t.Helper()
		h.Close()
		return h.TryOpenWith(func(_ *store.Config, c *chain.Config) { c.Anchor = chain.Anchor{Height: height, Hash: hash} })
	}
	if err := reopen(2, h.Block("b2").Hash); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b2a"} {
		_, err := h.Chain.AcceptBlock(t.Context(), h.Block(name))
		if !errors.Is(err, chain.ErrOtherHistory) || consensus.AsRule(err) != nil || !strings.Contains(err.Error(), h.Block("b2").Hash.String()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.ExpectTip("b3")
	if list := h.Chain.Warnings(); len(list) != 0 {
		t.Errorf("warnings of a chain that has the anchor: %q", list)
	}

	if err := reopen(2, h.Block("b2a").Hash); !errors.Is(err, chain.ErrOtherHistory) {
		t.Fatalf("opened on another history: %v", err)
	}
	if err := reopen(4, h.Block("b4a").Hash); err != nil {
		t.Fatal(err)
	}
	h.On("b3").Next("b4")
	if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b4")); !errors.Is(err, chain.ErrOtherHistory) {
		t.Errorf("b4: %v", err)
	}
	if list := h.Chain.Warnings(); len(list) != 1 || !strings.Contains(list[0], "another history") {
		t.Errorf("warnings %q", list)
	}
	for _, name := range []string{"b2a", "b3a", "b4a"} {
		if _, err := h.Chain.AcceptBlock(t.Context(), h.Block(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.ExpectTip("b4a")
	if list := h.Chain.Warnings(); len(list) != 0 {
		t.Errorf("warnings once the anchor is there: %q", list)
	}
}
