package chain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
)

var peer, otherPeer = [32]byte{1}, [32]byte{2}

func offer(h *chaintest.Harness, source [32]byte, names ...string) (chain.BlockInfo, error) {
	return h.Chain.AcceptSealed(context.Background(), h.Headers(names...), source)
}

func lookup(h *chaintest.Harness, name string) (chain.BlockInfo, bool) {
	return h.Chain.Lookup(h.Block(name).Hash)
}

// TestUndecidedHeaders: the first header above the validated blocks is judged,
// those above it wait for its block.
func TestUndecidedHeaders(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	for _, name := range []string{"b1", "b2", "b3", "b4"} {
		h.Next(name)
	}
	last, err := offer(h, peer, "b1", "b2", "b3", "b4")
	if err != nil || last.Height != 4 || !last.Undecided || last.Sealer != [20]byte{} {
		t.Fatalf("last header %+v, %v", last, err)
	}
	if b1, _ := lookup(h, "b1"); b1.Undecided || b1.Sealer == [20]byte{} {
		t.Errorf("first header %+v", b1)
	}
	best := func(want int32) {
		t.Helper()
		if got := h.Chain.BestHeader().Height; got != want {
			t.Errorf("best header at height %d, want %d", got, want)
		}
	}
	best(1)
	if tips := h.Chain.Tips(); len(tips) != 2 { // b1 and genesis, the best block
		t.Errorf("%d tips", len(tips))
	}
	h.Again("b1").Accept()
	best(2)
	h.Again("b3").Side() // kept, not judged
	best(2)
	if b3, _ := lookup(h, "b3"); !b3.Undecided || !b3.HaveData {
		t.Errorf("body above a gap: %+v", b3)
	}
	if n := h.Chain.Undecided(peer); n != 1 {
		t.Errorf("%d headers wait, want one: b4", n)
	}
	if _, err := h.Chain.AcceptBlock(context.Background(), h.Block("b2")); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b3")
	best(4)
	if n := h.Chain.Undecided(peer); n != 0 {
		t.Errorf("%d headers wait, want none", n)
	}
	if b4, _ := lookup(h, "b4"); b4.Undecided {
		t.Errorf("header on a validated block: %+v", b4)
	}
}

// TestUndecidedAreForgotten: undecided headers are in memory only, and go with
// who brought them; decided ones stay.
func TestUndecidedAreForgotten(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	for _, name := range []string{"b1", "b2", "b3", "b4", "b5"} {
		h.Next(name)
	}
	if _, err := offer(h, peer, "b1", "b2", "b3"); err != nil {
		t.Fatal(err)
	}
	if _, err := offer(h, otherPeer, "b4", "b5"); err != nil {
		t.Fatal(err)
	}
	h.Chain.ForgetSource(peer) // b2 and b3: others build on them
	if _, ok := lookup(h, "b2"); !ok {
		t.Error("b2 is forgotten, b4 stands on it")
	}
	h.Chain.ForgetSource(otherPeer)
	h.Chain.ForgetSource(peer)
	for name, want := range map[string]bool{"b1": true, "b2": false, "b3": false, "b4": false, "b5": false} {
		if _, ok := lookup(h, name); ok != want {
			t.Errorf("%s known: %t", name, ok)
		}
	}
	if _, err := offer(h, peer, "b2", "b3"); err != nil {
		t.Fatal(err)
	}
	h.Close()
	h.Open()
	for name, want := range map[string]bool{"b1": true, "b2": false, "b3": false} {
		if _, ok := lookup(h, name); ok != want {
			t.Errorf("%s known after a restart: %t", name, ok)
		}
	}
}

func TestUndecidedBounds(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Chain.SetMaxUndecided(4)
	h.Next("b1").Accept()
	for _, name := range []string{"b2", "b3", "b4", "b5", "b6"} {
		h.Next(name)
	}
	last, err := offer(h, peer, "b2", "b3", "b4", "b5", "b6")
	if !errors.Is(err, chain.ErrUndecided) || consensus.AsRule(err) != nil || last.Height != 5 {
		t.Errorf("above the bound of height: %d, %v", last.Height, err)
	}
	// A block is bound by height too.
	if _, err := h.Chain.AcceptBlock(context.Background(), h.Block("b6")); !errors.Is(err, chain.ErrUndecided) {
		t.Errorf("block above the bound: %v", err)
	}
	h.On("b2").Next("c3")
	h.Next("c4")
	h.On("b2").Next("d3")
	if _, err := offer(h, peer, "c3"); err != nil {
		t.Fatal(err)
	}
	if last, err := offer(h, peer, "c3", "c4"); !errors.Is(err, chain.ErrUndecided) || last.Hash != h.Block("c3").Hash {
		t.Errorf("a fifth header on another one of the peer's: %v", err)
	}
	if _, err := offer(h, peer, "d3"); !errors.Is(err, chain.ErrUndecided) {
		t.Errorf("a fifth header of one peer: %v", err)
	}
	if _, err := offer(h, otherPeer, "d3"); err != nil {
		t.Errorf("a header of another peer: %v", err)
	}
	h.Again("b2").Accept() // decides b3, c3, d3
	if n := h.Chain.Undecided(peer); n != 2 {
		t.Errorf("%d headers wait, want b4 and b5", n)
	}
}

// TestBadHeaders: what is wrong with a header or its proof, and what of it is
// remembered: nothing.
func TestBadHeaders(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	alpha, beta := net.Member("alpha"), net.Member("beta")
	stranger := chaintest.NewMember("stranger")
	h.Next("b1", chaintest.By(alpha)).Accept()
	h.Next("b2", chaintest.By(beta))
	h.Next("by a stranger on b2", chaintest.By(stranger), chaintest.Claim(alpha.Key.Script()))
	h.Next("on the stranger's")
	h.On("b1").Next("by a stranger", chaintest.By(stranger), chaintest.Claim(alpha.Key.Script()))
	h.On("b1").Next("by alpha again", chaintest.By(alpha))

	refused := func(header chain.SealedHeader, want error, rule bool) {
		t.Helper()
		_, err := h.Chain.AcceptSealed(context.Background(), []chain.SealedHeader{header}, peer)
		if !errors.Is(err, want) || (consensus.AsRule(err) != nil) != rule {
			t.Errorf("got %v, want %v", err, want)
		}
		if _, ok := h.Chain.Lookup(header.Header.BlockHash()); ok {
			t.Error("it is in the index")
		}
	}
	b2 := h.Headers("b2")[0]
	refused(chain.SealedHeader{Header: b2.Header}, chain.ErrNoProof, false)
	refused(chain.SealedHeader{Header: b2.Header, Proof: h.Headers("b1")[0].Proof}, seal.RuleProof, true)
	refused(h.Headers("by a stranger")[0], permission.RuleSealNoMember, true)
	refused(h.Headers("by alpha again")[0], seal.RuleDiversity, true)
	if _, err := h.Chain.AcceptHeaders(context.Background(), []wire.BlockHeader{b2.Header}); !errors.Is(err, chain.ErrNoProof) {
		t.Errorf("header without proof: %v", err)
	}

	// Undecided at first, then refused with what stands on it.
	if _, err := offer(h, peer, "b2", "by a stranger on b2", "on the stranger's"); err != nil {
		t.Fatal(err)
	}
	h.Again("b2").Accept()
	for _, name := range []string{"by a stranger on b2", "on the stranger's"} {
		if _, ok := lookup(h, name); ok {
			t.Errorf("%s is still in the index", name)
		}
	}
	if n := h.Chain.Undecided(peer); n != 0 {
		t.Errorf("%d headers wait", n)
	}
	e := h.Chain.Explain(h.Block("by a stranger on b2").Hash)
	if e.Verdict != chain.VerdictUnknown || e.Fault == nil || e.Fault.Rule != permission.RuleSealNoMember {
		t.Errorf("explained as %+v", e)
	}
}

// TestBadBlockAbove: bodies of undecided blocks are kept; one that turns out
// to break a rule is remembered, and what stands on it.
func TestBadBlockAbove(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	alpha := net.Member("alpha")
	stranger := chaintest.NewMember("stranger")
	h.Next("b1")
	h.Next("bad", chaintest.By(stranger), chaintest.Claim(alpha.Key.Script()))
	h.Next("on it")
	if _, err := offer(h, peer, "b1", "bad", "on it"); err != nil {
		t.Fatal(err)
	}
	h.Again("bad").Side()
	h.Again("b1").Accept()
	h.ExpectTip("b1")
	e := h.Chain.Explain(h.Block("bad").Hash)
	if e.Verdict != chain.VerdictInvalid || e.Rule != permission.RuleSealNoMember {
		t.Errorf("explained as %+v", e)
	}
	if e := h.Chain.Explain(h.Block("on it").Hash); e.Verdict != chain.VerdictBadAncestor {
		t.Errorf("its child is explained as %+v", e)
	}
	h.Close()
	h.Open()
	if e := h.Chain.Explain(h.Block("bad").Hash); e.Verdict != chain.VerdictInvalid || e.Rule != permission.RuleSealNoMember {
		t.Errorf("explained after a restart as %+v", e)
	}
}

func TestSealProof(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.Next("b3")
	_, other := consortium(t, chaintest.ConsortiumOptions{})
	var headers []chain.SealedHeader
	for _, header := range h.Chain.HeadersAfter(nil, h.Block("b1").Hash, 1) {
		headers = append(headers, chain.SealedHeader{Header: header})
	}
	for range 2 { // the second time from memory
		proof, err := h.Chain.SealProof(h.Block("b1").Hash)
		if err != nil {
			t.Fatal(err)
		}
		headers[0].Proof = proof
	}
	if last, err := other.Chain.AcceptSealed(context.Background(), headers, peer); err != nil || last.Undecided {
		t.Errorf("%+v, %v", last, err)
	}
	if _, err := h.Chain.SealProof(h.Block("b3").Hash); !errors.Is(err, chain.ErrUnknownBlock) {
		t.Errorf("proof of an unknown block: %v", err)
	}
	if _, err := h.Chain.SealProof(chainhash.Hash{}); !errors.Is(err, chain.ErrUnknownBlock) {
		t.Errorf("proof of no block: %v", err)
	}
}
